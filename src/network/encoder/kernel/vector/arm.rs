//! Sixteen floats with NEON, which every aarch64 processor has.

#![allow(unsafe_code, reason = "registers are loaded and stored through pointers")]

use std::arch::aarch64::*;

use super::{ROUND, Vector};

/// Four registers of four.
#[derive(Clone, Copy)]
pub struct Fours([float32x4_t; 4]);

/// An array of what an expression gives for the registers 0 to 3.
macro_rules! four {
    (|$at:ident| $value:expr) => {
        [
            {
                let $at = 0_usize;
                $value
            },
            {
                let $at = 1_usize;
                $value
            },
            {
                let $at = 2_usize;
                $value
            },
            {
                let $at = 3_usize;
                $value
            },
        ]
    };
}

macro_rules! pairs {
    ($($name:ident $instruction:ident),*) => {
        $(#[inline(always)]
        unsafe fn $name(self, other: Self) -> Self {
            // SAFETY: the caller has the instructions; so below.
            unsafe { Fours(four!(|at| $instruction(self.0[at], other.0[at]))) }
        })*
    };
}

/// The upper halves of four numbers' bits, rounded.
#[inline]
#[target_feature(enable = "neon")]
fn upper_halves(numbers: float32x4_t) -> uint16x4_t {
    let bits = vreinterpretq_u32_f32(numbers);
    let odd = vmvnq_u32(vceqq_f32(numbers, numbers));
    let bits = vorrq_u32(bits, vandq_u32(odd, vdupq_n_u32(0x0040_0000)));
    // No carry into the upper half of a NaN.
    let bits = vbicq_u32(bits, vandq_u32(odd, vdupq_n_u32(0xffff)));
    let last = vandq_u32(vshrq_n_u32::<16>(bits), vdupq_n_u32(1));
    let sum = vaddq_u32(bits, vaddq_u32(last, vdupq_n_u32(0x7fff)));
    vshrn_n_u32::<16>(sum)
}

/// 2 to the power of four whole numbers.
#[inline]
#[target_feature(enable = "neon")]
fn powers_of_two(whole: float32x4_t) -> float32x4_t {
    let bits = vreinterpretq_u32_f32(vaddq_f32(whole, vdupq_n_f32(ROUND)));
    vreinterpretq_f32_u32(vshlq_n_u32::<23>(vaddq_u32(bits, vdupq_n_u32(127))))
}

// SAFETY: every aarch64 processor has NEON.
unsafe impl Vector for Fours {
    #[inline(always)]
    unsafe fn splat(number: f32) -> Self {
        // SAFETY: the caller has the instructions.
        unsafe { Fours([vdupq_n_f32(number); 4]) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: as the caller states; so below.
        unsafe { Fours(four!(|at| vld1q_f32(from.add(4 * at)))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        for at in 0..4 {
            // SAFETY: as above.
            unsafe { vst1q_f32(to.add(4 * at), self.0[at]) };
        }
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        // SAFETY: as above.
        unsafe {
            let halves = four!(|at| vmovn_u32(vreinterpretq_u32_f32(self.0[at])));
            let low = vmovn_u16(vcombine_u16(halves[0], halves[1]));
            let high = vmovn_u16(vcombine_u16(halves[2], halves[3]));
            vst1q_u8(to, vcombine_u8(low, high));
        }
    }
    #[inline(always)]
    unsafe fn store_halves(self, to: *mut u16) {
        // SAFETY: as above.
        unsafe {
            let halves = four!(|at| upper_halves(self.0[at]));
            vst1q_u16(to, vcombine_u16(halves[0], halves[1]));
            vst1q_u16(to.add(8), vcombine_u16(halves[2], halves[3]));
        }
    }
    pairs!(add vaddq_f32, subtract vsubq_f32, multiply vmulq_f32, divide vdivq_f32);
    #[inline(always)]
    unsafe fn fused(self, factor: Self, added: Self) -> Self {
        // SAFETY: as above.
        unsafe { Fours(four!(|at| vfmaq_f32(added.0[at], self.0[at], factor.0[at]))) }
    }
    // The instructions for the lesser and the greater number give NaN where either is NaN: so these compare and choose.
    #[inline(always)]
    unsafe fn lower(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Fours(four!(|at| vbslq_f32(vcltq_f32(other.0[at], self.0[at]), other.0[at], self.0[at]))) }
    }
    #[inline(always)]
    unsafe fn higher(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Fours(four!(|at| vbslq_f32(vcgtq_f32(other.0[at], self.0[at]), other.0[at], self.0[at]))) }
    }
    #[inline(always)]
    unsafe fn unless_below(self, number: Self, bound: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            Fours(four!(|at| {
                let below = vcltq_f32(number.0[at], bound.0[at]);
                vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(self.0[at]), below))
            }))
        }
    }
    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        // SAFETY: as above.
        unsafe { Fours(four!(|at| powers_of_two(self.0[at]))) }
    }
}
