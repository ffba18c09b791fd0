//! The loop of a product whose sums stay in registers, for x86's vectors of any width.
//!
//! A block is some rows by two registers of columns; their sums and the weights of a step fill the registers. LLVM keeps them
//! there only if the loop over rows is unrolled, hence the arrays of a constant size.

/// A product of all panels, from its parts:
///
/// - `lanes`: words of a register; a block has twice as many columns, and a panel as many blocks as fit
/// - `rows`: rows that are worked on together, and the counts below that, for what is left
/// - the type of a register of sums and how it is at first; what loads weights; what spreads a word of a row; what adds the
///   products of both to a sum; what writes a row's sums in a block
macro_rules! kernel {
    (
        $(#[$meta:meta])* $name:ident, $features:literal,
        lanes: $lanes:literal, rows: $most:literal $(, $rest:literal)*;
        $sum:ty, $zero:expr, $load:expr, $word:expr, $step:expr, $store:expr
    ) => {
        $(#[$meta])*
        #[target_feature(enable = $features)]
        pub(super) unsafe fn $name(tile: &$crate::network::encoder::kernel::tile::Tile) {
            use $crate::network::encoder::kernel::tile::{PANEL, Tile};
            const BLOCKS: usize = PANEL / (2 * $lanes);

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn rows<const N: usize>(tile: &Tile, first: usize) {
                // SAFETY: steps, rows and columns are within what the tile states.
                unsafe {
                    for block in 0..BLOCKS {
                        let mut sums: [[$sum; 2]; N] = [[$zero; 2]; N];
                        let mut b = tile.b.add(2 * $lanes * block);
                        let base = tile.a.add(first * tile.a_stride);
                        let pointers: [*const u8; N] =
                            std::array::from_fn(|row| base.wrapping_add(row * tile.a_stride));
                        for step in 0..tile.words {
                            let (left, right) = ($load(b), $load(b.add($lanes)));
                            for row in 0..N {
                                let word = $word(pointers[row].add(4 * step));
                                sums[row][0] = $step(sums[row][0], word, left);
                                sums[row][1] = $step(sums[row][1], word, right);
                            }
                            b = b.wrapping_add(tile.b_stride);
                            // Without this LLVM moves sums to the stack.
                            std::arch::asm!("", options(nomem, nostack, preserves_flags));
                        }
                        for row in 0..N {
                            $store(tile, first + row, block, sums[row]);
                        }
                    }
                }
            }

            for tile in tile.panels() {
                let mut first = 0;
                // SAFETY: as the caller states.
                unsafe {
                    while first + $most <= tile.rows {
                        rows::<$most>(&tile, first);
                        first += $most;
                    }
                    match tile.rows - first {
                        $($rest => rows::<$rest>(&tile, first),)*
                        _ => {}
                    }
                }
            }
        }
    };
}

pub(super) use kernel;
