//! Errors of the disk, with what is needed and what is free.

use std::path::Path;

use crate::error::{Error, Result};

/// Refuses a download that does not fit, before its first byte.
pub(super) fn expect_room(folder: &Path, needed: u64) -> Result<()> {
    // Where the system does not say, writing will.
    let Ok(free) = fs4::available_space(folder) else { return Ok(()) };
    if free >= needed {
        return Ok(());
    }
    Err(Error::Disk {
        message: format!(
            "There is no room in {}: {needed} bytes are needed and {free} are free. Free some, or choose another folder \
             with `cacheDir`, MODEL_CACHE or HF_HOME",
            folder.display()
        ),
        source: None,
    })
}

/// A write that failed in the middle of a file of which `needed` bytes were still to come.
pub(super) fn full(path: &Path, needed: u64, source: std::io::Error) -> Error {
    let folder = path.parent().unwrap_or(path);
    let free = fs4::available_space(folder).map_or_else(|_| "an unknown number".to_owned(), |free| free.to_string());
    Error::Disk {
        message: format!(
            "Could not write to {}: {needed} more bytes are needed and {free} are free. Free some, or choose another folder \
             with `cacheDir`, MODEL_CACHE or HF_HOME",
            folder.display()
        ),
        source: Some(source),
    }
}
