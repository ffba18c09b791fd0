//! One download of a file for many processes: an advisory lock in huggingface_hub's place, so that Python waits for us and
//! we for Python. It only saves traffic. On a disk whose locks do nothing every process downloads for itself, into a file
//! of its own, and the result is the same.

use std::fs::{File, OpenOptions, TryLockError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::name::Etag;
use super::repository::{Repository, make_parent};
use super::retry::Patience;
use crate::error::{Error, Result};
use crate::loading::Loading;

/// How often a waiting process looks. The system gives a lock back when its holder dies.
const LOOK: Duration = Duration::from_millis(50);
/// A holder whose partial file has not grown for so long is not waited for. Some seconds are left to try it alone.
const STUCK: Duration = Duration::from_secs(20);
/// The same once a load has met such a holder: where one lock is stuck, others are.
const STUCK_AGAIN: Duration = Duration::from_secs(1);

/// The right to download a file, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Exclusive {
    file: Option<File>,
}

impl Exclusive {
    /// Whether the system vouches for it: not on a disk without locks, and not where a stuck holder was passed by.
    pub fn is_held(&self) -> bool {
        self.file.is_some()
    }

    /// Waits for the right, or for `is_there`: somebody else has brought the file (`None`). Waiting for one that gets nothing
    /// uses up the `patience` that is left for a download of one's own.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub async fn acquire(
        repository: &Repository,
        etag: &Etag,
        loading: &Loading,
        patience: &mut Patience,
        met_stuck: &AtomicBool,
        is_there: impl Fn() -> bool,
    ) -> Result<Option<Self>> {
        let path = repository.lock(etag);
        // A lock needs no right to write; without a file to lock every process downloads for itself. A cache that cannot be
        // written to says so when the partial file is made.
        let opened = make_parent(&path).ok().and_then(|()| {
            let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
            file.or_else(|_| File::open(&path)).ok()
        });
        let Some(file) = opened else { return Ok(Some(Exclusive { file: None })) };
        let mut holder = Holder::default();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Exclusive { file: Some(file) })),
                // A disk without locks.
                Err(TryLockError::Error(_)) => return Ok(Some(Exclusive { file: None })),
                Err(TryLockError::WouldBlock) => {}
            }
            if is_there() {
                return Ok(None);
            }
            if loading.is_stopped() {
                return Err(Error::Cancelled);
            }
            let wait = if met_stuck.load(Ordering::Relaxed) { STUCK_AGAIN } else { STUCK };
            if holder.is_stuck(repository, etag, patience, wait) {
                met_stuck.store(true, Ordering::Relaxed);
                return Ok(Some(Exclusive { file: None }));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// What can be seen of whoever holds the lock.
#[derive(Default)]
struct Holder {
    seen: Option<(u64, Instant)>,
}

impl Holder {
    fn is_stuck(&mut self, repository: &Repository, etag: &Etag, patience: &mut Patience, wait: Duration) -> bool {
        let longest = longest_partial(repository, etag);
        match self.seen {
            // One that begins again, as the next holder does, is not further.
            Some((before, since)) if longest <= before => since.elapsed() > wait,
            seen => {
                // The first look tells nothing.
                if seen.is_some() {
                    patience.renew();
                }
                self.seen = Some((longest, Instant::now()));
                false
            }
        }
    }
}

fn longest_partial(repository: &Repository, etag: &Etag) -> u64 {
    let entries = std::fs::read_dir(repository.blobs()).into_iter().flatten().flatten();
    let of_file = entries.filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with(etag.as_str()) && name.ends_with(".incomplete")
    });
    of_file.filter_map(|entry| Some(entry.metadata().ok()?.len())).max().unwrap_or(0)
}
