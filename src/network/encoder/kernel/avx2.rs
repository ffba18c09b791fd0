//! Products with registers of 256 bits: f32 and bf16 (FMA), 8 bits with AVX2 alone (exact: widened to 16 bits) and with AVX-VNNI.
//!
//! A panel's 32 columns are done in blocks of 16 (8 for 8 bits without VNNI), which with six rows fills the 16 registers.

#![allow(unsafe_code, reason = "kernels read and write through pointers; `Tile` states what they may touch")]

use std::arch::asm;
use std::arch::x86_64::*;

use super::block::kernel;
use super::tile::{PANEL, Tile};

/// Rows that are worked on together.
const ROWS: usize = 6;
/// Columns of a block: two registers.
const COLUMNS: usize = 16;

/// Writes a block's numbers, as far as the tile has its columns.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn write(tile: &Tile, row: usize, block: usize, numbers: [__m256; 2]) {
    let column = COLUMNS * block;
    let place = tile.out.wrapping_add(row * tile.out_stride + column);
    // SAFETY: the output has the columns that are written.
    unsafe {
        if column + COLUMNS <= tile.columns {
            _mm256_storeu_ps(place, numbers[0]);
            _mm256_storeu_ps(place.add(8), numbers[1]);
        } else {
            let mut all = [0.0; COLUMNS];
            _mm256_storeu_ps(all.as_mut_ptr(), numbers[0]);
            _mm256_storeu_ps(all.as_mut_ptr().add(8), numbers[1]);
            place.copy_from_nonoverlapping(all.as_ptr(), tile.columns.saturating_sub(column));
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn store(tile: &Tile, row: usize, block: usize, sums: [__m256; 2]) {
    // SAFETY: the bias has 32 numbers.
    unsafe {
        let bias = tile.bias.add(COLUMNS * block);
        let low = _mm256_add_ps(sums[0], _mm256_loadu_ps(bias));
        write(tile, row, block, [low, _mm256_add_ps(sums[1], _mm256_loadu_ps(bias.add(8)))]);
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn store_scaled(tile: &Tile, row: usize, block: usize, sums: [__m256i; 2]) {
    let scales = &tile.scales;
    // SAFETY: the scales have one number a row or 32 numbers.
    unsafe {
        let zero = _mm256_set1_epi32(*scales.row_zeros.add(row));
        let scale = _mm256_set1_ps(*scales.row_scales.add(row));
        let scaled = |half: usize| {
            let column = COLUMNS * block + 8 * half;
            let totals = _mm256_loadu_si256(scales.column_totals.add(column).cast());
            let whole = _mm256_sub_epi32(sums[half], _mm256_mullo_epi32(zero, totals));
            let both = _mm256_mul_ps(scale, _mm256_loadu_ps(scales.column_scales.add(column)));
            _mm256_fmadd_ps(_mm256_cvtepi32_ps(whole), both, _mm256_loadu_ps(tile.bias.add(column)))
        };
        write(tile, row, block, [scaled(0), scaled(1)]);
    }
}

kernel!(
    /// f32.
    float,
    "avx2,fma",
    lanes: 8, rows: 6, 1, 2, 3, 4, 5;
    __m256,
    _mm256_setzero_ps(),
    |b: *const u32| _mm256_loadu_ps(b.cast()),
    |a: *const u8| _mm256_set1_ps(a.cast::<f32>().read_unaligned()),
    |sum, word, weights| _mm256_fmadd_ps(word, weights, sum),
    store
);

kernel!(
    /// bf16: two f32 products a step.
    half,
    "avx2,fma",
    lanes: 8, rows: 6, 1, 2, 3, 4, 5;
    __m256,
    _mm256_setzero_ps(),
    |b: *const u32| _mm256_loadu_si256(b.cast()),
    |a: *const u8| _mm256_set1_epi32(a.cast::<i32>().read_unaligned()),
    |sum, word: __m256i, weights: __m256i| {
        let low = |bits| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits));
        let high = |bits| _mm256_castsi256_ps(_mm256_and_si256(bits, _mm256_set1_epi32(-65536)));
        _mm256_fmadd_ps(high(word), high(weights), _mm256_fmadd_ps(low(word), low(weights), sum))
    },
    store
);

kernel!(
    /// 8 bits with AVX-VNNI, four a step.
    vnni_byte,
    "avx2,fma,avxvnni",
    lanes: 8, rows: 6, 1, 2, 3, 4, 5;
    __m256i,
    _mm256_setzero_si256(),
    |b: *const u32| _mm256_loadu_si256(b.cast()),
    |a: *const u8| _mm256_set1_epi32(a.cast::<i32>().read_unaligned()),
    |sum, word, weights| _mm256_dpbusd_avx_epi32(sum, word, weights),
    store_scaled
);

/// 8 bits without VNNI. `vpmaddubsw` would saturate, so rows and weights are widened to 16 bits: the rows once a panel, the
/// weights as they are loaded. A sum is in two halves until the end.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn byte(tile: &Tile) {
    let mut wide = vec![0_u64; ROWS * tile.words];
    for tile in tile.panels() {
        // SAFETY: as the caller states.
        unsafe { byte_panel(&tile, &mut wide) };
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn byte_panel(tile: &Tile, wide: &mut [u64]) {
    let mut first = 0;
    while first < tile.rows {
        let rows = (tile.rows - first).min(ROWS);
        // SAFETY: rows and steps are within what the tile states.
        unsafe {
            for row in 0..rows {
                let from = tile.a.add((first + row) * tile.a_stride);
                for step in 0..tile.words {
                    let word = from.cast::<u32>().add(step).read_unaligned().cast_signed();
                    let widened = _mm_cvtepu8_epi16(_mm_cvtsi32_si128(word));
                    wide[row * tile.words + step] = _mm_cvtsi128_si64(widened).cast_unsigned();
                }
            }
            match rows {
                ROWS => wide_rows::<ROWS>(tile, first, wide),
                1 => wide_rows::<1>(tile, first, wide),
                2 => wide_rows::<2>(tile, first, wide),
                3 => wide_rows::<3>(tile, first, wide),
                4 => wide_rows::<4>(tile, first, wide),
                _ => wide_rows::<5>(tile, first, wide),
            }
        }
        first += rows;
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn wide_rows<const N: usize>(tile: &Tile, first: usize, wide: &[u64]) {
    let mut whole = [[0_i32; PANEL]; N];
    // SAFETY: steps, rows and columns are within what the tile states; `wide` has a word for each step of N rows.
    unsafe {
        for block in 0..PANEL / 8 {
            let mut sums = [[_mm256_setzero_si256(); 2]; N];
            let mut b = tile.b.add(8 * block);
            let pointers: [*const u64; N] = std::array::from_fn(|row| wide.as_ptr().wrapping_add(row * tile.words));
            for step in 0..tile.words {
                let left = _mm256_cvtepi8_epi16(_mm_loadu_si128(b.cast()));
                let right = _mm256_cvtepi8_epi16(_mm_loadu_si128(b.add(4).cast()));
                for row in 0..N {
                    let word = _mm256_set1_epi64x((*pointers[row].add(step)).cast_signed());
                    sums[row][0] = _mm256_add_epi32(sums[row][0], _mm256_madd_epi16(word, left));
                    sums[row][1] = _mm256_add_epi32(sums[row][1], _mm256_madd_epi16(word, right));
                }
                b = b.wrapping_add(tile.b_stride);
                asm!("", options(nomem, nostack, preserves_flags));
            }
            for row in 0..N {
                // [a0 a1 a2 a3] and [b0 b1 b2 b3] in halves: added in pairs and put in order.
                let pairs = _mm256_hadd_epi32(sums[row][0], sums[row][1]);
                let ordered = _mm256_permute4x64_epi64::<0b11_01_10_00>(pairs);
                _mm256_storeu_si256(whole[row].as_mut_ptr().add(8 * block).cast(), ordered);
            }
        }
        for (row, whole) in whole.iter().enumerate() {
            for block in 0..PANEL / COLUMNS {
                let half = |at: usize| _mm256_loadu_si256(whole.as_ptr().add(COLUMNS * block + 8 * at).cast());
                store_scaled(tile, first + row, block, [half(0), half(1)]);
            }
        }
    }
}
