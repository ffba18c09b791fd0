//! The bytes of a file in memory.
//!
//! Files are read and not mapped: who cuts a mapped file short ends the process, and a cache may be damaged while it is in use.

use std::fs::File;
use std::io::Read;
use std::ops::Deref;
use std::path::Path;

use super::kernel::Aligned;

/// The bytes of a file.
#[derive(Debug)]
pub(super) struct Bytes(Aligned<u8>);

impl Bytes {
    /// Reads the file.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        let mut file = File::open(path)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        let mut bytes = Aligned::zeros(length);
        file.read_exact(&mut bytes)?;
        Ok(Bytes(bytes))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// A copy.
impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        let mut copy = Aligned::zeros(bytes.len());
        copy.copy_from_slice(bytes);
        Bytes(copy)
    }
}
