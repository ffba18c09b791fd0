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

/// Bytes from which on memory is asked of the system and goes back to it at once. The allocator would keep it for the thread that
/// loaded a model, which ends.
const LARGE: usize = 1 << 20;

/// Aligned numbers.
#[derive(Debug)]
pub(in crate::network::encoder) struct Aligned<T> {
    memory: Memory,
    length: usize,
    kind: std::marker::PhantomData<T>,
}

#[derive(Debug)]
enum Memory {
    Lines(Vec<Line>),
    /// Pages of the system, which are zeros at first.
    Pages(memmap2::MmapMut),
}

impl Memory {
    fn bytes(&self) -> usize {
        match self {
            Memory::Lines(lines) => size_of_val(lines.as_slice()),
            Memory::Pages(pages) => pages.len(),
        }
    }

    /// Pages for so many bytes; where the system has none, the allocator is asked, which ends the process as always.
    fn pages(bytes: usize) -> Option<Memory> {
        let pages = memmap2::MmapMut::map_anon(bytes).ok()?;
        // Weights are read from first to last: with large pages a seventh faster. A system without them goes on as before.
        #[cfg(target_os = "linux")]
        let _ = pages.advise(memmap2::Advice::HugePage);
        Some(Memory::Pages(pages))
    }
}

impl<T: Plain> Default for Aligned<T> {
    fn default() -> Self {
        Aligned { memory: Memory::Lines(Vec::new()), length: 0, kind: std::marker::PhantomData }
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
        let bytes = length * size_of::<T>();
        if bytes > self.memory.bytes() {
            self.grow(bytes);
        }
        self.length = length;
    }

    fn grow(&mut self, bytes: usize) {
        let pages = if bytes >= LARGE { Memory::pages(bytes) } else { None };
        match (pages, &mut self.memory) {
            (None, Memory::Lines(lines)) => lines.resize(bytes.div_ceil(64), Line([0; 64])),
            (grown, _) => {
                let lines = || Memory::Lines(vec![Line([0; 64]); bytes.div_ceil(64)]);
                let mut grown = Aligned { memory: grown.unwrap_or_else(lines), length: self.length, kind: self.kind };
                grown.copy_from_slice(self);
                *self = grown;
            }
        }
    }

    fn first(&self) -> *const T {
        match &self.memory {
            Memory::Lines(lines) => lines.as_ptr().cast(),
            Memory::Pages(pages) => pages.as_ptr().cast(),
        }
    }
}

impl<T: Plain> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the memory holds so many numbers, all bits are values, and a line's or page's alignment is enough.
        unsafe { std::slice::from_raw_parts(self.first(), self.length) }
    }
}

impl<T: Plain> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let first = match &mut self.memory {
            Memory::Lines(lines) => lines.as_mut_ptr().cast(),
            Memory::Pages(pages) => pages.as_mut_ptr().cast(),
        };
        // SAFETY: as above, and the memory is borrowed as a whole.
        unsafe { std::slice::from_raw_parts_mut(first, self.length) }
    }
}
