//! Vectors that tokens choose from: embeddings of words, positions and types. They are kept as the file has them, since a text
//! reads a few of many.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::kernel::Bytes;
use super::weights::Tensor;

/// A table of vectors.
#[derive(Debug)]
pub(super) struct Table {
    rows: usize,
    /// The tensor without its numbers.
    tensor: Tensor<'static>,
    /// Where they are.
    bytes: Arc<Bytes>,
    place: Range<usize>,
}

impl Table {
    /// The vectors of a tensor `[rows, width]`: where they lie in one of the mapped files, else copied.
    pub fn new(tensor: &Tensor<'_>, files: &[Arc<Bytes>]) -> Self {
        let bytes = tensor.numbers.bytes();
        let mapped = files.iter().filter(|file| matches!(***file, Bytes::Mapped(_)));
        let found = mapped.filter_map(|file| Some((file.clone(), place(bytes, file)?))).next();
        let (kept, place) = found.unwrap_or_else(|| (Arc::new(Bytes::from(bytes)), 0..bytes.len()));
        let numbers = tensor.numbers.with_bytes(Cow::Borrowed(&[]));
        let tensor = Tensor { shape: tensor.shape.clone(), numbers, transposed: tensor.transposed };
        Table { rows: tensor.shape[0], tensor, bytes: kept, place }
    }

    /// How many vectors there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Writes a vector; the caller has checked that there is one.
    pub fn read(&self, row: usize, to: &mut [f32]) {
        self.tensor.read_from(&self.bytes[self.place.clone()], row, to);
    }
}

/// Where `part` lies in `whole`.
fn place(part: &[u8], whole: &[u8]) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}
