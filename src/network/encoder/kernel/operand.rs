//! Rows of numbers in the format in which they meet weights.

#![allow(unsafe_code, reason = "rows are written by several threads")]

use super::aligned::Aligned;
use super::gang::Shared;
use super::tile::{ROW_BLOCK, STEP_BYTES};
use super::{Format, Gang, Kernels};

/// Rows that are one unit of work.
const ROWS_PER_UNIT: usize = 4;

/// Rows, each a multiple of 64 bytes long and filled up with zeros.
#[derive(Debug)]
pub(in crate::network::encoder) struct Operand {
    pub(super) format: Format,
    pub(super) rows: usize,
    /// Bytes of a row.
    pub(super) stride: usize,
    data: Aligned<u8>,
    /// What a row's 8-bit numbers mean: scale and zero.
    pub(super) scales: Vec<f32>,
    pub(super) zeros: Vec<i32>,
}

impl Operand {
    /// No rows, in this format.
    pub fn new(format: Format) -> Self {
        Operand { format, rows: 0, stride: 0, data: Aligned::default(), scales: Vec::new(), zeros: Vec::new() }
    }

    /// Takes the first `width` of each `stride` numbers of `source` as a row.
    pub fn fill(&mut self, kernels: &Kernels, gang: Gang<'_>, source: &[f32], width: usize, stride: usize) {
        let rows = source.len().div_ceil(stride);
        self.rows = rows;
        self.stride = (width * 4 / self.format.per_word()).next_multiple_of(STEP_BYTES);
        self.data.resize(rows.next_multiple_of(ROW_BLOCK) * self.stride);
        self.scales.resize(rows, 0.0);
        self.zeros.resize(rows, 0);
        let (format, length) = (self.format, self.stride);
        let (data, scales, zeros) =
            (Shared::new(&mut self.data), Shared::new(&mut self.scales), Shared::new(&mut self.zeros));
        gang.each(rows.div_ceil(ROWS_PER_UNIT), &|unit| {
            for row in unit * ROWS_PER_UNIT..((unit + 1) * ROWS_PER_UNIT).min(rows) {
                // SAFETY: a row belongs to one unit.
                let (bytes, scale, zero) =
                    unsafe { (data.part(row * length, length), scales.part(row, 1), zeros.part(row, 1)) };
                let numbers = &source[row * stride..row * stride + width];
                match format {
                    Format::Float => numbers_of::<f32>(bytes)[..width].copy_from_slice(numbers),
                    Format::Half => kernels.narrow(numbers, &mut numbers_of::<u16>(bytes)[..width]),
                    Format::Byte => (scale[0], zero[0]) = kernels.quantise(numbers, &mut bytes[..width]),
                }
                let used = width * 4 / format.per_word();
                bytes[used..].fill(0);
            }
        });
    }

    /// Where the first row begins.
    pub(super) fn pointer(&self) -> *const u8 {
        self.data.as_ptr()
    }
}

/// The bytes of a row as numbers.
fn numbers_of<T: super::aligned::Plain>(bytes: &mut [u8]) -> &mut [T] {
    // SAFETY: all bits of T are values; rows begin at multiples of 64 bytes, so nothing is left out.
    let (before, numbers, after) = unsafe { bytes.align_to_mut::<T>() };
    debug_assert!(before.is_empty() && after.is_empty());
    numbers
}
