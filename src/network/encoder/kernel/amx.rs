//! Products with AMX: tiles of 16 rows and 64 bytes, 8 bits and bf16.
//!
//! A panel's words lie as AMX wants them: 16 columns of a step are a row of a tile. Rust has no stable intrinsics for AMX, so
//! the loops are assembly.

#![allow(unsafe_code, reason = "kernels read and write through pointers; `Tile` states what they may touch")]

use std::arch::asm;
use std::arch::x86_64::*;

use super::avx512::store_scaled;
use super::tile::Tile;

/// How the eight tiles are used: 16 rows of 64 bytes each.
#[repr(C, align(64))]
struct Configuration([u8; 64]);

static CONFIGURATION: Configuration = {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    let mut tile = 0;
    while tile < 8 {
        bytes[16 + 2 * tile] = 64;
        bytes[48 + tile] = 16;
        tile += 1;
    }
    Configuration(bytes)
};

/// Asks the system for the right to use the tiles, once for the process.
#[cfg(target_os = "linux")]
pub(super) fn is_permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
    const XFEATURE_XTILEDATA: i64 = 18;
    let result: i64;
    // SAFETY: arch_prctl(2) with these arguments changes nothing but the right to use the tiles.
    unsafe {
        asm!("syscall", inlateout("rax") 158_i64 => result, in("rdi") ARCH_REQ_XCOMP_PERM, in("rsi") XFEATURE_XTILEDATA,
            out("rcx") _, out("r11") _, options(nostack));
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_permitted() -> bool {
    false
}

/// The 16 rows by 32 columns of sums that two tiles hold.
#[repr(C, align(64))]
struct Sums([i32; 16 * 32]);

macro_rules! kernel {
    ($(#[$meta:meta])* $name:ident, $multiply:literal, $store:expr) => {
        $(#[$meta])*
        #[target_feature(enable = "avx512f,avx512bw")]
        pub(super) unsafe fn $name(tile: &Tile) {
            let mut sums = [const { Sums([0; 16 * 32]) }; 2];
            // SAFETY: rows behind the last may be read up to a multiple of 16, and rows and panels are a multiple of 64 bytes
            // long; the tiles are set up, used and given back in this function, and no code between them knows of tiles.
            unsafe {
                asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack, readonly));
                for tile in tile.panels() {
                let tile = &tile;
                let mut first = 0;
                while first < tile.rows {
                    let a = tile.a.add(first * tile.a_stride);
                    let blocks = tile.words / 16;
                    if tile.rows - first > 16 {
                        asm!(
                            "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                            "2:",
                            "tileloadd tmm4, [{a} + {a_stride}]",
                            "tileloadd tmm6, [{b} + {b_stride}]",
                            concat!($multiply, " tmm0, tmm4, tmm6"),
                            "tileloadd tmm7, [{b} + {b_stride} + 64]",
                            concat!($multiply, " tmm1, tmm4, tmm7"),
                            "tileloadd tmm5, [{next} + {a_stride}]",
                            concat!($multiply, " tmm2, tmm5, tmm6"),
                            concat!($multiply, " tmm3, tmm5, tmm7"),
                            "add {a}, 64", "add {next}, 64", "add {b}, {b_block}",
                            "dec {blocks}", "jnz 2b",
                            "tilestored [{out} + {out_stride}], tmm0", "tilestored [{out} + {out_stride} + 64], tmm1",
                            "tilestored [{below} + {out_stride}], tmm2", "tilestored [{below} + {out_stride} + 64], tmm3",
                            a = inout(reg) a => _,
                            next = inout(reg) a.wrapping_add(16 * tile.a_stride) => _,
                            a_stride = in(reg) tile.a_stride,
                            b = inout(reg) tile.b => _,
                            b_stride = in(reg) 4 * tile.b_stride,
                            b_block = in(reg) 64 * tile.b_stride,
                            blocks = inout(reg) blocks => _,
                            out = in(reg) &raw mut sums[0],
                            below = in(reg) &raw mut sums[1],
                            out_stride = in(reg) 128_usize,
                            options(nostack),
                        );
                    } else {
                        asm!(
                            "tilezero tmm0", "tilezero tmm1",
                            "2:",
                            "tileloadd tmm4, [{a} + {a_stride}]",
                            "tileloadd tmm6, [{b} + {b_stride}]",
                            "tileloadd tmm7, [{b} + {b_stride} + 64]",
                            concat!($multiply, " tmm0, tmm4, tmm6"),
                            concat!($multiply, " tmm1, tmm4, tmm7"),
                            "add {a}, 64", "add {b}, {b_block}",
                            "dec {blocks}", "jnz 2b",
                            "tilestored [{out} + {out_stride}], tmm0", "tilestored [{out} + {out_stride} + 64], tmm1",
                            a = inout(reg) a => _,
                            a_stride = in(reg) tile.a_stride,
                            b = inout(reg) tile.b => _,
                            b_stride = in(reg) 4 * tile.b_stride,
                            b_block = in(reg) 64 * tile.b_stride,
                            blocks = inout(reg) blocks => _,
                            out = in(reg) &raw mut sums[0],
                            out_stride = in(reg) 128_usize,
                            options(nostack),
                        );
                    }
                    let rows = (tile.rows - first).min(32);
                    for row in 0..rows {
                        let from = sums[row / 16].0.as_ptr().add(row % 16 * 32);
                        let halves = [_mm512_load_si512(from.cast()), _mm512_load_si512(from.add(16).cast())];
                        $store(tile, first + row, halves);
                    }
                    first += rows;
                }
                }
                asm!("tilerelease", options(nostack, nomem));
            }
        }
    };
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store_floats(tile: &Tile, row: usize, bits: [__m512i; 2]) {
    // SAFETY: as the caller states.
    unsafe { super::avx512::store(tile, row, [_mm512_castsi512_ps(bits[0]), _mm512_castsi512_ps(bits[1])]) };
}

kernel!(
    /// 8 bits, 64 a step.
    byte,
    "tdpbusd",
    store_scaled
);

kernel!(
    /// bf16, 32 a step. Denormal numbers count as 0.
    half,
    "tdpbf16ps",
    store_floats
);
