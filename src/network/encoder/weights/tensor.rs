//! Tensors of a file of weights, as they lie in the file.

use std::borrow::Cow;

/// A tensor of a file of weights. Shapes are those of transformers: a linear layer's weight is `[outputs, inputs]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor<'file> {
    /// Sizes of the axes, whichever way the numbers are stored.
    pub shape: Vec<usize>,
    /// The numbers, row by row of what is stored.
    pub numbers: Numbers<'file>,
    /// Whether a matrix is stored as `[inputs, outputs]`.
    pub transposed: bool,
}

/// Numbers as a file has them: little-endian, of any alignment.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers<'file> {
    /// 32-bit floats.
    F32(Cow<'file, [u8]>),
    /// 16-bit floats of IEEE 754.
    F16(Cow<'file, [u8]>),
    /// The upper halves of 32-bit floats.
    Bf16(Cow<'file, [u8]>),
    /// Each number stands for `scale * (number - zero)`.
    Int8 {
        /// One byte a number.
        bytes: Cow<'file, [u8]>,
        /// Whether the bytes are two's complement.
        signed: bool,
        /// One, or one for each of the first axis of the tensor's shape.
        scales: Vec<f32>,
        /// One, or one for each of the first axis of the tensor's shape.
        zeros: Vec<i32>,
    },
}

impl Tensor<'_> {
    /// The axes but the first, as one.
    fn inner(&self) -> usize {
        if self.shape.len() < 2 { self.shape.iter().product() } else { self.shape[1..].iter().product() }
    }

    fn outer(&self) -> usize {
        if self.shape.len() < 2 { 1 } else { self.shape[0] }
    }

    /// Where the numbers of a row are stored: the first, and the distance from one to the next.
    fn places(&self, row: usize) -> (usize, usize) {
        if self.transposed { (row, self.outer()) } else { (row * self.inner(), 1) }
    }

    /// The numbers of a row (an output of a linear layer, or the whole tensor where it has one axis).
    pub(in crate::network::encoder) fn read(&self, row: usize, to: &mut [f32]) {
        self.read_from(self.numbers.bytes(), row, to);
    }

    /// As [`Tensor::read`], from bytes that are elsewhere.
    pub(in crate::network::encoder) fn read_from(&self, bytes: &[u8], row: usize, to: &mut [f32]) {
        let (first, step) = self.places(row);
        let places = (0..to.len()).map(|at| first + at * step);
        match &self.numbers {
            Numbers::F32(_) => {
                let numbers = bytes.as_chunks::<4>().0;
                to.iter_mut().zip(places).for_each(|(to, at)| *to = f32::from_le_bytes(numbers[at]));
            }
            Numbers::F16(_) => {
                let numbers = bytes.as_chunks::<2>().0;
                to.iter_mut().zip(places).for_each(|(to, at)| *to = half::f16::from_le_bytes(numbers[at]).to_f32());
            }
            Numbers::Bf16(_) => {
                let numbers = bytes.as_chunks::<2>().0;
                to.iter_mut().zip(places).for_each(|(to, at)| *to = half::bf16::from_le_bytes(numbers[at]).to_f32());
            }
            #[allow(clippy::cast_precision_loss, reason = "from -255 to 255")]
            Numbers::Int8 { signed, scales, zeros, .. } => {
                let (scale, zero) = (scales[row % scales.len()], zeros[row % zeros.len()]);
                let whole = |byte: u8| if *signed { i32::from(byte.cast_signed()) } else { i32::from(byte) };
                to.iter_mut().zip(places).for_each(|(to, at)| *to = scale * (whole(bytes[at]) - zero) as f32);
            }
        }
    }

    /// Whether each number is a signed byte times a scale.
    pub(in crate::network::encoder) fn is_symmetric(&self) -> bool {
        match &self.numbers {
            Numbers::Int8 { signed, zeros, .. } => {
                let zero = if *signed { 0 } else { 128 };
                zeros.iter().all(|number| *number == zero)
            }
            _ => false,
        }
    }

    /// The bytes of a row, where the tensor is symmetric, and their scale.
    pub(in crate::network::encoder) fn read_bytes(&self, row: usize, to: &mut [i8]) -> f32 {
        let Numbers::Int8 { bytes, signed, scales, .. } = &self.numbers else { return f32::NAN };
        let (first, step) = self.places(row);
        let flip = if *signed { 0 } else { 0x80 };
        to.iter_mut().enumerate().for_each(|(at, to)| *to = (bytes[first + at * step] ^ flip).cast_signed());
        scales[row % scales.len()]
    }
}

impl Numbers<'_> {
    /// The bytes.
    pub(in crate::network::encoder) fn bytes(&self) -> &[u8] {
        match self {
            Numbers::F32(bytes) | Numbers::F16(bytes) | Numbers::Bf16(bytes) | Numbers::Int8 { bytes, .. } => bytes,
        }
    }

    /// The same meaning of other bytes.
    pub(in crate::network::encoder) fn with_bytes<'other>(&self, bytes: Cow<'other, [u8]>) -> Numbers<'other> {
        match self {
            Numbers::F32(_) => Numbers::F32(bytes),
            Numbers::F16(_) => Numbers::F16(bytes),
            Numbers::Bf16(_) => Numbers::Bf16(bytes),
            Numbers::Int8 { signed, scales, zeros, .. } => {
                Numbers::Int8 { bytes, signed: *signed, scales: scales.clone(), zeros: zeros.clone() }
            }
        }
    }
}
