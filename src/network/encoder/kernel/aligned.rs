//! Numbers in memory that begins at a multiple of 64 bytes, a line of the cache.

#![allow(unsafe_code, reason = "lines of bytes are read as plain numbers")]

use std::ops::{Deref, DerefMut};

/// 64 bytes.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Numbers for which all bits are a value.
///
/// # Safety
/// Any 64 bytes are a whole number of valid values.
pub(in crate::network::encoder) unsafe trait Plain: Copy + 'static {}
// SAFETY: all bits of these are values, and their sizes divide 64.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u16 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for f32 {}

/// Aligned numbers.
#[derive(Debug, Clone)]
pub(in crate::network::encoder) struct Aligned<T> {
    lines: Vec<Line>,
    length: usize,
    kind: std::marker::PhantomData<T>,
}

impl<T: Plain> Default for Aligned<T> {
    fn default() -> Self {
        Aligned { lines: Vec::new(), length: 0, kind: std::marker::PhantomData }
    }
}

impl<T: Plain> Aligned<T> {
    /// So many zeros.
    pub fn zeros(length: usize) -> Self {
        let mut numbers = Aligned::default();
        numbers.resize(length);
        numbers
    }

    /// Makes it so long. What was there before stays as far as it fits; what is new is 0, or what was there before a shortening.
    pub fn resize(&mut self, length: usize) {
        let lines = (length * size_of::<T>()).div_ceil(64);
        if lines > self.lines.len() {
            self.lines.resize(lines, Line([0; 64]));
        }
        self.length = length;
    }
}

impl<T: Plain> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the lines hold so many numbers, all bits are values, and a line's alignment is enough.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }
}

impl<T: Plain> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and the lines are borrowed as a whole.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}
