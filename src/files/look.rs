//! What files look like from outside: enough to notice that one was replaced, at the price of asking the system once.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

/// Size, times in nanoseconds and place on the disk of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Bytes.
    pub size: u64,
    /// When its bytes were changed last.
    pub modified: u64,
    /// When its bytes, name or rights were changed last; nobody can set that. 0 where the system does not say.
    pub changed: i64,
    /// Its number on the disk: another file of the same name has another. 0 where the system does not say.
    pub inode: u64,
}

impl Look {
    /// What the system says of a file.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let (changed, inode) = place(metadata);
        Look {
            size: metadata.len(),
            modified: modified.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
            changed,
            inode,
        }
    }
}

#[cfg(unix)]
fn place(metadata: &Metadata) -> (i64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.ctime().wrapping_mul(1_000_000_000).wrapping_add(metadata.ctime_nsec()), metadata.ino())
}

#[cfg(not(unix))]
fn place(_metadata: &Metadata) -> (i64, u64) {
    (0, 0)
}

/// What the files of a folder looked like when they were first asked for, also that there was none: a file that appears is a
/// change as well. Clones share one list.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<Mutex<BTreeMap<PathBuf, Option<Look>>>>);

impl Seen {
    /// Whether there is a regular file. What it looks like is noted if it was not asked for before.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn note(&self, path: &Path) -> Result<bool> {
        let found = look_at(path)?;
        self.lock().entry(path.to_path_buf()).or_insert(found);
        Ok(found.is_some())
    }

    /// The first file that does not look as it did.
    #[must_use]
    pub fn changed(&self) -> Option<PathBuf> {
        let seen = self.lock();
        seen.iter().find(|(path, look)| !look_at(path).is_ok_and(|now| now == **look)).map(|(path, _)| path.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Option<Look>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn look_at(path: &Path) -> Result<Option<Look>> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.is_file().then(|| Look::of(&metadata))),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn is_absent(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
