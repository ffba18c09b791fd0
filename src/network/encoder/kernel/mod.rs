//! What the encoder computes with: one set of kernels for each instruction set, chosen at load by what the processor says.
//!
//! `tile` says what a product is, `portable` what it means, and the other files are the same for an instruction set. `panels`
//! are weights, `operand` the rows that meet them, `product` brings both together, `folded` keeps no more of it than a number for each text; `lanes` is all that is done between
//! products. Unsafe code of the encoder is in this folder only.

mod aligned;
mod folded;
mod gang;
mod lanes;
mod level;
mod operand;
mod panels;
mod portable;
mod product;
mod tile;
mod transpose;
mod vector;

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod block;
#[cfg(target_arch = "aarch64")]
mod neon;

pub(super) use aligned::Aligned;
pub(super) use folded::{Fold, folded_product};
pub use gang::{Gang, Team};
pub use level::Level;
pub(super) use operand::Operand;
pub(super) use panels::{Panels, Source};
pub(super) use product::{Cell, Cells, Strided, multiply, product};
pub(super) use tile::PANEL;
pub(super) use transpose::transpose;

#[cfg(test)]
mod tests;

use self::lanes::Lanes;
use self::tile::Product;
use super::plan::Activation;

/// How the numbers of a product are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// 32-bit floats.
    Float,
    /// bf16 for rows and weights, sums in f32.
    Half,
    /// 8 bits: unsigned with a scale and a zero for each row, signed with a scale for each column of weights.
    Byte,
}

impl Format {
    /// Numbers in a word of 32 bits.
    pub fn per_word(self) -> usize {
        match self {
            Format::Float => 1,
            Format::Half => 2,
            Format::Byte => 4,
        }
    }
}

/// The kernels of one instruction set.
#[derive(Clone, Copy)]
pub(super) struct Kernels {
    pub level: Level,
    lanes: Lanes,
    float: Product,
    half: Product,
    byte: Product,
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Kernels").field(&self.level).finish()
    }
}

/// Calls a function of `lanes`.
macro_rules! lane {
    ($(#[$meta:meta])* $name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?) => {
        $(#[$meta])*
        #[allow(unsafe_code, reason = "functions for one instruction set are called through pointers")]
        pub fn $name(&self, $($argument: $kind),*) $(-> $result)? {
            // SAFETY: a set of kernels is only given out where the processor has its instructions.
            unsafe { (self.lanes.$name)($($argument),*) }
        }
    };
}

impl Kernels {
    fn product(&self, format: Format) -> Product {
        match format {
            Format::Float => self.float,
            Format::Half => self.half,
            Format::Byte => self.byte,
        }
    }

    lane!(
        /// Applies the function to each number.
        activate(function: Activation, row: &mut [f32])
    );
    lane!(
        /// `row` becomes `function(row)·factors`.
        gate(function: Activation, row: &mut [f32], factors: &[f32])
    );
    lane!(
        /// The layer norm of the row. `bias` may be empty.
        layer_norm(row: &mut [f32], gain: &[f32], bias: &[f32], epsilon: f32)
    );
    lane!(
        /// The root mean square norm of the row.
        rms_norm(row: &mut [f32], gain: &[f32], epsilon: f32)
    );
    lane!(
        /// Adds row to row.
        add(row: &mut [f32], added: &[f32])
    );
    lane!(
        /// `highest`, which is at least 0, becomes the largest of itself and each row, number by number, but NaN where a row has NaN or
        /// infinity.
        highest(highest: &mut [f32], rows: &[f32])
    );
    lane!(
        /// The softmax of the row.
        softmax(row: &mut [f32])
    );
    lane!(
        /// Writes the row in 8 bits and gives its scale and zero.
        quantise(row: &[f32], bytes: &mut [u8]) -> (f32, i32)
    );
    lane!(
        /// Writes the row in bf16.
        narrow(row: &[f32], halves: &mut [u16])
    );
    lane!(
        /// Turns the two halves of a head by the angles of its position.
        rotate(row: &mut [f32], cosines: &[f32], sines: &[f32])
    );
}
