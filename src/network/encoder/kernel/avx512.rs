//! Products with registers of 512 bits: f32, bf16 (AVX512_BF16) and 8 bits (AVX512_VNNI).
//!
//! A block of twelve rows and 32 columns has 24 sums in registers, which leaves room for the weights of a step.

#![allow(unsafe_code, reason = "kernels read and write through pointers; `Tile` states what they may touch")]

use std::arch::x86_64::*;

use super::block::kernel;
use super::tile::Tile;

/// The lowest `columns` bits of two halves.
#[inline]
fn masks(columns: usize) -> [u16; 2] {
    let all = u32::MAX >> (32 - columns);
    #[allow(clippy::cast_possible_truncation, reason = "the lower half")]
    [all as u16, (all >> 16) as u16]
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn store(tile: &Tile, row: usize, sums: [__m512; 2]) {
    let masks = masks(tile.columns);
    for half in 0..2 {
        // SAFETY: the bias has 32 numbers; what the mask leaves out is not written.
        unsafe {
            let number = _mm512_add_ps(sums[half], _mm512_loadu_ps(tile.bias.add(16 * half)));
            let place = tile.out.wrapping_add(row * tile.out_stride + 16 * half);
            _mm512_mask_storeu_ps(place, masks[half], number);
        }
    }
}

/// Writes a row's whole sums as floats.
///
/// # Safety
/// As for a [`super::tile::Product`] of 8-bit numbers.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn store_scaled(tile: &Tile, row: usize, sums: [__m512i; 2]) {
    let (masks, scales) = (masks(tile.columns), &tile.scales);
    // SAFETY: the scales have one number a row or 32 numbers; what the mask leaves out is not written.
    unsafe {
        let zero = _mm512_set1_epi32(*scales.row_zeros.add(row));
        let scale = _mm512_set1_ps(*scales.row_scales.add(row));
        for half in 0..2 {
            let totals = _mm512_loadu_si512(scales.column_totals.add(16 * half).cast());
            let whole = _mm512_sub_epi32(sums[half], _mm512_mullo_epi32(zero, totals));
            let both = _mm512_mul_ps(scale, _mm512_loadu_ps(scales.column_scales.add(16 * half)));
            let bias = _mm512_loadu_ps(tile.bias.add(16 * half));
            let number = _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole), both, bias);
            let place = tile.out.wrapping_add(row * tile.out_stride + 16 * half);
            _mm512_mask_storeu_ps(place, masks[half], number);
        }
    }
}

kernel!(
    /// f32.
    float,
    "avx512f",
    lanes: 16, rows: 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;
    __m512,
    _mm512_setzero_ps(),
    |b: *const u32| _mm512_loadu_ps(b.cast()),
    |a: *const u8| _mm512_set1_ps(a.cast::<f32>().read_unaligned()),
    |sum, word, weights| _mm512_fmadd_ps(word, weights, sum),
    |tile, row, _, sums| store(tile, row, sums)
);

kernel!(
    /// bf16, two a step. Denormal numbers count as 0.
    half,
    "avx512f,avx512bf16",
    lanes: 16, rows: 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;
    __m512,
    _mm512_setzero_ps(),
    |b: *const u32| _mm512_loadu_si512(b.cast()),
    |a: *const u8| _mm512_set1_epi32(a.cast::<i32>().read_unaligned()),
    |sum, word: __m512i, weights: __m512i| _mm512_dpbf16_ps(
        sum,
        std::mem::transmute::<__m512i, __m512bh>(word),
        std::mem::transmute::<__m512i, __m512bh>(weights)
    ),
    |tile, row, _, sums| store(tile, row, sums)
);

kernel!(
    /// bf16 without an instruction for it: two f32 products a step.
    widened_half,
    "avx512f",
    lanes: 16, rows: 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;
    __m512,
    _mm512_setzero_ps(),
    |b: *const u32| _mm512_loadu_si512(b.cast()),
    |a: *const u8| _mm512_set1_epi32(a.cast::<i32>().read_unaligned()),
    |sum, word: __m512i, weights: __m512i| {
        let low = |bits| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits));
        let high = |bits| _mm512_castsi512_ps(_mm512_and_si512(bits, _mm512_set1_epi32(-65536)));
        _mm512_fmadd_ps(high(word), high(weights), _mm512_fmadd_ps(low(word), low(weights), sum))
    },
    |tile, row, _, sums| store(tile, row, sums)
);

kernel!(
    /// 8 bits, four a step.
    byte,
    "avx512f,avx512vnni",
    lanes: 16, rows: 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;
    __m512i,
    _mm512_setzero_si512(),
    |b: *const u32| _mm512_loadu_si512(b.cast()),
    |a: *const u8| _mm512_set1_epi32(a.cast::<i32>().read_unaligned()),
    |sum, word, weights| _mm512_dpbusd_epi32(sum, word, weights),
    |tile, row, _, sums| store_scaled(tile, row, sums)
);
