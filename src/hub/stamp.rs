//! Which files of the cache were verified. Hashing a model takes longer than opening it, so a file that was verified once
//! is believed as long as its size, its times and its place on the disk are those of then.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::name::Etag;
use super::repository::Repository;
use crate::digest::{self, Digests};
use crate::error::{Error, Result};
use crate::files::Look;

/// What a file looked like when its digests were taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    #[serde(flatten)]
    look: Look,
    sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    git: Option<String>,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// Its bytes have another hash.
    Differs {
        /// The hash that they have.
        found: String,
    },
    /// It is a folder, or cannot be opened as a file.
    NoFile,
}

/// A file that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Bytes.
    pub size: u64,
    /// SHA-256, 64 digits.
    pub sha256: String,
}

/// Where the stamp of a file lies: by the name of its blob, or by commit and path where the snapshot holds no link.
fn stamp_path(repository: &Repository, file: &Path) -> PathBuf {
    let inside = file.strip_prefix(repository.root()).unwrap_or(file);
    repository.stamps().join(format!("{}.json", inside.display()))
}

/// Compares a file with its hash; without one, with what it was when it was first seen. `Err` in the inner result says
/// what is wrong with it.
///
/// # Errors
/// [`Error::Disk`] where it cannot be read, [`Error::Cancelled`].
pub fn verify(
    repository: &Repository,
    file: &Path,
    etag: Option<&Etag>,
    stop: &dyn Fn() -> bool,
) -> Result<std::result::Result<Verified, Damage>> {
    let path = stamp_path(repository, file);
    let Some(now) = look(file)? else { return Ok(Err(Damage::NoFile)) };
    let known = read(&path);
    if let Some(known) = known.as_ref().filter(|known| known.look == now && known.has(etag)) {
        return Ok(Ok(Verified { size: known.look.size, sha256: known.sha256.clone() }));
    }
    let with_git = matches!(etag, Some(Etag::Git(_)));
    let digests = digest::file(file, with_git, stop).map_err(|source| Error::unreadable(file, source))?;
    let Some(digests) = digests else { return Err(Error::Cancelled) };
    let expected = match (etag, &known) {
        (Some(etag), _) => etag.as_str(),
        (None, Some(known)) => known.sha256.as_str(),
        (None, None) => digests.sha256.as_str(),
    };
    let found = if with_git { digests.git.as_deref().unwrap_or("") } else { &digests.sha256 };
    if found != expected {
        return Ok(Err(Damage::Differs { found: found.to_owned() }));
    }
    let verified = Verified { size: now.size, sha256: digests.sha256.clone() };
    let stamp = Stamp { look: now, sha256: digests.sha256, git: digests.git };
    // A cache that cannot be written to is hashed each time: slower, and just as safe.
    drop(stamp.write(repository, &path));
    Ok(Ok(verified))
}

/// Notes that a file has just been written with these digests. `written` is what it looked like before it got its name:
/// what was changed since is not what was hashed.
pub(super) fn note(repository: &Repository, file: &Path, digests: &Digests, written: &Metadata) {
    let Ok(Some(now)) = look(file) else { return };
    let before = Look::of(written);
    // Renaming changes one of the times, and neither the bytes nor the time of their last change.
    if (now.size, now.modified, now.inode) == (before.size, before.modified, before.inode) {
        let stamp = Stamp { look: now, sha256: digests.sha256.clone(), git: digests.git.clone() };
        drop(stamp.write(repository, &stamp_path(repository, file)));
    }
}

impl Stamp {
    fn has(&self, etag: Option<&Etag>) -> bool {
        match etag {
            Some(Etag::Sha256(digits)) => self.sha256 == *digits,
            Some(Etag::Git(digits)) => self.git.as_ref() == Some(digits),
            None => true,
        }
    }

    fn write(&self, repository: &Repository, path: &Path) -> Result<()> {
        repository.write(path, &serde_json::to_vec(self).unwrap_or_default())
    }
}

/// The SHA-256 that the file had when it was verified last, whatever has become of it.
pub(super) fn remembered(repository: &Repository, file: &Path) -> Option<String> {
    read(&stamp_path(repository, file)).map(|stamp| stamp.sha256)
}

fn read(path: &Path) -> Option<Stamp> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// What the file looks like now; `None` where it is no file.
fn look(file: &Path) -> Result<Option<Look>> {
    let metadata = std::fs::metadata(file).map_err(|source| Error::unreadable(file, source))?;
    Ok(metadata.is_file().then(|| Look::of(&metadata)))
}
