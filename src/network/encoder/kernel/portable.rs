//! Products without any special instruction: the meaning of all other kernels.

#![allow(unsafe_code, reason = "kernels read and write through pointers; `Tile` states what they may touch")]

use super::tile::{PANEL, Tile};
use super::vector::fused;

/// The numbers of one row, from sums to results.
#[inline(always)]
unsafe fn store(tile: &Tile, row: usize, sums: &[f32; PANEL]) {
    // SAFETY: the tile's bias has 32 numbers, its output `columns` in each of its rows.
    unsafe {
        for (column, sum) in sums.iter().enumerate().take(tile.columns) {
            *tile.out.add(row * tile.out_stride + column) = sum + *tile.bias.add(column);
        }
    }
}

/// f32.
pub(super) unsafe fn float(tile: &Tile) {
    // SAFETY: as the caller states.
    tile.panels().for_each(|tile| unsafe { float_panel(&tile) });
}

unsafe fn float_panel(tile: &Tile) {
    for row in 0..tile.rows {
        let mut sums = [0.0; PANEL];
        for step in 0..tile.words {
            // SAFETY: `step` is below the tile's steps and `row` below its rows.
            let (a, b) = unsafe {
                let a = tile.a.add(row * tile.a_stride).cast::<f32>().add(step).read_unaligned();
                (a, &*tile.b.add(step * tile.b_stride).cast::<[f32; PANEL]>())
            };
            for column in 0..PANEL {
                sums[column] = fused(a, b[column], sums[column]);
            }
        }
        // SAFETY: as the caller states.
        unsafe { store(tile, row, &sums) };
    }
}

/// bf16: each product of two numbers is exact in f32.
pub(super) unsafe fn half(tile: &Tile) {
    // SAFETY: as the caller states.
    tile.panels().for_each(|tile| unsafe { half_panel(&tile) });
}

unsafe fn half_panel(tile: &Tile) {
    let (low, high) = (|word: u32| f32::from_bits(word << 16), |word: u32| f32::from_bits(word & 0xffff_0000));
    for row in 0..tile.rows {
        let mut sums = [0.0; PANEL];
        for step in 0..tile.words {
            // SAFETY: as in `float`.
            let (a, b) = unsafe {
                let a = tile.a.add(row * tile.a_stride).cast::<u32>().add(step).read_unaligned();
                (a, &*tile.b.add(step * tile.b_stride).cast::<[u32; PANEL]>())
            };
            for column in 0..PANEL {
                let sum = fused(low(a), low(b[column]), sums[column]);
                sums[column] = fused(high(a), high(b[column]), sum);
            }
        }
        // SAFETY: as the caller states.
        unsafe { store(tile, row, &sums) };
    }
}

/// Unsigned 8-bit rows, signed 8-bit weights, exact sums.
pub(super) unsafe fn byte(tile: &Tile) {
    // SAFETY: as the caller states.
    tile.panels().for_each(|tile| unsafe { byte_panel(&tile) });
}

unsafe fn byte_panel(tile: &Tile) {
    for row in 0..tile.rows {
        let mut sums = [0_i32; PANEL];
        for step in 0..tile.words {
            // SAFETY: as in `float`.
            let (a, b) = unsafe {
                let a = tile.a.add(row * tile.a_stride).cast::<[u8; 4]>().add(step).read_unaligned();
                (a, &*tile.b.add(step * tile.b_stride).cast::<[[i8; 4]; PANEL]>())
            };
            for column in 0..PANEL {
                for at in 0..4 {
                    sums[column] += i32::from(a[at]) * i32::from(b[column][at]);
                }
            }
        }
        // SAFETY: as the caller states.
        unsafe { store_scaled(tile, row, &sums) };
    }
}

/// As `store`, from whole sums.
///
/// # Safety
/// As for a [`super::tile::Product`] of 8-bit numbers.
#[allow(clippy::cast_precision_loss, reason = "the result is a float32")]
pub(super) unsafe fn store_scaled(tile: &Tile, row: usize, sums: &[i32; PANEL]) {
    let scales = &tile.scales;
    // SAFETY: the scales have one number a row or 32 numbers, as the tile states.
    unsafe {
        let (zero, scale) = (*scales.row_zeros.add(row), *scales.row_scales.add(row));
        for (column, sum) in sums.iter().enumerate().take(tile.columns) {
            let whole = sum - zero * *scales.column_totals.add(column);
            let number = fused(whole as f32, scale * *scales.column_scales.add(column), *tile.bias.add(column));
            *tile.out.add(row * tile.out_stride + column) = number;
        }
    }
}
