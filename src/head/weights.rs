//! Single tensors of a safetensors file, read one by one: the file may be much larger than what is wanted of it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::error::{Error, Result};
use crate::files::{ModelFolder, impostor_at};

/// Bytes that are read at a time: a multiple of the length of every number.
const PIECE: usize = 1 << 20;
/// Longest header that is read, as the safetensors crate has it.
const LONGEST_HEADER: u64 = 100_000_000;

/// A file of weights.
#[derive(Debug)]
pub(crate) struct WeightsFile {
    /// Path inside the repository, for messages.
    name: String,
    path: PathBuf,
    metadata: Metadata,
    /// Where tensors begin in the file.
    start: u64,
}

impl WeightsFile {
    /// Reads the list of tensors.
    ///
    /// # Errors
    /// [`Error::FileNotFound`], [`Error::Disk`]; [`Error::ModelInvalid`] where it is no safetensors file, or not a whole one.
    pub fn open(folder: &ModelFolder, name: &str) -> Result<Self> {
        let path = folder
            .locate(name)?
            .ok_or_else(|| Error::FileNotFound(format!("{} has no {name}", folder.root().display())))?;
        WeightsFile::at(path, name)
    }

    /// As [`WeightsFile::open`], for a file that is at hand.
    ///
    /// # Errors
    /// As [`WeightsFile::open`].
    pub fn at(path: PathBuf, name: &str) -> Result<Self> {
        let unreadable = |source| Error::unreadable(&path, source);
        let mut file = File::open(&path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let broken = || {
            impostor_at(name, &path).unwrap_or_else(|| {
                Error::invalid_model(format!(
                    "{name} is not a safetensors file, or not a whole one. Copy or download it again"
                ))
            })
        };
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(|_| broken())?;
        let size = u64::from_le_bytes(size);
        if size > LONGEST_HEADER || size > length {
            return Err(broken());
        }
        let mut header = vec![0; usize::try_from(size).map_err(|_| broken())?];
        file.read_exact(&mut header).map_err(|_| broken())?;
        // Also sees to it that tensors follow each other without a gap, and are as long as their shapes say.
        let metadata: Metadata = serde_json::from_slice(&header).map_err(|_| broken())?;
        let start = 8 + size;
        let end = metadata.tensors().values().map(|info| info.data_offsets.1).max().unwrap_or(0);
        if start + end as u64 != length {
            return Err(broken());
        }
        Ok(WeightsFile { name: name.to_owned(), path, metadata, start })
    }

    /// Whether there is such a tensor.
    pub fn has(&self, tensor: &str) -> bool {
        self.metadata.info(tensor).is_some()
    }

    /// The shape of a matrix.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where there is no such tensor, or it has not two axes with something in them.
    pub fn matrix(&self, tensor: &str) -> Result<[usize; 2]> {
        match self.info(tensor)?.shape[..] {
            [rows, columns] if rows > 0 && columns > 0 => Ok([rows, columns]),
            ref other => Err(Error::invalid_model(format!(
                "{}: expected a matrix for \"{tensor}\" but found the shape {other:?}",
                self.name
            ))),
        }
    }

    /// How many numbers a tensor of one axis has.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where there is no such tensor, or it has other axes.
    pub fn length(&self, tensor: &str) -> Result<usize> {
        match self.info(tensor)?.shape[..] {
            [count] => Ok(count),
            ref other => Err(Error::invalid_model(format!(
                "{}: expected one axis for \"{tensor}\" but found the shape {other:?}",
                self.name
            ))),
        }
    }

    fn info(&self, tensor: &str) -> Result<&TensorInfo> {
        let missing = || Error::invalid_model(format!("{} has no tensor \"{tensor}\"", self.name));
        self.metadata.info(tensor).ok_or_else(missing)
    }

    /// The numbers of a tensor that must have this shape.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where there is no such tensor or the shape is another, [`Error::Disk`] where it cannot be read,
    /// [`Error::ModelUnsupported`] where they are no floats.
    pub fn floats(&self, tensor: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let (dtype, expected) = (self.dtype(tensor)?, "F32, F16, BF16 and F64");
        match dtype {
            Dtype::F32 => self.numbers(tensor, shape, f32::from_le_bytes),
            Dtype::F16 => self.numbers(tensor, shape, |bytes| half::f16::from_le_bytes(bytes).to_f32()),
            Dtype::BF16 => self.numbers(tensor, shape, |bytes| half::bf16::from_le_bytes(bytes).to_f32()),
            #[allow(clippy::cast_possible_truncation, reason = "vectors are float32")]
            Dtype::F64 => self.numbers(tensor, shape, |bytes| f64::from_le_bytes(bytes) as f32),
            other => Err(self.unsupported(tensor, other, expected)),
        }
    }

    /// The signed bytes of a tensor that must have this shape.
    ///
    /// # Errors
    /// As [`WeightsFile::floats`], for what is no I8.
    pub fn bytes(&self, tensor: &str, shape: &[usize]) -> Result<Vec<i8>> {
        match self.dtype(tensor)? {
            Dtype::I8 => self.numbers(tensor, shape, i8::from_le_bytes),
            other => Err(self.unsupported(tensor, other, "I8")),
        }
    }

    /// The whole numbers of a tensor that must have this shape. Those that are negative or too large are [`u32::MAX`].
    ///
    /// # Errors
    /// As [`WeightsFile::floats`], for what is no I32 or I64.
    pub fn indices(&self, tensor: &str, shape: &[usize]) -> Result<Vec<u32>> {
        let index = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        match self.dtype(tensor)? {
            Dtype::I32 => self.numbers(tensor, shape, |bytes| index(i32::from_le_bytes(bytes).into())),
            Dtype::I64 => self.numbers(tensor, shape, |bytes| index(i64::from_le_bytes(bytes))),
            other => Err(self.unsupported(tensor, other, "I32 and I64")),
        }
    }

    /// The tensor's number format.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where there is no such tensor.
    pub fn dtype(&self, tensor: &str) -> Result<Dtype> {
        Ok(self.info(tensor)?.dtype)
    }

    fn unsupported(&self, tensor: &str, found: Dtype, expected: &str) -> Error {
        Error::ModelUnsupported(format!(
            "{}: \"{tensor}\" has the number format {found:?}. Supported are {expected}",
            self.name
        ))
    }

    /// Reads the numbers of a tensor piece by piece: a second copy of a large one is not made.
    fn numbers<const SIZE: usize, N>(
        &self,
        tensor: &str,
        shape: &[usize],
        convert: impl Fn([u8; SIZE]) -> N,
    ) -> Result<Vec<N>> {
        let info = self.info(tensor)?;
        if info.shape != shape {
            return Err(Error::invalid_model(format!(
                "{}: expected the shape {shape:?} for \"{tensor}\" but found {:?}",
                self.name, info.shape
            )));
        }
        let (from, to) = info.data_offsets;
        let mut numbers = Vec::with_capacity((to - from) / SIZE);
        let mut read = || -> std::io::Result<()> {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(self.start + from as u64))?;
            let mut piece = vec![0; PIECE.min(to - from)];
            while numbers.len() * SIZE < to - from {
                let piece = &mut piece[..PIECE.min(to - from - numbers.len() * SIZE)];
                file.read_exact(piece)?;
                numbers.extend(piece.as_chunks::<SIZE>().0.iter().map(|bytes| convert(*bytes)));
            }
            Ok(())
        };
        read().map_err(|source| Error::unreadable(&self.path, source))?;
        Ok(numbers)
    }
}
