//! Vectors that tokens choose from: embeddings of words, positions and types. They are kept as the file has them, since a text
//! reads a few of many.

use super::weights::{Numbers, Tensor};

/// A table of vectors.
#[derive(Debug)]
pub(super) struct Table {
    rows: usize,
    tensor: Tensor<'static>,
}

impl Table {
    /// The vectors of a tensor `[rows, width]`, copied.
    pub fn new(tensor: &Tensor<'_>) -> Self {
        let owned = |bytes: &[u8]| bytes.to_vec().into();
        let numbers = match &tensor.numbers {
            Numbers::F32(bytes) => Numbers::F32(owned(bytes)),
            Numbers::F16(bytes) => Numbers::F16(owned(bytes)),
            Numbers::Bf16(bytes) => Numbers::Bf16(owned(bytes)),
            Numbers::Int8 { bytes, signed, scales, zeros } => {
                Numbers::Int8 { bytes: owned(bytes), signed: *signed, scales: scales.clone(), zeros: zeros.clone() }
            }
        };
        let tensor = Tensor { shape: tensor.shape.clone(), numbers, transposed: tensor.transposed };
        Table { rows: tensor.shape[0], tensor }
    }

    /// How many vectors there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Writes a vector; the caller has checked that there is one.
    pub fn read(&self, row: usize, to: &mut [f32]) {
        self.tensor.read(row, to);
    }
}
