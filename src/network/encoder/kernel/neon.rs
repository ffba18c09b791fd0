//! Products with NEON: f32; bf16 with BFDOT or widened to f32; 8 bits, exact, with USMMLA and SUDOT, with SDOT, or widened to
//! 16 bits.
//!
//! Rows stay in registers for some steps, a word a lane, and instructions take the lane they need. So a block is as many rows
//! and columns as 32 registers hold with it. Few rows take more columns, as each sum waits for the one before it.
//!
//! Rust has no stable intrinsics for the products of bytes and of bf16, so these instructions are assembly.

#![allow(unsafe_code, reason = "kernels read and write through pointers; `Tile` states what they may touch")]

use std::arch::aarch64::*;
use std::arch::asm;
use std::hint::black_box;

use super::tile::{Scales, Tile};

/// A product from its parts. A *unit* is what the weights of one step are loaded for at a time.
///
/// - `blocks`: rows and units that are worked on together; the first is for most rows, the others for what is left
/// - `unit`: columns of a unit, what loads its weights, what its sums are and how they are at first
/// - `row`: words of a row that are loaded at a time, what loads them, and the lanes that they are in; `one` loads a last word,
///   where rows may have any number of words and not only a multiple of 16
/// - `step`: adds the products of a lane and a unit; `store` writes a unit's sums
macro_rules! kernel {
    (
        $(#[$meta:meta])* $name:ident, $features:literal,
        blocks: $most_rows:literal x $most_units:literal $(, $rows:literal x $units:literal)*;
        unit: $columns:literal, $weights:path, $sum:ty, $zero:expr;
        row: $words:literal, $row:path, $($lane:literal)*; $(one: $word:path;)?
        step: $step:ident, store: $store:path;
    ) => {
        $(#[$meta])*
        #[target_feature(enable = $features)]
        pub(super) unsafe fn $name(tile: &Tile) {
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn rows<const N: usize, const UNITS: usize>(tile: &Tile, first: usize) {
                // SAFETY: steps, rows and columns are within what the tile states.
                unsafe {
                    let mut column = 0;
                    while column < tile.columns {
                        let mut sums: [[$sum; UNITS]; N] = [[$zero; UNITS]; N];
                        let mut a = [tile.a.add(first * tile.a_stride); N];
                        for row in 1..N {
                            a[row] = a[row - 1].add(tile.a_stride);
                        }
                        let mut b = tile.b.add(column);
                        let mut step = 0;
                        while step + $words <= tile.words {
                            let mut words = [$row(a[0].add(4 * step)); N];
                            for row in 1..N {
                                words[row] = $row(a[row].add(4 * step));
                            }
                            $(
                                for unit in 0..UNITS {
                                    let weights = $weights(b.add(unit * $columns));
                                    for row in 0..N {
                                        sums[row][unit] = $step::<$lane>(sums[row][unit], weights, words[row]);
                                    }
                                }
                                b = b.wrapping_add(tile.b_stride);
                            )*
                            step += $words;
                        }
                        $(
                            while step < tile.words {
                                for unit in 0..UNITS {
                                    let weights = $weights(b.add(unit * $columns));
                                    for row in 0..N {
                                        let word = $word(a[row].add(4 * step));
                                        sums[row][unit] = $step::<0>(sums[row][unit], weights, word);
                                    }
                                }
                                b = b.wrapping_add(tile.b_stride);
                                step += 1;
                            }
                        )?
                        debug_assert!(step == tile.words);
                        // LLVM keeps them in memory where it does not unroll the loop below: from here on, and not before.
                        let sums = black_box(sums);
                        for row in 0..N {
                            for unit in 0..UNITS {
                                $store(tile, first + row, column + unit * $columns, sums[row][unit]);
                            }
                        }
                        column += UNITS * $columns;
                    }
                }
            }
            for tile in tile.panels() {
                let mut first = 0;
                // SAFETY: as the caller states.
                unsafe {
                    while first + $most_rows <= tile.rows {
                        rows::<$most_rows, $most_units>(&tile, first);
                        first += $most_rows;
                    }
                    match tile.rows - first {
                        $($rows => rows::<$rows, $units>(&tile, first),)*
                        rest => debug_assert!(rest == 0),
                    }
                }
            }
        }
    };
}

/// Writes four numbers, or as many as the tile has columns for.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn put(tile: &Tile, row: usize, column: usize, numbers: float32x4_t) {
    let place = tile.out.wrapping_add(row * tile.out_stride + column);
    // SAFETY: the output has so many columns.
    unsafe {
        if column + 4 <= tile.columns {
            vst1q_f32(place, numbers);
        } else if column < tile.columns {
            let mut four = [0.0; 4];
            vst1q_f32(four.as_mut_ptr(), numbers);
            place.copy_from_nonoverlapping(four.as_ptr(), tile.columns - column);
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
unsafe fn store(tile: &Tile, row: usize, column: usize, sums: float32x4_t) {
    // SAFETY: the bias has 32 numbers.
    unsafe { put(tile, row, column, vaddq_f32(sums, vld1q_f32(tile.bias.add(column)))) };
}

/// Writes sums of products with rows from which `SHIFT` was subtracted.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn store_shifted<const SHIFT: i32>(tile: &Tile, row: usize, column: usize, sums: int32x4_t) {
    let scales = &tile.scales;
    // SAFETY: the scales have one number a row or 32 numbers.
    unsafe {
        let zero = vdupq_n_s32(*scales.row_zeros.add(row) - SHIFT);
        let scale = vdupq_n_f32(*scales.row_scales.add(row));
        let whole = vmlsq_s32(sums, zero, vld1q_s32(scales.column_totals.add(column)));
        let both = vmulq_f32(scale, vld1q_f32(scales.column_scales.add(column)));
        put(tile, row, column, vfmaq_f32(vld1q_f32(tile.bias.add(column)), vcvtq_f32_s32(whole), both));
    }
}

#[inline]
#[target_feature(enable = "neon")]
unsafe fn store_two(tile: &Tile, row: usize, column: usize, sums: [int32x4_t; 2]) {
    // SAFETY: as above.
    unsafe {
        store_shifted::<0>(tile, row, column, sums[0]);
        store_shifted::<0>(tile, row, column + 4, sums[1]);
    }
}

/// Four words.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn four(words: *const u8) -> uint32x4_t {
    // SAFETY: the caller answers for the words; so below.
    unsafe { vreinterpretq_u32_u8(vld1q_u8(words)) }
}

/// One word, four times.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn one(word: *const u8) -> uint32x4_t {
    // SAFETY: as above.
    unsafe { vdupq_n_u32(word.cast::<u32>().read_unaligned()) }
}

/// Four columns.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn columns(b: *const u32) -> uint32x4_t {
    // SAFETY: as above.
    unsafe { vld1q_u32(b) }
}

#[inline]
#[target_feature(enable = "neon")]
fn fused<const LANE: i32>(sums: float32x4_t, weights: uint32x4_t, row: uint32x4_t) -> float32x4_t {
    vfmaq_laneq_f32::<LANE>(sums, vreinterpretq_f32_u32(weights), vreinterpretq_f32_u32(row))
}

kernel!(
    /// f32.
    float, "neon",
    blocks: 6 x 4, 5 x 4, 4 x 4, 3 x 8, 2 x 8, 1 x 8;
    unit: 4, columns, float32x4_t, vdupq_n_f32(0.0);
    row: 4, four, 0 1 2 3; one: one;
    step: fused, store: store;
);

/// A function for one instruction that adds products of the four columns' words and the row's word in a lane.
macro_rules! dot {
    ($name:ident, $features:literal, $sum:ty, $instruction:literal, $of_columns:literal, $of_row:literal) => {
        #[inline]
        #[target_feature(enable = $features)]
        fn $name<const LANE: i32>(mut sums: $sum, weights: uint32x4_t, row: uint32x4_t) -> $sum {
            // SAFETY: the instruction reads and writes registers only, and the function's callers have it.
            unsafe {
                asm!(
                    concat!($instruction, " {sums:v}.4s, {weights:v}.", $of_columns, ", {row:v}.", $of_row, "[{lane}]"),
                    sums = inout(vreg) sums, weights = in(vreg) weights, row = in(vreg) row, lane = const LANE,
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
            sums
        }
    };
}

dot!(bfdot, "neon,bf16", float32x4_t, "bfdot", "8h", "2h");
dot!(sudot, "neon,i8mm", int32x4_t, "sudot", "16b", "4b");
dot!(sdot, "neon,dotprod", int32x4_t, "sdot", "16b", "4b");

kernel!(
    /// bf16, two a step. Denormal numbers count as 0.
    half, "neon,bf16",
    blocks: 6 x 4, 5 x 4, 4 x 4, 3 x 8, 2 x 8, 1 x 8;
    unit: 4, columns, float32x4_t, vdupq_n_f32(0.0);
    row: 4, four, 0 1 2 3;
    step: bfdot, store: store;
);

kernel!(
    /// 8 bits, four a step, unsigned times signed.
    mixed_byte, "neon,i8mm",
    blocks: 6 x 4, 5 x 4, 4 x 4, 3 x 8, 2 x 8, 1 x 8;
    unit: 4, columns, int32x4_t, vdupq_n_s32(0);
    row: 4, four, 0 1 2 3;
    step: sudot, store: store_shifted::<0>;
);

/// The next two words of two rows: eight numbers of the one, then of the other.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn two_rows(words: *const u8, stride: usize) -> uint32x4_t {
    // SAFETY: the caller answers for the words. Rows of bytes begin at multiples of 64.
    unsafe {
        let one = vcombine_u64(vld1_u64(words.cast()), vcreate_u64(0));
        vreinterpretq_u32_u64(vld1q_lane_u64::<1>(words.wrapping_add(stride).cast(), one))
    }
}

/// Adds the products of two rows and two columns, eight numbers each: those of the first row come first.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn usmmla(mut sums: int32x4_t, rows: uint32x4_t, columns: uint32x4_t) -> int32x4_t {
    // SAFETY: as in `dot`.
    unsafe {
        asm!(
            "usmmla {sums:v}.4s, {rows:v}.16b, {columns:v}.16b",
            sums = inout(vreg) sums, rows = in(vreg) rows, columns = in(vreg) columns,
            options(nomem, nostack, preserves_flags),
        );
    }
    sums
}

/// Pairs of rows and 16 columns: an instruction does two rows, two columns and two steps, twice as much as SUDOT. To put two
/// steps of a column side by side takes some of that away.
#[inline]
#[target_feature(enable = "neon,i8mm")]
unsafe fn pairs<const PAIRS: usize>(tile: &Tile, first: usize) {
    debug_assert!(tile.words.is_multiple_of(2));
    for column in (0..tile.columns).step_by(16) {
        let mut sums = [[vdupq_n_s32(0); 8]; PAIRS];
        let mut a = tile.a.wrapping_add(first * tile.a_stride);
        let mut b = tile.b.wrapping_add(column);
        // SAFETY: steps, rows and columns are within what the tile states.
        unsafe {
            for _ in 0..tile.words / 2 {
                let mut words = [vdupq_n_u32(0); PAIRS];
                for (pair, words) in words.iter_mut().enumerate() {
                    *words = two_rows(a.add(2 * pair * tile.a_stride), tile.a_stride);
                }
                for unit in 0..4 {
                    let (one, other) = (columns(b.add(4 * unit)), columns(b.add(4 * unit + tile.b_stride)));
                    let (left, right) = (vzip1q_u32(one, other), vzip2q_u32(one, other));
                    for pair in 0..PAIRS {
                        sums[pair][2 * unit] = usmmla(sums[pair][2 * unit], words[pair], left);
                        sums[pair][2 * unit + 1] = usmmla(sums[pair][2 * unit + 1], words[pair], right);
                    }
                }
                a = a.wrapping_add(8);
                b = b.wrapping_add(2 * tile.b_stride);
            }
            let sums = black_box(sums);
            for pair in 0..PAIRS {
                for unit in 0..4 {
                    let (left, right) = (sums[pair][2 * unit], sums[pair][2 * unit + 1]);
                    let (left, right) = (vreinterpretq_s64_s32(left), vreinterpretq_s64_s32(right));
                    let rows = [vzip1q_s64(left, right), vzip2q_s64(left, right)];
                    for (row, sums) in rows.into_iter().enumerate() {
                        let row = first + 2 * pair + row;
                        store_shifted::<0>(tile, row, column + 4 * unit, vreinterpretq_s32_s64(sums));
                    }
                }
            }
        }
    }
}

/// 8 bits, eight a step, for rows in pairs; SUDOT for the last ones.
#[target_feature(enable = "neon,i8mm")]
pub(super) unsafe fn matrix_byte(tile: &Tile) {
    let (six, four) = (tile.rows / 6 * 6, if tile.rows % 6 < 4 { 0 } else { 4 });
    for tile in tile.panels() {
        // SAFETY: as the caller states.
        unsafe {
            for first in (0..six).step_by(6) {
                pairs::<3>(&tile, first);
            }
            if four > 0 {
                pairs::<2>(&tile, six);
            }
        }
    }
    let done = six + four;
    let rest = Tile {
        a: tile.a.wrapping_add(done * tile.a_stride),
        rows: tile.rows - done,
        out: tile.out.wrapping_add(done * tile.out_stride),
        scales: Scales {
            row_scales: tile.scales.row_scales.wrapping_add(done),
            row_zeros: tile.scales.row_zeros.wrapping_add(done),
            ..tile.scales
        },
        ..*tile
    };
    // SAFETY: the rows that are left.
    unsafe { mixed_byte(&rest) };
}

/// Four words of unsigned 8-bit numbers less 128, which are signed ones.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn four_signed(words: *const u8) -> uint32x4_t {
    // SAFETY: as the caller states; the instructions read and write registers only.
    unsafe {
        let mut words = four(words);
        // LLVM would keep the constant in a register, or load weights before this, and all registers are in use. So this is
        // assembly, and not `pure`.
        asm!(
            "movi {sign:v}.16b, #0x80", "eor {words:v}.16b, {words:v}.16b, {sign:v}.16b",
            words = inout(vreg) words, sign = out(vreg) _,
            options(nomem, nostack, preserves_flags),
        );
        words
    }
}

kernel!(
    /// 8 bits, four a step, signed times signed.
    signed_byte, "neon,dotprod",
    blocks: 6 x 4, 5 x 4, 4 x 4, 3 x 8, 2 x 8, 1 x 8;
    unit: 4, columns, int32x4_t, vdupq_n_s32(0);
    row: 4, four_signed, 0 1 2 3;
    step: sdot, store: store_shifted::<128>;
);

/// The lower and the upper bf16 of four columns.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn halves(b: *const u32) -> [float32x4_t; 2] {
    // SAFETY: as the caller states; so below.
    let words = unsafe { vld1q_u32(b) };
    let upper = vandq_u32(words, vdupq_n_u32(0xffff_0000));
    [vreinterpretq_f32_u32(vshlq_n_u32::<16>(words)), vreinterpretq_f32_u32(upper)]
}

/// Two words of bf16: four numbers.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn two_widened(words: *const u8) -> float32x4_t {
    // SAFETY: as above.
    unsafe { vreinterpretq_f32_u32(vshll_n_u16::<16>(vreinterpret_u16_u8(vld1_u8(words)))) }
}

#[inline]
#[target_feature(enable = "neon")]
fn fused_halves<const WORD: i32>(sums: float32x4_t, weights: [float32x4_t; 2], row: float32x4_t) -> float32x4_t {
    let [lower, upper] = weights;
    if WORD == 0 {
        vfmaq_laneq_f32::<1>(vfmaq_laneq_f32::<0>(sums, lower, row), upper, row)
    } else {
        vfmaq_laneq_f32::<3>(vfmaq_laneq_f32::<2>(sums, lower, row), upper, row)
    }
}

kernel!(
    /// bf16 without an instruction for it: two f32 products a step.
    widened_half, "neon",
    blocks: 8 x 2, 7 x 2, 6 x 2, 5 x 2, 4 x 4, 3 x 4, 2 x 8, 1 x 8;
    unit: 4, halves, float32x4_t, vdupq_n_f32(0.0);
    row: 2, two_widened, 0 1;
    step: fused_halves, store: store;
);

/// The weights of eight columns, one vector for each of a word's numbers.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn eight_columns(b: *const u32) -> [int16x8_t; 4] {
    // SAFETY: as the caller states; so below.
    let (low, high) = unsafe { (vld1q_s8(b.cast()), vld1q_s8(b.add(4).cast())) };
    // Numbers 0 and 2 of each word, in the lower and the upper half of 16 bits; likewise 1 and 3.
    let even = vreinterpretq_s16_s8(vuzp1q_s8(low, high));
    let odd = vreinterpretq_s16_s8(vuzp2q_s8(low, high));
    [
        vshrq_n_s16::<8>(vshlq_n_s16::<8>(even)),
        vshrq_n_s16::<8>(vshlq_n_s16::<8>(odd)),
        vshrq_n_s16::<8>(even),
        vshrq_n_s16::<8>(odd),
    ]
}

/// Two words of 8-bit numbers, widened.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn two_wide(words: *const u8) -> int16x8_t {
    // SAFETY: as above.
    unsafe { vreinterpretq_s16_u16(vmovl_u8(vld1_u8(words))) }
}

#[inline]
#[target_feature(enable = "neon")]
fn wide<const WORD: i32>(sums: [int32x4_t; 2], weights: [int16x8_t; 4], row: int16x8_t) -> [int32x4_t; 2] {
    macro_rules! products {
        ($($number:literal $lane:literal)*) => {{
            let [mut low, mut high] = sums;
            $(
                low = vmlal_laneq_s16::<$lane>(low, vget_low_s16(weights[$number]), row);
                high = vmlal_high_laneq_s16::<$lane>(high, weights[$number], row);
            )*
            [low, high]
        }};
    }
    if WORD == 0 { products!(0 0 1 1 2 2 3 3) } else { products!(0 4 1 5 2 6 3 7) }
}

kernel!(
    /// 8 bits without an instruction for four a step: widened to 16 bits, sums of 32.
    byte, "neon",
    blocks: 8 x 1, 7 x 1, 6 x 1, 5 x 1, 4 x 1, 3 x 2, 2 x 2, 1 x 4;
    unit: 8, eight_columns, [int32x4_t; 2], [vdupq_n_s32(0); 2];
    row: 2, two_wide, 0 1;
    step: wide, store: store_two;
);
