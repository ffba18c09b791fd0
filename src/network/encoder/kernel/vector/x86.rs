//! Sixteen floats with AVX2 and with AVX-512.

#![allow(unsafe_code, reason = "registers are loaded and stored through pointers")]

use std::arch::x86_64::*;

use super::{ROUND, Vector};

/// Two registers of eight.
#[derive(Clone, Copy)]
pub struct Eights([__m256; 2]);

/// One register of sixteen.
#[derive(Clone, Copy)]
pub struct Sixteen(__m512);

macro_rules! pairs {
    ($($name:ident $instruction:ident),*) => {
        $(#[inline(always)]
        unsafe fn $name(self, other: Self) -> Self {
            // SAFETY: the caller has the instructions; so below.
            unsafe { Eights([$instruction(self.0[0], other.0[0]), $instruction(self.0[1], other.0[1])]) }
        })*
    };
}

/// All bits in the lowest `count` of sixteen lanes.
#[inline(always)]
unsafe fn masks(count: usize) -> [__m256i; 2] {
    static BITS: [i32; 32] = {
        let mut bits = [0; 32];
        let mut at = 0;
        while at < 16 {
            bits[at] = -1;
            at += 1;
        }
        bits
    };
    // SAFETY: from 16 - count on there are sixteen numbers.
    unsafe {
        let first = BITS.as_ptr().add(16 - count);
        [_mm256_loadu_si256(first.cast()), _mm256_loadu_si256(first.add(8).cast())]
    }
}

/// The upper halves of eight numbers' bits, rounded.
#[inline(always)]
unsafe fn upper_halves(numbers: __m256) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        let bits = _mm256_castps_si256(numbers);
        let odd = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_UNORD_Q>(numbers, numbers));
        let bits = _mm256_or_si256(bits, _mm256_and_si256(odd, _mm256_set1_epi32(0x0040_0000)));
        // No carry into the upper half of a NaN.
        let bits = _mm256_andnot_si256(_mm256_and_si256(odd, _mm256_set1_epi32(0xffff)), bits);
        let last = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
        let sum = _mm256_add_epi32(bits, _mm256_add_epi32(last, _mm256_set1_epi32(0x7fff)));
        _mm256_srli_epi32::<16>(sum)
    }
}

/// 2 to the power of eight whole numbers.
#[inline(always)]
unsafe fn powers_of_two(whole: __m256) -> __m256 {
    // SAFETY: the caller has AVX2.
    unsafe {
        let bits = _mm256_castps_si256(_mm256_add_ps(whole, _mm256_set1_ps(ROUND)));
        let exponent = _mm256_add_epi32(bits, _mm256_set1_epi32(127));
        _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
    }
}

// SAFETY: the caller has AVX2 and FMA.
unsafe impl Vector for Eights {
    #[inline(always)]
    unsafe fn splat(number: f32) -> Self {
        // SAFETY: the caller has the instructions.
        unsafe { Eights([_mm256_set1_ps(number); 2]) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: as the caller states; so below.
        unsafe { Eights([_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))]) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe {
            _mm256_storeu_ps(to, self.0[0]);
            _mm256_storeu_ps(to.add(8), self.0[1]);
        }
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize, filling: f32) -> Self {
        // SAFETY: what the masks leave out is not read.
        unsafe {
            let masks = masks(count);
            let filling = _mm256_set1_ps(filling);
            let low = _mm256_maskload_ps(from, masks[0]);
            let high = _mm256_maskload_ps(from.wrapping_add(8), masks[1]);
            Eights([
                _mm256_blendv_ps(filling, low, _mm256_castsi256_ps(masks[0])),
                _mm256_blendv_ps(filling, high, _mm256_castsi256_ps(masks[1])),
            ])
        }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, count: usize) {
        // SAFETY: what the masks leave out is not written.
        unsafe {
            let masks = masks(count);
            _mm256_maskstore_ps(to, masks[0], self.0[0]);
            _mm256_maskstore_ps(to.wrapping_add(8), masks[1], self.0[1]);
        }
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        // SAFETY: as above.
        unsafe {
            let mask = _mm256_set1_epi32(255);
            let low = _mm256_and_si256(_mm256_castps_si256(self.0[0]), mask);
            let high = _mm256_and_si256(_mm256_castps_si256(self.0[1]), mask);
            // Packing works within halves of registers: [0-3 8-11 | 4-7 12-15], put in order.
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(low, high));
            let bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.cast(), bytes);
        }
    }
    #[inline(always)]
    unsafe fn store_halves(self, to: *mut u16) {
        // SAFETY: as above.
        unsafe {
            let (low, high) = (upper_halves(self.0[0]), upper_halves(self.0[1]));
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(low, high));
            _mm256_storeu_si256(to.cast(), words);
        }
    }
    pairs!(add _mm256_add_ps, subtract _mm256_sub_ps, multiply _mm256_mul_ps, divide _mm256_div_ps);
    #[inline(always)]
    unsafe fn fused(self, factor: Self, added: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            let low = _mm256_fmadd_ps(self.0[0], factor.0[0], added.0[0]);
            Eights([low, _mm256_fmadd_ps(self.0[1], factor.0[1], added.0[1])])
        }
    }
    #[inline(always)]
    unsafe fn lower(self, other: Self) -> Self {
        // SAFETY: as above. Where one is NaN the instruction gives its second operand.
        unsafe { Eights([_mm256_min_ps(other.0[0], self.0[0]), _mm256_min_ps(other.0[1], self.0[1])]) }
    }
    #[inline(always)]
    unsafe fn higher(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Eights([_mm256_max_ps(other.0[0], self.0[0]), _mm256_max_ps(other.0[1], self.0[1])]) }
    }
    #[inline(always)]
    unsafe fn unless_below(self, number: Self, bound: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            let low = _mm256_cmp_ps::<_CMP_LT_OQ>(number.0[0], bound.0[0]);
            let high = _mm256_cmp_ps::<_CMP_LT_OQ>(number.0[1], bound.0[1]);
            Eights([_mm256_andnot_ps(low, self.0[0]), _mm256_andnot_ps(high, self.0[1])])
        }
    }
    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        // SAFETY: as above.
        unsafe { Eights([powers_of_two(self.0[0]), powers_of_two(self.0[1])]) }
    }
}

// SAFETY: the caller has AVX-512 F and BW.
unsafe impl Vector for Sixteen {
    #[inline(always)]
    unsafe fn splat(number: f32) -> Self {
        // SAFETY: the caller has the instructions.
        unsafe { Sixteen(_mm512_set1_ps(number)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: as the caller states; so below.
        unsafe { Sixteen(_mm512_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe { _mm512_storeu_ps(to, self.0) };
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize, filling: f32) -> Self {
        // SAFETY: what the mask leaves out is not read.
        unsafe { Sixteen(_mm512_mask_loadu_ps(_mm512_set1_ps(filling), (1 << count) - 1, from)) }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, count: usize) {
        // SAFETY: what the mask leaves out is not written; so below.
        unsafe { _mm512_mask_storeu_ps(to, (1 << count) - 1, self.0) };
    }
    #[inline(always)]
    unsafe fn store_bytes_part(self, to: *mut u8, count: usize) {
        // SAFETY: as above.
        unsafe { _mm512_mask_cvtepi32_storeu_epi8(to.cast(), (1 << count) - 1, _mm512_castps_si512(self.0)) };
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        // SAFETY: as above.
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(_mm512_castps_si512(self.0))) };
    }
    #[inline(always)]
    unsafe fn store_halves(self, to: *mut u16) {
        // SAFETY: as above.
        unsafe {
            let bits = _mm512_castps_si512(self.0);
            let odd = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(self.0, self.0);
            let bits = _mm512_mask_or_epi32(bits, odd, bits, _mm512_set1_epi32(0x0040_0000));
            // No carry into the upper half of a NaN.
            let bits = _mm512_mask_and_epi32(bits, odd, bits, _mm512_set1_epi32(-65536));
            let last = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
            let sum = _mm512_add_epi32(bits, _mm512_add_epi32(last, _mm512_set1_epi32(0x7fff)));
            _mm256_storeu_si256(to.cast(), _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(sum)));
        }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Sixteen(_mm512_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn subtract(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Sixteen(_mm512_sub_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn multiply(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Sixteen(_mm512_mul_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn divide(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Sixteen(_mm512_div_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn fused(self, factor: Self, added: Self) -> Self {
        // SAFETY: as above.
        unsafe { Sixteen(_mm512_fmadd_ps(self.0, factor.0, added.0)) }
    }
    #[inline(always)]
    unsafe fn lower(self, other: Self) -> Self {
        // SAFETY: as above. Where one is NaN the instruction gives its second operand.
        unsafe { Sixteen(_mm512_min_ps(other.0, self.0)) }
    }
    #[inline(always)]
    unsafe fn higher(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Sixteen(_mm512_max_ps(other.0, self.0)) }
    }
    #[inline(always)]
    unsafe fn unless_below(self, number: Self, bound: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            let kept = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(number.0, bound.0);
            Sixteen(_mm512_maskz_mov_ps(kept, self.0))
        }
    }
    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        // SAFETY: as above.
        unsafe {
            let bits = _mm512_castps_si512(_mm512_add_ps(self.0, _mm512_set1_ps(ROUND)));
            let exponent = _mm512_add_epi32(bits, _mm512_set1_epi32(127));
            Sixteen(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent)))
        }
    }
}
