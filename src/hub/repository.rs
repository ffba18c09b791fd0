//! A repository's folder in the cache, in huggingface_hub's layout:
//!
//! ```text
//! models--owner--name/blobs/<etag>                      the bytes
//!                     snapshots/<commit>/<path>         a link to its blob (or the file itself)
//!                     refs/<branch>                     the commit that a branch stood for
//!                     .no_exist/<commit>/<path>         a file that the commit does not have
//!                     trees/<commit>.json               all files of a commit
//!                     .vecrank/…                        which files were verified (stamp.rs); files that are being made
//! .locks/models--owner--name/<etag>.lock
//! ```
//!
//! Names come from `name.rs` and were checked there. Files appear by renaming, so that a reader sees all or nothing.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use once_cell::sync::Lazy;

use super::disk::unwritable;
use super::name::{Commit, Etag, ModelId, Revision};
use crate::digest::Digest;
use crate::error::{Error, Result};

/// A repository's folder.
#[derive(Debug, Clone)]
pub struct Repository {
    root: PathBuf,
    locks: PathBuf,
    symlinks: bool,
}

impl Repository {
    /// The folder of `id` in the cache. Nothing is made.
    #[must_use]
    pub fn new(cache: &Path, id: &ModelId, symlinks: bool) -> Self {
        let folder = id.folder();
        Repository { root: cache.join(&folder), locks: cache.join(".locks").join(folder), symlinks }
    }

    /// `models--owner--name`
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    pub(super) fn blob(&self, etag: &Etag) -> PathBuf {
        self.blobs().join(etag.as_str())
    }

    pub(super) fn lock(&self, etag: &Etag) -> PathBuf {
        self.locks.join(format!("{}.lock", etag.as_str()))
    }

    pub(super) fn locks(&self) -> &Path {
        &self.locks
    }

    /// The folder of a commit's files.
    #[must_use]
    pub fn snapshot(&self, commit: &Commit) -> PathBuf {
        self.root.join("snapshots").join(commit.as_str())
    }

    pub(super) fn pointer(&self, commit: &Commit, path: &str) -> PathBuf {
        self.snapshot(commit).join(path)
    }

    pub(super) fn tree(&self, commit: &Commit) -> PathBuf {
        self.root.join("trees").join(format!("{commit}.json"))
    }

    pub(super) fn stamps(&self) -> PathBuf {
        self.root.join(".vecrank")
    }

    fn reference(&self, revision: &Revision) -> PathBuf {
        self.root.join("refs").join(revision.as_str())
    }

    /// The commit that a branch or tag stood for when it was last asked for.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::Corrupt`] where the file holds something else than a commit.
    pub fn commit_of(&self, revision: &Revision) -> Result<Option<Commit>> {
        let path = self.reference(revision);
        // A folder of branches (`feature/x`) is not the branch `feature`; a pipe would never end.
        if path.exists() && !path.is_file() {
            return Ok(None);
        }
        let text = match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if is_absent(&error) => return Ok(None),
            Err(source) => return Err(Error::unreadable(&path, source)),
        };
        match Commit::parse(text.trim()) {
            Some(commit) => Ok(Some(commit)),
            None => Err(Error::Corrupt {
                message: format!("{} holds no commit. Delete it and load the model online", path.display()),
            }),
        }
    }

    pub(super) fn set_commit_of(&self, revision: &Revision, commit: &Commit) -> Result<()> {
        let path = self.reference(revision);
        let written = self.write(&path, commit.as_str().as_bytes());
        if written.is_ok() {
            return written;
        }
        // Git has never a branch `feature` beside `feature/x`, so what is in the way is of a branch that is gone.
        let references = self.root.join("refs");
        if path.is_dir() {
            drop(std::fs::remove_dir_all(&path));
        }
        for parent in path.ancestors().skip(1).take_while(|parent| *parent != references) {
            if parent.is_file() {
                drop(std::fs::remove_file(parent));
            }
        }
        self.write(&path, commit.as_str().as_bytes())
    }

    pub(super) fn is_known_absent(&self, commit: &Commit, path: &str) -> bool {
        self.absent(commit, path).is_file()
    }

    /// A help for later readers, Python among them; nothing depends on it.
    pub(super) fn note_absent(&self, commit: &Commit, path: &str) {
        let marker = self.absent(commit, path);
        if !marker.is_file() {
            drop(self.write(&marker, b""));
        }
    }

    fn absent(&self, commit: &Commit, path: &str) -> PathBuf {
        self.root.join(".no_exist").join(commit.as_str()).join(path)
    }

    /// Writes a small file whole.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        make_parent(path)?;
        write_by(&self.fresh()?, path, bytes).map_err(|source| unwritable(path, source))
    }

    /// Where files are made that get their name by renaming: what a killed process leaves there is seen by nobody.
    pub(super) fn workshop(&self) -> PathBuf {
        self.root.join(".vecrank").join("tmp")
    }

    fn fresh(&self) -> Result<PathBuf> {
        let path = self.workshop().join(unique());
        make_parent(&path)?;
        Ok(path)
    }

    /// Makes `path` of the commit name the blob. What is there and right stays: a reader never finds it gone.
    pub(super) fn point(&self, commit: &Commit, path: &str, etag: &Etag) -> Result<()> {
        let (pointer, blob) = (self.pointer(commit, path), self.blob(etag));
        if let (Ok(found), Ok(wanted)) = (std::fs::canonicalize(&pointer), std::fs::canonicalize(&blob))
            && found == wanted
        {
            return Ok(());
        }
        make_parent(&pointer)?;
        // Where something else lies under that name: a folder cannot be replaced by renaming.
        if std::fs::symlink_metadata(&pointer).is_ok_and(|found| found.is_dir()) {
            std::fs::remove_dir_all(&pointer).map_err(|source| unwritable(&pointer, source))?;
        }
        let fresh = self.fresh()?;
        let up = "../".repeat(2 + path.matches('/').count());
        let linked = self.symlinks && symlink(Path::new(&format!("{up}blobs/{}", etag.as_str())), &fresh).is_ok();
        // Without symbolic links: a second name of the same file, and where that is impossible too, a copy.
        let made = if linked || std::fs::hard_link(&blob, &fresh).is_ok() {
            Ok(())
        } else {
            std::fs::copy(&blob, &fresh).map(drop)
        };
        made.and_then(|()| std::fs::rename(&fresh, &pointer)).map_err(|source| {
            drop(std::fs::remove_file(&fresh));
            unwritable(&pointer, source)
        })
    }
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target.to_string_lossy().replace('/', "\\"), link)
}

/// Whether there is no such file, rather than one that cannot be looked at.
pub(super) fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// A word that no other process and thread has: where process numbers are counted, process, chance, count.
pub(super) fn unique() -> String {
    use std::hash::{BuildHasher, Hasher};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // Keys that the system gives at random; a process number comes again.
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{}-{}-{random:016x}{}", *SPACE, std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Names the space of process numbers: this start of this machine and this container. Another's processes, which may share
/// the cache, cannot be asked about.
static SPACE: Lazy<String> = Lazy::new(|| {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    if boot.is_empty() || space.as_os_str().is_empty() {
        return "0".to_owned();
    }
    let mut digest = Digest::sha256();
    digest.update(boot.as_bytes());
    digest.update(space.as_os_str().as_encoded_bytes());
    digest.finish().sha256.chars().take(8).collect()
});

/// Whether the process that gave itself this [`unique`] name is known to have ended. This one has not.
pub(super) fn has_ended(name: &str) -> bool {
    let mut parts = name.split('-');
    let (space, process) = (parts.next(), parts.next().and_then(|digits| digits.parse::<u32>().ok()));
    let (Some(space), Some(process)) = (space, process) else { return false };
    space != "0" && space == *SPACE && !Path::new(&format!("/proc/{process}")).exists()
}

/// Whether this process gave the name.
pub(super) fn is_own(name: &str) -> bool {
    name.starts_with(&format!("{}-{}-", *SPACE, std::process::id()))
}

/// Makes the folder of a file in the cache.
pub(super) fn make_parent(path: &Path) -> Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(parent).map_err(|source| unwritable(parent, source))
}

/// Writes a small file whole: first under the name `fresh`, on the same disk.
pub(super) fn write_by(fresh: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let write = || {
        let made = std::fs::File::create(fresh).and_then(|mut file| file.write_all(bytes));
        made.and_then(|()| std::fs::rename(fresh, path))
    };
    // Another machine may have taken it for something left behind.
    let written = write().or_else(|error| if error.kind() == ErrorKind::NotFound { write() } else { Err(error) });
    written.inspect_err(|_| drop(std::fs::remove_file(fresh)))
}
