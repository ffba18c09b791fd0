//! What is done to numbers one by one or row by row, between the products. Written once over vectors of sixteen numbers and
//! compiled once for each instruction set.
//!
//! Sums are made in sixteen partial sums and then pairwise, whatever the registers' width: so the result is the same to the bit
//! with every instruction set.

#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers into rows")]

use super::vector::{LANES, Plain, ROUND, Vector};
use crate::network::encoder::plan::Activation;

/// What one instruction set has. Rows that belong together have one length.
#[derive(Clone, Copy)]
pub(super) struct Lanes {
    pub activate: unsafe fn(Activation, &mut [f32]),
    pub gate: unsafe fn(Activation, &mut [f32], &[f32]),
    pub layer_norm: unsafe fn(&mut [f32], &[f32], &[f32], f32),
    pub rms_norm: unsafe fn(&mut [f32], &[f32], f32),
    pub add: unsafe fn(&mut [f32], &[f32]),
    pub highest: unsafe fn(&mut [f32], &[f32]),
    pub softmax: unsafe fn(&mut [f32]),
    pub quantise: unsafe fn(&[f32], &mut [u8]) -> (f32, i32),
    pub narrow: unsafe fn(&[f32], &mut [u16]),
    pub rotate: unsafe fn(&mut [f32], &[f32], &[f32]),
}

macro_rules! lanes {
    ($(#[$meta:meta])* $name:ident, $vector:ty $(, $features:literal)?) => {
        $(#[$meta])*
        pub(super) mod $name {
            use super::{Activation, Lanes};
            $(#[target_feature(enable = $features)])?
            unsafe fn activate(function: Activation, row: &mut [f32]) {
                // SAFETY: compiled with the instructions that the vector needs; so below.
                unsafe { super::activate::<$vector>(function, row) };
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn gate(function: Activation, row: &mut [f32], factors: &[f32]) {
                // SAFETY: as above.
                unsafe { super::gate::<$vector>(function, row, factors) };
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn layer_norm(row: &mut [f32], gain: &[f32], bias: &[f32], epsilon: f32) {
                // SAFETY: as above.
                unsafe { super::layer_norm::<$vector>(row, gain, bias, epsilon) };
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn rms_norm(row: &mut [f32], gain: &[f32], epsilon: f32) {
                // SAFETY: as above.
                unsafe { super::rms_norm::<$vector>(row, gain, epsilon) };
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn add(row: &mut [f32], added: &[f32]) {
                // SAFETY: as above.
                unsafe { super::add::<$vector>(row, added) };
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn highest(highest: &mut [f32], rows: &[f32]) {
                // SAFETY: as above.
                unsafe { super::highest::<$vector>(highest, rows) };
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn softmax(row: &mut [f32]) {
                // SAFETY: as above.
                unsafe { super::softmax::<$vector>(row) };
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn quantise(row: &[f32], bytes: &mut [u8]) -> (f32, i32) {
                // SAFETY: as above.
                unsafe { super::quantise::<$vector>(row, bytes) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn narrow(row: &[f32], halves: &mut [u16]) {
                // SAFETY: as above.
                unsafe { super::narrow::<$vector>(row, halves) };
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn rotate(row: &mut [f32], cosines: &[f32], sines: &[f32]) {
                super::rotate(row, cosines, sines);
            }
            pub const LANES: Lanes =
                Lanes { activate, gate, layer_norm, rms_norm, add, highest, softmax, quantise, narrow, rotate };
        }
    };
}

lanes!(
    /// For every processor.
    portable, super::Plain
);
#[cfg(target_arch = "x86_64")]
lanes!(
    /// Eight lanes a register.
    avx2, crate::network::encoder::kernel::vector::x86::Eights, "avx2,fma"
);
#[cfg(target_arch = "x86_64")]
lanes!(
    /// Sixteen lanes a register.
    avx512, crate::network::encoder::kernel::vector::x86::Sixteen, "avx2,fma,avx512f,avx512bw,avx512vl,avx512dq"
);
#[cfg(target_arch = "aarch64")]
lanes!(
    /// Four lanes a register, on every aarch64.
    neon, crate::network::encoder::kernel::vector::arm::Fours, "neon"
);

// Loops are macros and not functions that take closures: a closure is compiled without the instructions of the function around
// it unless it is inlined, and LLVM does not always do that.

/// Replaces each vector `$x` of a row, which begins at `$place`, by an expression.
macro_rules! each {
    ($row:expr, $vector:ty, |$x:ident, $place:ident| $step:expr) => {{
        let row: &mut [f32] = $row;
        let mut $place = 0;
        while $place + LANES <= row.len() {
            let pointer = row.as_mut_ptr().add($place);
            let $x = <$vector>::load(pointer);
            ($step).store(pointer);
            $place += LANES;
        }
        let count = row.len() - $place;
        if count > 0 {
            let pointer = row.as_mut_ptr().add($place);
            let $x = <$vector>::load_part(pointer, count, 0.0);
            ($step).store_part(pointer, count);
        }
    }};
}

/// Folds the vectors `$x` of a row into one, `$folded`, which is `$start` at first. Behind the row's end is `$filling`.
macro_rules! fold {
    ($row:expr, $vector:ty, $start:expr, $filling:expr, |$folded:ident, $x:ident| $step:expr) => {{
        let row: &[f32] = $row;
        let mut $folded = <$vector>::splat($start);
        let mut place = 0;
        while place + LANES <= row.len() {
            let $x = <$vector>::load(row.as_ptr().add(place));
            $folded = $step;
            place += LANES;
        }
        if place < row.len() {
            let $x = <$vector>::load_part(row.as_ptr().add(place), row.len() - place, $filling);
            $folded = $step;
        }
        $folded
    }};
}

/// Writes what an expression makes of each vector `$x` of a row to the same place of other memory.
macro_rules! write {
    ($row:expr, $vector:ty, $to:expr, |$x:ident| $value:expr, $store:ident, $store_part:ident) => {{
        let (row, to) = ($row, $to);
        let mut place = 0;
        while place + LANES <= row.len() {
            let $x = <$vector>::load(row.as_ptr().add(place));
            ($value).$store(to.as_mut_ptr().add(place));
            place += LANES;
        }
        let count = row.len() - place;
        if count > 0 {
            let $x = <$vector>::load_part(row.as_ptr().add(place), count, 0.0);
            ($value).$store_part(to.as_mut_ptr().add(place), count);
        }
    }};
}

/// Sixteen numbers of a row from `at` on, zeros behind its end.
#[inline(always)]
unsafe fn at<V: Vector>(row: &[f32], at: usize) -> V {
    // SAFETY: no more is read than the row has.
    unsafe {
        if at + LANES <= row.len() {
            return V::load(row.as_ptr().add(at));
        }
        V::load_part(row.as_ptr().wrapping_add(at), row.len().saturating_sub(at), 0.0)
    }
}

/// Sixteen numbers to one, pairwise.
#[inline(always)]
unsafe fn reduce<V: Vector>(vector: V, both: impl Fn(f32, f32) -> f32) -> f32 {
    let mut numbers = [0.0; LANES];
    // SAFETY: there is room for sixteen numbers.
    unsafe { vector.store(numbers.as_mut_ptr()) };
    let eight: [f32; 8] = std::array::from_fn(|lane| both(numbers[lane], numbers[lane + 8]));
    let four: [f32; 4] = std::array::from_fn(|lane| both(eight[lane], eight[lane + 4]));
    both(both(four[0], four[2]), both(four[1], four[3]))
}

#[inline(always)]
unsafe fn total<V: Vector>(sums: V) -> f32 {
    // SAFETY: as the caller states.
    unsafe { reduce(sums, |a, b| a + b) }
}

/// Coefficients of `(Φ(x) - 1/2) / x` in `2x²/5.2² - 1`, lowest first: a least-squares fit at Chebyshev's nodes on |x| ≤ 5.2, in
/// which `x·Φ(x)` is right to 7e-7.
const PHI: [f32; 15] = [
    0.135_949_98,
    -0.067_743_8,
    0.050_026_06,
    -0.039_925_6,
    0.031_963_263,
    -0.024_761_6,
    0.018_127_676,
    -0.012_360_402,
    0.008_029_697,
    -0.005_054_459,
    0.002_631_108_7,
    -0.000_989_78,
    0.000_625_422_4,
    -0.000_558_536_2,
    0.000_194_807_84,
];
const PHI_END: f32 = 5.2;

/// `x·Φ(x)`, which transformers calls `gelu`.
#[inline(always)]
unsafe fn gelu<V: Vector>(x: V) -> V {
    // SAFETY: as the caller states; so in all of this file.
    unsafe {
        let low = x.higher(V::splat(-PHI_END));
        let inside = low.lower(V::splat(PHI_END));
        let place = inside.multiply(inside).fused(V::splat(2.0 / (PHI_END * PHI_END)), V::splat(-1.0));
        let mut value = V::splat(PHI[14]);
        for at in (0..14).rev() {
            value = value.fused(place, V::splat(PHI[at]));
        }
        low.multiply(inside.fused(value, V::splat(0.5)))
    }
}

/// `e^x`, right to two units in the last place; 0 below -87.3.
#[inline(always)]
unsafe fn exp<V: Vector>(x: V) -> V {
    // SAFETY: as above.
    unsafe {
        let bound = V::splat(-87.3);
        let bounded = x.lower(V::splat(88.0)).higher(bound);
        let whole = bounded.fused(V::splat(std::f32::consts::LOG2_E), V::splat(ROUND)).subtract(V::splat(ROUND));
        // ln 2 in two parts.
        let rest = whole.fused(V::splat(-0.693_359_4), bounded);
        let rest = whole.fused(V::splat(2.121_944_4e-4), rest);
        // (e^r - 1 - r) / r²: a least-squares fit on |r| ≤ ln 2 / 2, right to 4e-9.
        let mut value = V::splat(0.001_394_644_6);
        for coefficient in [0.008_369_151, 0.041_666_26, 0.166_665_17, 0.5] {
            value = value.fused(rest, V::splat(coefficient));
        }
        let value = value.multiply(rest).fused(rest, rest).add(V::splat(1.0));
        value.multiply(whole.power_of_two()).unless_below(x, bound)
    }
}

/// `(e^2x - 1) / (e^2x + 1)`
#[inline(always)]
unsafe fn tanh<V: Vector>(x: V) -> V {
    // SAFETY: as above.
    unsafe {
        let bounded = x.lower(V::splat(15.0));
        let power = exp(bounded.add(bounded));
        power.subtract(V::splat(1.0)).divide(power.add(V::splat(1.0)))
    }
}

/// `0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))`
#[inline(always)]
unsafe fn gelu_tanh<V: Vector>(x: V) -> V {
    // SAFETY: as above.
    unsafe {
        let cube = x.multiply(x).multiply(x);
        let inner = cube.fused(V::splat(0.044_715), x).multiply(V::splat(0.797_884_6));
        x.multiply(V::splat(0.5)).multiply(tanh(inner).add(V::splat(1.0)))
    }
}

#[inline(always)]
unsafe fn silu<V: Vector>(x: V) -> V {
    // SAFETY: as above.
    unsafe { x.divide(exp(V::splat(0.0).subtract(x)).add(V::splat(1.0))) }
}

/// `row` becomes `function(row)`.
#[inline(always)]
unsafe fn activate<V: Vector>(function: Activation, row: &mut [f32]) {
    // SAFETY: as above.
    unsafe {
        match function {
            Activation::Gelu => each!(row, V, |x, place| gelu(x)),
            Activation::GeluTanh => each!(row, V, |x, place| gelu_tanh(x)),
            Activation::Relu => each!(row, V, |x, place| x.higher(V::splat(0.0))),
            Activation::Silu => each!(row, V, |x, place| silu(x)),
            Activation::Tanh => each!(row, V, |x, place| tanh(x)),
        }
    }
}

/// `row` becomes `function(row)·factors`.
#[inline(always)]
unsafe fn gate<V: Vector>(function: Activation, row: &mut [f32], factors: &[f32]) {
    // SAFETY: as above.
    unsafe {
        match function {
            Activation::Gelu => each!(row, V, |x, place| gelu(x).multiply(at(factors, place))),
            Activation::GeluTanh => each!(row, V, |x, place| gelu_tanh(x).multiply(at(factors, place))),
            Activation::Relu => each!(row, V, |x, place| x.higher(V::splat(0.0)).multiply(at(factors, place))),
            Activation::Silu => each!(row, V, |x, place| silu(x).multiply(at(factors, place))),
            Activation::Tanh => each!(row, V, |x, place| tanh(x).multiply(at(factors, place))),
        }
    }
}

#[inline(always)]
unsafe fn add<V: Vector>(row: &mut [f32], added: &[f32]) {
    // SAFETY: as above.
    unsafe { each!(row, V, |x, place| x.add(at(added, place))) };
}

/// The largest of each number of the first row, which is at least 0, and those of the others in its place; but NaN where one of them
/// is NaN or infinitely large. The others lie one after the other.
#[inline(always)]
unsafe fn highest<V: Vector>(highest: &mut [f32], rows: &[f32]) {
    let width = highest.len();
    // SAFETY: as above.
    unsafe {
        each!(highest, V, |x, place| {
            let mut largest = x;
            for row in rows.chunks_exact(width) {
                let positive = at::<V>(row, place).higher(V::splat(0.0));
                // Less itself a number is 0, or NaN if it is not finite.
                largest = largest.higher(positive).add(positive.subtract(positive));
            }
            largest
        });
    }
}

/// `(x - mean) / √(variance + ε) · gain + bias` over the row. `bias` may be empty.
#[inline(always)]
#[allow(clippy::cast_precision_loss, reason = "rows are shorter than 2^24")]
unsafe fn layer_norm<V: Vector>(row: &mut [f32], gain: &[f32], bias: &[f32], epsilon: f32) {
    // SAFETY: as above.
    unsafe {
        let count = row.len() as f32;
        let mean = total(fold!(row, V, 0.0, 0.0, |sum, x| sum.add(x))) / count;
        let middle = V::splat(mean);
        // Behind the end is the mean, which adds nothing.
        let squares = fold!(row, V, 0.0, mean, |sum, x| {
            let distance = x.subtract(middle);
            distance.fused(distance, sum)
        });
        let scale = V::splat(1.0 / (total(squares) / count + epsilon).sqrt());
        if bias.is_empty() {
            each!(row, V, |x, place| x.subtract(middle).multiply(scale).multiply(at(gain, place)));
        } else {
            each!(row, V, |x, place| x.subtract(middle).multiply(scale).fused(at(gain, place), at(bias, place)));
        }
    }
}

/// `x / √(mean of x² + ε) · gain` over the row.
#[inline(always)]
#[allow(clippy::cast_precision_loss, reason = "rows are shorter than 2^24")]
unsafe fn rms_norm<V: Vector>(row: &mut [f32], gain: &[f32], epsilon: f32) {
    // SAFETY: as above.
    unsafe {
        let square = total(fold!(row, V, 0.0, 0.0, |sum, x| x.fused(x, sum))) / row.len() as f32;
        let scale = V::splat(1.0 / (square + epsilon).sqrt());
        each!(row, V, |x, place| x.multiply(scale).multiply(at(gain, place)));
    }
}

/// `e^(x - largest) / Σ` over the row.
#[inline(always)]
unsafe fn softmax<V: Vector>(row: &mut [f32]) {
    // SAFETY: as above.
    unsafe {
        let largest = fold!(row, V, f32::NEG_INFINITY, f32::NEG_INFINITY, |largest, x| largest.higher(x));
        let largest = V::splat(reduce(largest, |a, b| if b > a { b } else { a }));
        each!(row, V, |x, _place| exp(x.subtract(largest)));
        let scale = V::splat(1.0 / total(fold!(row, V, 0.0, 0.0, |sum, x| sum.add(x))));
        each!(row, V, |x, place| x.multiply(scale));
    }
}

/// Writes the row as `round(x / scale) + zero` in 0..=255 and gives scale and zero. The range holds 0, so that 0 is exact. A row
/// that is not finite gives a scale that is not, and with it a product that is not.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "from 0 to 255")]
unsafe fn quantise<V: Vector>(row: &[f32], bytes: &mut [u8]) -> (f32, i32) {
    // SAFETY: as above; `bytes` has a byte for each number of the row.
    unsafe {
        let bytes = &mut bytes[..row.len()];
        let low = reduce(fold!(row, V, 0.0, 0.0, |low, x| low.lower(x)), |a, b| if b < a { b } else { a });
        let high = reduce(fold!(row, V, 0.0, 0.0, |high, x| high.higher(x)), |a, b| if b > a { b } else { a });
        // 0 for finite numbers, NaN for others.
        let odd = total(fold!(row, V, 0.0, 0.0, |sum, x| x.fused(V::splat(0.0), sum)));
        let range = high - low;
        let step = if range > 0.0 { range / 255.0 } else { 1.0 };
        let (scale, inverse) = (step + odd, 1.0 / step);
        let zero = (-low * inverse).clamp(0.0, 255.0).round_ties_even();
        // Rounded by the addition: the last byte of the sum's bits is the whole number.
        let (factor, shift) = (V::splat(inverse), V::splat(ROUND + zero));
        let (first, end) = (V::splat(ROUND), V::splat(ROUND + 255.0));
        write!(
            row,
            V,
            bytes,
            |x| x.multiply(factor).add(shift).higher(first).lower(end),
            store_bytes,
            store_bytes_part
        );
        (scale, zero as i32)
    }
}

/// Writes the row as bf16, rounded to the nearest, ties to even. NaN stays NaN.
#[inline(always)]
unsafe fn narrow<V: Vector>(row: &[f32], halves: &mut [u16]) {
    // SAFETY: as above; `halves` has a place for each number of the row.
    unsafe {
        let halves = &mut halves[..row.len()];
        write!(row, V, halves, |x| x, store_halves, store_halves_part);
    }
}

/// Rotary positions: turns the pairs `(x[i], x[i + half])` of a head by the angles whose cosines and sines are given.
#[inline(always)]
fn rotate(row: &mut [f32], cosines: &[f32], sines: &[f32]) {
    let (first, second) = row.split_at_mut(cosines.len());
    let angles = cosines.iter().zip(sines);
    for ((a, b), (cosine, sine)) in first.iter_mut().zip(second).zip(angles) {
        let (x, y) = (*a, *b);
        *a = x * cosine - y * sine;
        *b = y * cosine + x * sine;
    }
}
