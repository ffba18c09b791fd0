//! The bytes of a file, mapped or read.

#![allow(
    unsafe_code,
    reason = "who cuts a mapped file short ends the process; only files that never change are mapped"
)]

use std::fs::File;
use std::io::Read;
use std::ops::Deref;
use std::path::Path;

use super::aligned::Aligned;

/// The bytes of a file.
#[derive(Debug)]
pub(in crate::network::encoder) enum Bytes {
    /// Mapped: only what is looked at is in memory, and processes share it.
    Mapped(memmap2::Mmap),
    /// Read as a whole.
    Read(Aligned<u8>),
}

impl Bytes {
    /// Reads the file, or maps it where nobody may change it: the cache's files are written once, and replaced under another name.
    pub fn of(path: &Path, may_change: bool) -> std::io::Result<Self> {
        if may_change {
            let mut file = File::open(path)?;
            let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
            let mut bytes = Aligned::zeros(length);
            file.read_exact(&mut bytes)?;
            return Ok(Bytes::Read(bytes));
        }
        let file = File::open(path)?;
        // SAFETY: nobody changes or cuts the file while it is mapped, as the caller states.
        unsafe { memmap2::Mmap::map(&file) }.map(Bytes::Mapped)
    }

    /// Lets go of what has been looked at so far; it is read again where it is needed again.
    pub fn release(&self) {
        #[cfg(unix)]
        if let Bytes::Mapped(mapped) = self {
            // SAFETY: the mapping is of a file and only read, so its pages come back as they were.
            // A system that does not do it keeps the pages, which costs memory alone.
            let _ = unsafe { mapped.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(mapped) => mapped,
            Bytes::Read(read) => read,
        }
    }
}

/// A copy.
impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        let mut copy = Aligned::zeros(bytes.len());
        copy.copy_from_slice(bytes);
        Bytes::Read(copy)
    }
}
