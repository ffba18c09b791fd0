//! Errors of the disk that the cache is on: what is needed and what is free, and which folder else could be the cache.

use std::path::Path;

use super::settings::ANOTHER_CACHE;
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
            "There is no room in {}: {needed} bytes are needed and {free} are free. Free some, or {ANOTHER_CACHE}",
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
            "Could not write to {}: {needed} more bytes are needed and {free} are free. Free some, or {ANOTHER_CACHE}",
            folder.display()
        ),
        source: Some(source),
    }
}

/// A file or folder of the cache that could not be made, changed or taken away.
pub(super) fn unwritable(path: &Path, source: std::io::Error) -> Error {
    use std::io::ErrorKind;
    // The nearest that there is: what was to be made inside it says little.
    let there = path.ancestors().find(|ancestor| std::fs::symlink_metadata(ancestor).is_ok()).unwrap_or(path);
    let advice = match source.kind() {
        ErrorKind::ReadOnlyFilesystem => "The disk can only be read: mount it for writing".to_owned(),
        ErrorKind::PermissionDenied => format!("Give this user the right to write in {}", there.display()),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists if !there.is_dir() => {
            format!("{} is in the way of a folder: remove it", there.display())
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "There is no room: free some".to_owned(),
        _ => format!("See to it that this user can make files in {}", there.display()),
    };
    Error::Disk {
        message: format!("Could not write to the cache of models: {}. {advice}, or {ANOTHER_CACHE}", path.display()),
        source: Some(source),
    }
}
