//! A load as those who wait for it see it: how far its downloads are, what they should be told, and whether anybody still
//! waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shared between the thread that loads and those who wait.
#[derive(Debug, Default)]
pub struct Loading {
    stopped: AtomicBool,
    files: Mutex<Vec<FileProgress>>,
    warnings: Mutex<Vec<String>>,
}

/// How far the download of a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProgress {
    /// The repository: `owner/name`.
    pub model: String,
    /// The path inside it.
    pub file: String,
    /// Bytes that are here.
    pub loaded: u64,
    /// Bytes in all.
    pub total: u64,
    /// Verified and in its place.
    pub done: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Loading {
    /// Ends the load: nobody waits for it any more.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// Whether the load should end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// A file will be downloaded. Gives the number to report its progress by.
    pub fn expect(&self, model: &str, file: &str, total: u64) -> usize {
        let mut files = lock(&self.files);
        let known = files.iter().position(|known| known.model == model && known.file == file);
        let progress = FileProgress { model: model.to_owned(), file: file.to_owned(), loaded: 0, total, done: false };
        match known {
            Some(at) => {
                files[at] = progress;
                at
            }
            None => {
                files.push(progress);
                files.len() - 1
            }
        }
    }

    /// So many bytes of the file are here.
    pub fn report(&self, at: usize, loaded: u64) {
        if let Some(file) = lock(&self.files).get_mut(at) {
            file.loaded = loaded;
        }
    }

    /// The file is verified and in its place.
    pub fn finish(&self, at: usize) {
        if let Some(file) = lock(&self.files).get_mut(at) {
            (file.loaded, file.done) = (file.total, true);
        }
    }

    /// The downloads as they stand.
    #[must_use]
    pub fn files(&self) -> Vec<FileProgress> {
        lock(&self.files).clone()
    }

    /// Something that the user should read, though the load goes on.
    pub fn warn(&self, warning: String) {
        lock(&self.warnings).push(warning);
    }

    /// What the user should read.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        lock(&self.warnings).clone()
    }
}
