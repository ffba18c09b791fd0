//! Products of rows with rows, with the kernels of this processor: the encoder's door for what compares vectors.

use super::kernel::{Cell, Kernels, Level, PANEL, Strided, multiply, transpose};
use crate::error::Result;

/// Numbers of a block of products, which is to stay in the first cache beside the rows that make it.
const BLOCK: usize = 4096;
/// Rows that a block has a multiple of: what the kernels take together.
const ROWS: usize = 12;

/// Rows that many others are multiplied with.
#[derive(Debug)]
pub struct Rows {
    kernels: Kernels,
    count: usize,
    dimensions: usize,
    /// The rows as columns, in whole panels.
    columns: Vec<f32>,
    /// Numbers from one dimension's to the next.
    stride: usize,
}

impl Rows {
    /// Rows of `dimensions` numbers each, one behind the other.
    ///
    /// # Errors
    /// [`crate::Error::InvalidArgument`] where `VECRANK_CPU` names what the processor does not have.
    pub fn new(numbers: &[f32], dimensions: usize) -> Result<Self> {
        let kernels = Kernels::of(Level::chosen()?);
        let count = numbers.len().checked_div(dimensions).unwrap_or(0);
        let stride = count.next_multiple_of(PANEL);
        let mut columns = vec![0.0; dimensions * stride];
        let source = Strided { numbers, stride: dimensions };
        transpose(&kernels, source, [count, dimensions], 1.0, &mut columns, stride);
        Ok(Rows { kernels, count, dimensions, columns, stride })
    }

    /// How many rows there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Numbers of a row.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The dot products of each row of `others` with all of these rows: one slice a row of `others`, in their order. Sums are
    /// made in f32, from the first dimension to the last.
    pub fn products(&self, others: &[f32], mut each: impl FnMut(&[f32])) {
        if self.count == 0 || self.dimensions == 0 {
            return;
        }
        let rows = (BLOCK / self.count / ROWS).max(1) * ROWS;
        let mut block = vec![0.0; rows * self.count];
        for others in others.chunks(rows * self.dimensions) {
            let found = &mut block[..others.len() / self.dimensions * self.count];
            let columns = Strided { numbers: &self.columns, stride: self.stride };
            let others = Strided { numbers: others, stride: self.dimensions };
            multiply(&self.kernels, others, columns, self.dimensions, &mut Cell::of(found, self.count));
            found.chunks_exact(self.count).for_each(&mut each);
        }
    }
}
