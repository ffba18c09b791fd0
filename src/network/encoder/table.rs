//! Vectors that tokens choose from: embeddings of words, positions and types. They are kept as the file has them, since a text
//! reads a few of many.

use std::borrow::Cow;

use super::bytes::Bytes;
use super::weights::Tensor;

/// A table of vectors.
#[derive(Debug)]
pub(super) struct Table {
    rows: usize,
    /// The tensor without its numbers.
    tensor: Tensor<'static>,
    numbers: Bytes,
}

impl Table {
    /// The vectors of a tensor `[rows, width]`, copied.
    pub fn new(tensor: &Tensor<'_>) -> Self {
        let numbers = tensor.numbers.with_bytes(Cow::Borrowed(&[]));
        let kept = Tensor { shape: tensor.shape.clone(), numbers, transposed: tensor.transposed };
        Table { rows: tensor.shape[0], tensor: kept, numbers: Bytes::from(tensor.numbers.bytes()) }
    }

    /// How many vectors there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Writes a vector; the caller has checked that there is one.
    pub fn read(&self, row: usize, to: &mut [f32]) {
        self.tensor.read_from(&self.numbers, row, to);
    }
}
