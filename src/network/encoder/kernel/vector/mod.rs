//! Sixteen floats, in as many registers as an instruction set needs for them.

#![allow(unsafe_code, reason = "registers are loaded and stored through pointers")]

#[cfg(target_arch = "aarch64")]
pub(super) mod arm;
#[cfg(target_arch = "x86_64")]
pub(super) mod x86;

use std::array::from_fn;

/// Numbers of a vector.
pub(super) const LANES: usize = 16;

/// 1.5·2²³: added to a number up to 2²² it leaves no bits for a fraction, so the sum's last bits are the number, rounded to the
/// nearest whole one, ties to even.
pub(super) const ROUND: f32 = 12_582_912.0;

/// Sixteen floats.
///
/// # Safety
/// All methods need the instructions of the implementation. They are inlined into functions that have them.
pub(super) unsafe trait Vector: Copy {
    unsafe fn splat(number: f32) -> Self;
    /// # Safety
    /// Sixteen numbers can be read; likewise written, below.
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// The first `count` numbers, fewer than sixteen, and `filling` behind them.
    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize, filling: f32) -> Self {
        let mut numbers = [filling; LANES];
        for (lane, number) in numbers.iter_mut().enumerate().take(count) {
            // SAFETY: as the caller states; so below.
            *number = unsafe { *from.add(lane) };
        }
        // SAFETY: there are sixteen numbers.
        unsafe { Self::load(numbers.as_ptr()) }
    }
    /// Writes the first `count` numbers, fewer than sixteen; likewise below.
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, count: usize) {
        let mut numbers = [0.0; LANES];
        // SAFETY: there is room for sixteen numbers, and for `count` as the caller states; so below.
        unsafe {
            self.store(numbers.as_mut_ptr());
            copy(&numbers, to, count);
        }
    }
    #[inline(always)]
    unsafe fn store_bytes_part(self, to: *mut u8, count: usize) {
        let mut numbers = [0; LANES];
        // SAFETY: as above.
        unsafe {
            self.store_bytes(numbers.as_mut_ptr());
            copy(&numbers, to, count);
        }
    }
    #[inline(always)]
    unsafe fn store_halves_part(self, to: *mut u16, count: usize) {
        let mut numbers = [0; LANES];
        // SAFETY: as above.
        unsafe {
            self.store_halves(numbers.as_mut_ptr());
            copy(&numbers, to, count);
        }
    }
    /// Writes the last byte of each number's bits.
    unsafe fn store_bytes(self, to: *mut u8);
    /// Writes the upper halves of the numbers' bits, rounded to the nearest, ties to even.
    unsafe fn store_halves(self, to: *mut u16);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn subtract(self, other: Self) -> Self;
    unsafe fn multiply(self, other: Self) -> Self;
    unsafe fn divide(self, other: Self) -> Self;
    /// `self·factor + added`, rounded once.
    unsafe fn fused(self, factor: Self, added: Self) -> Self;
    /// The other where it is less, else this one, so that NaN stays.
    unsafe fn lower(self, other: Self) -> Self;
    /// The other where it is more, else this one.
    unsafe fn higher(self, other: Self) -> Self;
    /// The number where it is not below the bound, else 0.
    unsafe fn unless_below(self, number: Self, bound: Self) -> Self;
    /// 2 to the power of whole numbers from -126 to 127.
    unsafe fn power_of_two(self) -> Self;
}

/// A loop and no call: there are fewer than sixteen.
#[inline(always)]
unsafe fn copy<T: Copy>(numbers: &[T; LANES], to: *mut T, count: usize) {
    for (lane, number) in numbers.iter().enumerate().take(count) {
        // SAFETY: as the caller states.
        unsafe { *to.add(lane) = *number };
    }
}

/// As Rust computes. `a·b + c` goes by way of 64 bits, where the product is exact: without an instruction for it `mul_add` would
/// be a call for each number. That rounds the sum twice, which differs from one rounding once in about 2^29 cases.
#[derive(Clone, Copy)]
pub(super) struct Plain([f32; LANES]);

impl Plain {
    #[inline(always)]
    fn zip(self, other: Self, both: impl Fn(f32, f32) -> f32) -> Self {
        Plain(from_fn(|lane| both(self.0[lane], other.0[lane])))
    }
}

// SAFETY: needs no special instructions.
unsafe impl Vector for Plain {
    #[inline(always)]
    unsafe fn splat(number: f32) -> Self {
        Plain([number; LANES])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: as the caller states; so below.
        Plain(unsafe { from.cast::<[f32; LANES]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(self.0) };
    }
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the last byte")]
    unsafe fn store_bytes(self, to: *mut u8) {
        // SAFETY: as above.
        unsafe { to.cast::<[u8; LANES]>().write_unaligned(self.0.map(|number| number.to_bits() as u8)) };
    }
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the upper half")]
    unsafe fn store_halves(self, to: *mut u16) {
        let half = |number: f32| (rounded(number.to_bits()) >> 16) as u16;
        // SAFETY: as above.
        unsafe { to.cast::<[u16; LANES]>().write_unaligned(self.0.map(half)) };
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn subtract(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn multiply(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn divide(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn fused(self, factor: Self, added: Self) -> Self {
        Plain(from_fn(|lane| fused(self.0[lane], factor.0[lane], added.0[lane])))
    }
    #[inline(always)]
    unsafe fn lower(self, other: Self) -> Self {
        self.zip(other, |a, b| if b < a { b } else { a })
    }
    #[inline(always)]
    unsafe fn higher(self, other: Self) -> Self {
        self.zip(other, |a, b| if b > a { b } else { a })
    }
    #[inline(always)]
    unsafe fn unless_below(self, number: Self, bound: Self) -> Self {
        Plain(from_fn(|lane| if number.0[lane] < bound.0[lane] { 0.0 } else { self.0[lane] }))
    }
    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        Plain(self.0.map(|whole| f32::from_bits((whole + ROUND).to_bits().wrapping_add(127) << 23)))
    }
}

/// `a·b + c`, see [`Plain`].
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "the result is a float32")]
pub(super) fn fused(a: f32, b: f32, c: f32) -> f32 {
    (f64::from(a) * f64::from(b) + f64::from(c)) as f32
}

/// Bits whose upper half is the number rounded. A NaN whose upper half were that of infinity keeps a bit.
#[inline(always)]
fn rounded(bits: u32) -> u32 {
    let kept = if bits & 0x7fff_ffff > 0x7f80_0000 { (bits | 0x0040_0000) & 0xffff_0000 } else { bits };
    kept.wrapping_add(0x7fff + ((kept >> 16) & 1))
}
