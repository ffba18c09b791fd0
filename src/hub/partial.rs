//! A file that is being downloaded: `blobs/<etag>.<process>-<random>.incomplete`.
//!
//! Each download has a partial file of its own, so that two that do not know of each other never write into one. What an
//! earlier download left is taken over by copying: the bytes have to be hashed again anyway, and whoever may still write
//! to the old file cannot harm the new one.

use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use once_cell::sync::Lazy;

use super::disk;
use super::hashing::Hashing;
use super::name::Etag;
use super::repository::{Repository, has_ended, is_own, unique};
use super::tree::Entry;
use crate::digest::Digests;
use crate::error::{Error, Result};

const ENDING: &str = ".incomplete";
/// A partial file whose writer cannot be asked about is left alone for so long after its last byte: longer than a download
/// waits for the next ones.
const FRESH: Duration = Duration::from_secs(60);
/// How often a file may be taken away before it is given up. Only where locks do nothing can that happen.
const LOSSES: u32 = 4;
/// After so long nobody comes back for a partial file.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// Those that this process writes to.
static OPEN: Lazy<Mutex<HashSet<PathBuf>>> = Lazy::new(Mutex::default);

fn open_here() -> MutexGuard<'static, HashSet<PathBuf>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A partial file and the digest of what it holds.
pub(super) struct Partial {
    path: PathBuf,
    file: File,
    hashing: Hashing,
    length: u64,
    entry: Entry,
}

impl Partial {
    /// A new partial file, with the bytes of an earlier one where there is one to take over. `alone`: the caller holds the
    /// file's lock, so whoever wrote the earlier one does not write to it now, though it may be alive.
    ///
    /// # Errors
    /// [`Error::Disk`] where it cannot be made, or the whole file has no room.
    pub fn open(repository: &Repository, entry: &Entry, alone: bool) -> Result<Self> {
        let blobs = repository.blobs();
        std::fs::create_dir_all(&blobs).map_err(|source| disk::unwritable(&blobs, source))?;
        let fits = |left: &Leftover| (left.is_free || alone && !left.is_open_here) && left.length <= entry.size;
        let left = leftovers(&blobs, Some(&entry.etag)).into_iter().filter(fits).max_by_key(|left| left.length);
        // While it is copied both are there. Where that is too much, beginning again needs less room than going on.
        let copied = left.as_ref().filter(|_| disk::expect_room(&blobs, entry.size).is_ok());
        if let (Some(left), None) = (left.as_ref().filter(|left| left.is_free), copied) {
            drop(std::fs::remove_file(&left.path));
        }
        disk::expect_room(&blobs, entry.size)?;
        let path = blobs.join(format!("{}.{}{ENDING}", entry.etag.as_str(), unique()));
        let file = create(&path)?;
        open_here().insert(path.clone());
        let mut partial = Partial { path, file, hashing: Hashing::of(entry), length: 0, entry: entry.clone() };
        if let Some(left) = copied {
            // What cannot be read is downloaded.
            if let Ok(file) = File::open(&left.path) {
                partial.take_over(file, left.length)?;
            }
            if left.is_free {
                drop(std::fs::remove_file(&left.path));
            }
        }
        Ok(partial)
    }

    fn take_over(&mut self, mut from: File, length: u64) -> Result<()> {
        while self.length < length {
            let most = usize::try_from(length - self.length).unwrap_or(usize::MAX).min(1 << 20);
            let mut buffer = vec![0; most];
            match from.read(&mut buffer) {
                Ok(0) | Err(_) => return Ok(()),
                Ok(read) => {
                    buffer.truncate(read);
                    self.append(buffer.into())?;
                }
            }
        }
        Ok(())
    }

    /// Bytes that are here.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Adds the next bytes.
    pub fn append(&mut self, bytes: Bytes) -> Result<()> {
        self.file.write_all(&bytes).map_err(|source| self.unwritable(source))?;
        self.length += bytes.len() as u64;
        self.hashing.update(bytes);
        Ok(())
    }

    /// Begins again with nothing.
    pub fn restart(&mut self) -> Result<()> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map_err(|source| self.unwritable(source))?;
        (self.hashing, self.length) = (Hashing::of(&self.entry), 0);
        Ok(())
    }

    /// The digests, where all bytes are here and are the right ones; else the hash that they have.
    pub fn check(&mut self) -> std::result::Result<Digests, String> {
        let digests = self.hashing.digests();
        let found = match &self.entry.etag {
            Etag::Sha256(_) => &digests.sha256,
            Etag::Git(_) => digests.git.as_ref().unwrap_or(&digests.sha256),
        };
        if found == self.entry.etag.as_str() && self.length == self.entry.size {
            Ok(digests)
        } else {
            Err(found.clone())
        }
    }

    /// Gives the file its name. Returns what it looked like when its last byte had been written; `None` where its bytes had
    /// to be written again, and what was hashed are not those.
    pub fn place(mut self, repository: &Repository) -> Result<Option<Metadata>> {
        let blob = repository.blob(&self.entry.etag);
        let mut written = self.file.metadata().ok().filter(|metadata| metadata.len() == self.entry.size);
        // After a loss of power the name must not stand for a file whose bytes never reached the disk.
        self.file.sync_data().map_err(|source| self.unwritable(source))?;
        // A folder in the blob's place cannot be replaced by renaming.
        if std::fs::symlink_metadata(&blob).is_ok_and(|found| found.is_dir()) {
            std::fs::remove_dir_all(&blob).map_err(|source| disk::unwritable(&blob, source))?;
        }
        for losses in 0.. {
            match std::fs::rename(&self.path, &blob) {
                Ok(()) => break,
                // Somebody has taken its name away, as one left behind; the bytes are still here.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && losses < LOSSES => {
                    self.write_again()?;
                    written = None;
                }
                Err(source) => return Err(disk::unwritable(&blob, source)),
            }
        }
        for left in leftovers(&repository.blobs(), Some(&self.entry.etag)).into_iter().filter(|left| left.is_free) {
            drop(std::fs::remove_file(left.path));
        }
        Ok(written)
    }

    /// The same bytes under another name.
    fn write_again(&mut self) -> Result<()> {
        let path = self.path.with_file_name(format!("{}.{}{ENDING}", self.entry.etag.as_str(), unique()));
        let mut file = create(&path)?;
        open_here().insert(path.clone());
        open_here().remove(&std::mem::replace(&mut self.path, path));
        let copied = self.file.seek(SeekFrom::Start(0)).and_then(|_| std::io::copy(&mut self.file, &mut file));
        let copied =
            copied.and_then(|copied| file.sync_data().map(|()| copied)).map_err(|source| self.unwritable(source))?;
        if copied != self.entry.size {
            let found = std::io::Error::other(format!("{copied} bytes were there of {}", self.entry.size));
            return Err(disk::unwritable(&self.path, found));
        }
        self.file = file;
        Ok(())
    }

    /// Removes the file: it is of no use to anybody.
    pub fn discard(self) {
        drop(std::fs::remove_file(&self.path));
    }

    fn unwritable(&self, source: std::io::Error) -> Error {
        disk::full(&self.path, self.entry.size.saturating_sub(self.length), source)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.length == 0 {
            drop(std::fs::remove_file(&self.path));
        }
        open_here().remove(&self.path);
    }
}

/// Also to be read again, see [`Partial::write_again`].
fn create(path: &Path) -> Result<File> {
    let file = File::options().read(true).write(true).create_new(true).open(path);
    file.map_err(|source| disk::unwritable(path, source))
}

/// Removes what nobody comes back for: partial files of more than a day ago, by anybody, those of files that are there, and
/// what killed processes were making.
pub(super) fn sweep(repository: &Repository) {
    for left in leftovers(&repository.blobs(), None) {
        let is_there = || repository.blobs().join(&left.etag).is_file();
        if left.age > STALE || (left.is_free && left.is_ours && is_there()) {
            drop(std::fs::remove_file(left.path));
        }
    }
    for entry in std::fs::read_dir(repository.workshop()).into_iter().flatten().flatten() {
        let gone = entry.file_name().to_str().is_some_and(has_ended);
        let age = entry.metadata().ok().and_then(|metadata| age(&metadata)).unwrap_or_default();
        if gone || age > STALE {
            drop(std::fs::remove_file(entry.path()));
        }
    }
}

struct Leftover {
    path: PathBuf,
    etag: String,
    /// Made by vecrank: Python's have another form, and are swept but not taken over.
    is_ours: bool,
    length: u64,
    age: Duration,
    /// This process writes to it.
    is_open_here: bool,
    /// Nobody writes to it any more.
    is_free: bool,
}

fn leftovers(blobs: &Path, etag: Option<&Etag>) -> Vec<Leftover> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(blobs).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(ENDING)) else { continue };
        let (of, writer) = stem.split_once('.').unwrap_or((stem, ""));
        let is_ours = writer.split('-').count() == 3;
        if etag.is_some_and(|etag| etag.as_str() != of || !is_ours) {
            continue;
        }
        // Neither a link nor a pipe is a partial file of anybody's.
        let Ok(metadata) = entry.metadata() else { continue };
        if !metadata.is_file() {
            continue;
        }
        let age = age(&metadata).unwrap_or_default();
        let path = entry.path();
        let is_open_here = open_here().contains(&path);
        let is_free = !is_open_here && (age > FRESH || is_own(writer) || has_ended(writer));
        found.push(Leftover { path, etag: of.to_owned(), is_ours, length: metadata.len(), age, is_open_here, is_free });
    }
    found
}

fn age(metadata: &Metadata) -> Option<Duration> {
    SystemTime::now().duration_since(metadata.modified().ok()?).ok()
}
