//! Rows to columns, as a product wants its second factor.

#![allow(unsafe_code, reason = "registers are loaded and stored through pointers")]

use super::{Kernels, Level, Strided};

/// Rows and columns that are turned at a time.
const BLOCK: usize = 8;

/// `out[column][row] = source[row][column]·scale` for `rows` rows of `columns` numbers. Rows of `out` have `stride` numbers.
pub(in crate::network::encoder) fn transpose(
    kernels: &Kernels,
    source: Strided<'_>,
    [rows, columns]: [usize; 2],
    scale: f32,
    out: &mut [f32],
    stride: usize,
) {
    assert!(rows == 0 || source.numbers.len() >= (rows - 1) * source.stride + columns, "rows of the source");
    assert!(columns == 0 || (out.len() >= (columns - 1) * stride + rows && stride >= rows), "room for the columns");
    let whole = |count: usize| if has_blocks(kernels.level) { count / BLOCK * BLOCK } else { 0 };
    let (whole_rows, whole_columns) = (whole(rows), whole(columns));
    for row in (0..whole_rows).step_by(BLOCK) {
        for column in (0..whole_columns).step_by(BLOCK) {
            let from = &source.numbers[row * source.stride + column..];
            let to = &mut out[column * stride + row..];
            // SAFETY: the sizes were checked above; the level has the instructions.
            unsafe { block(from.as_ptr(), source.stride, scale, to.as_mut_ptr(), stride) };
        }
    }
    for row in 0..rows {
        for column in if row < whole_rows { whole_columns } else { 0 }..columns {
            out[column * stride + row] = source.numbers[row * source.stride + column] * scale;
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_blocks(level: Level) -> bool {
    level != Level::Portable
}

#[cfg(not(target_arch = "x86_64"))]
fn has_blocks(_: Level) -> bool {
    false
}

/// Eight rows of eight numbers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn block(from: *const f32, from_stride: usize, scale: f32, to: *mut f32, to_stride: usize) {
    use std::arch::x86_64::*;
    // SAFETY: the caller answers for the rows.
    unsafe {
        let load = |row: usize| _mm256_mul_ps(_mm256_loadu_ps(from.add(row * from_stride)), _mm256_set1_ps(scale));
        store_columns([load(0), load(1), load(2), load(3), load(4), load(5), load(6), load(7)], to, to_stride);
    }
}

/// Stores the columns of eight rows.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store_columns(rows: [std::arch::x86_64::__m256; 8], to: *mut f32, to_stride: usize) {
    use std::arch::x86_64::*;
    // Pairs of rows are mixed by numbers, then by pairs of numbers, then by halves of registers.
    let a = [0, 2, 4, 6].map(|at| _mm256_unpacklo_ps(rows[at], rows[at + 1]));
    let b = [0, 2, 4, 6].map(|at| _mm256_unpackhi_ps(rows[at], rows[at + 1]));
    let c = [0, 2].map(|at| _mm256_shuffle_ps::<0b01_00_01_00>(a[at], a[at + 1]));
    let d = [0, 2].map(|at| _mm256_shuffle_ps::<0b11_10_11_10>(a[at], a[at + 1]));
    let e = [0, 2].map(|at| _mm256_shuffle_ps::<0b01_00_01_00>(b[at], b[at + 1]));
    let f = [0, 2].map(|at| _mm256_shuffle_ps::<0b11_10_11_10>(b[at], b[at + 1]));
    for (column, [low, high]) in [c, d, e, f].into_iter().enumerate() {
        // SAFETY: the caller answers for the columns.
        unsafe {
            _mm256_storeu_ps(to.add(column * to_stride), _mm256_permute2f128_ps::<0x20>(low, high));
            _mm256_storeu_ps(to.add((column + 4) * to_stride), _mm256_permute2f128_ps::<0x31>(low, high));
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn block(_: *const f32, _: usize, _: f32, _: *mut f32, _: usize) {}
