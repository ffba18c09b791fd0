//! Matrices of bf16 for attention: rows, and second factors whose words hold two numbers of a column.

#![allow(unsafe_code, reason = "kernels are called with pointers into buffers whose sizes are checked here")]

use super::aligned::Aligned;
use super::product::{Cell, NO_BIAS};
use super::tile::{PANEL, ROW_BLOCK, STEP_BYTES, Scales, Tile};
use super::transpose::transpose_words;
use super::{Kernels, Strided};

/// Numbers that the length of a row is a multiple of.
const STEP: usize = STEP_BYTES / 2;

/// A matrix of bf16, of which the memory is used again.
#[derive(Debug, Default)]
pub(in crate::network::encoder) struct Halves {
    numbers: Aligned<u16>,
    words: Aligned<u32>,
    /// Numbers of a row, filled up.
    length: usize,
}

impl Halves {
    /// Rows of a first factor: `rows` rows of `width` numbers times `scale`.
    pub fn rows(&mut self, kernels: &Kernels, source: Strided<'_>, [rows, width]: [usize; 2], scale: f32) {
        self.length = width.next_multiple_of(STEP);
        self.numbers.resize(rows.next_multiple_of(ROW_BLOCK) * self.length);
        for (row, to) in self.numbers.chunks_exact_mut(self.length).take(rows).enumerate() {
            kernels.narrow_scaled(&source.numbers[row * source.stride..][..width], scale, &mut to[..width]);
            to[width..].fill(0);
        }
    }

    /// A second factor whose columns are the rows of `source`: keys.
    pub fn columns_of_rows(&mut self, kernels: &Kernels, source: Strided<'_>, [rows, width]: [usize; 2]) {
        self.rows(kernels, source, [rows, width], 1.0);
        let words = self.length / 2;
        let stride = rows.next_multiple_of(PANEL);
        self.words.resize(words * stride);
        // SAFETY: all bits of u32 are values, and the numbers lie at a multiple of 64 bytes.
        let (_, pairs, _) = unsafe { self.numbers.align_to::<u32>() };
        transpose_words(kernels, pairs, [rows, words], &mut self.words, stride);
    }

    /// A second factor with the rows of `source` as they are: values. Two rows share a row of words.
    pub fn pairs_of_rows(&mut self, kernels: &Kernels, source: Strided<'_>, [rows, width]: [usize; 2]) {
        let stride = width.next_multiple_of(PANEL);
        self.length = rows.next_multiple_of(STEP);
        self.words.resize(self.length / 2 * stride);
        self.numbers.resize(2 * stride);
        let (low, high) = self.numbers.split_at_mut(stride);
        for (pair, words) in self.words.chunks_exact_mut(stride).enumerate() {
            for (half, numbers) in [&mut *low, &mut *high].into_iter().enumerate() {
                let row = 2 * pair + half;
                if row < rows {
                    kernels.narrow(&source.numbers[row * source.stride..][..width], &mut numbers[..width]);
                } else {
                    numbers.fill(0);
                }
            }
            let numbers = low.iter().zip(high.iter());
            words
                .iter_mut()
                .zip(numbers)
                .for_each(|(word, (low, high))| *word = u32::from(*low) | u32::from(*high) << 16);
        }
    }

    /// `out = self·b`, where this has rows and `b` is a second factor.
    pub fn multiply(&self, kernels: &Kernels, b: &Halves, out: &mut Cell<'_>) {
        assert!(self.length == b.length, "the factors have one length");
        let (words, stride) = (self.length / 2, out.columns.next_multiple_of(PANEL));
        assert!(self.numbers.len() >= out.rows.next_multiple_of(ROW_BLOCK) * self.length, "rows of the first factor");
        assert!(b.words.len() >= words * stride, "columns of the second factor");
        let tile = Tile {
            a: self.numbers.as_ptr().cast(),
            a_stride: 2 * self.length,
            rows: out.rows,
            b: b.words.as_ptr(),
            b_stride: stride,
            panel_stride: PANEL,
            words,
            out: out.first,
            out_stride: out.stride,
            columns: out.columns,
            bias: NO_BIAS.as_ptr(),
            bias_step: 0,
            scales: Scales::NONE,
        };
        // SAFETY: the sizes were checked above, and the cell is nobody else's.
        unsafe { (kernels.half)(&tile) };
    }
}
