//! The digest of a file while it is downloaded. A large file's is taken on a thread of its own: hashing costs as much as
//! receiving, and the next bytes need not wait for it (docs/performance.md).

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use bytes::Bytes;

use super::name::Etag;
use super::tree::Entry;
use crate::digest::{Digest, Digests};

/// From this size on a thread is worth its start.
const LARGE: u64 = 4 << 20;
/// Bytes that are handed over at a time: waking the thread for each piece of the network costs more than hashing it.
const PARCEL: usize = 512 << 10;
/// Parcels that may wait to be hashed.
const WAITING: usize = 16;

/// Takes in the bytes of a file.
pub(super) enum Hashing {
    Here(Digest),
    Beside(Beside),
}

pub(super) struct Beside {
    parcels: SyncSender<Vec<Bytes>>,
    parcel: Vec<Bytes>,
    bytes: usize,
    thread: JoinHandle<Digest>,
}

impl Hashing {
    /// For the file that `entry` lists.
    pub fn of(entry: &Entry) -> Self {
        let digest = match entry.etag {
            Etag::Sha256(_) => Digest::sha256(),
            Etag::Git(_) => Digest::git(entry.size),
        };
        if entry.size < LARGE { Hashing::Here(digest) } else { Hashing::beside(digest) }
    }

    fn beside(digest: Digest) -> Self {
        let (parcels, waiting) = sync_channel::<Vec<Bytes>>(WAITING);
        let for_thread = digest.clone();
        let thread = std::thread::Builder::new().name("vecrank-hash".into()).spawn(move || {
            let mut digest = for_thread;
            waiting.iter().flatten().for_each(|piece| digest.update(&piece));
            digest
        });
        // Without a thread it takes longer.
        thread.map_or(Hashing::Here(digest), |thread| {
            Hashing::Beside(Beside { parcels, parcel: Vec::new(), bytes: 0, thread })
        })
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: Bytes) {
        match self {
            Hashing::Here(digest) => digest.update(&bytes),
            Hashing::Beside(beside) => {
                beside.bytes += bytes.len();
                beside.parcel.push(bytes);
                if beside.bytes >= PARCEL {
                    beside.hand_over();
                }
            }
        }
    }

    /// The digests of all bytes so far. More may follow.
    pub fn digests(&mut self) -> Digests {
        // Put in its place for a moment; the digest of nothing is that of no file that is large.
        *self = match std::mem::replace(self, Hashing::Here(Digest::sha256())) {
            Hashing::Beside(beside) => Hashing::Here(beside.finish()),
            here => here,
        };
        match self {
            Hashing::Here(digest) => digest.clone().finish(),
            Hashing::Beside(_) => Digest::sha256().finish(),
        }
    }
}

impl Beside {
    fn hand_over(&mut self) {
        self.bytes = 0;
        // The other end goes only when this one has.
        drop(self.parcels.send(std::mem::take(&mut self.parcel)));
    }

    fn finish(mut self) -> Digest {
        self.hand_over();
        drop(self.parcels);
        // A thread that panicked has hashed nothing.
        self.thread.join().unwrap_or_else(|_| Digest::sha256())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_and_here_are_one_digest() {
        let mut expected = Digest::git(5_000_000);
        let mut hashing = Hashing::of(&Entry { size: 5_000_000, etag: Etag::Git("0".repeat(40)) });
        assert!(matches!(hashing, Hashing::Beside(_)));
        for piece in 0..500_u32 {
            let bytes: Vec<u8> = (0..10_000_u32).map(|at| (at * piece % 251) as u8).collect();
            expected.update(&bytes);
            hashing.update(bytes.into());
            if piece == 250 {
                assert_eq!(hashing.digests(), expected.clone().finish());
            }
        }
        assert_eq!(hashing.digests(), expected.finish());
    }
}
