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
/// Pieces that may wait to be hashed: some megabytes at most.
const WAITING: usize = 64;

/// Takes in the bytes of a file.
pub(super) enum Hashing {
    Here(Digest),
    Beside { pieces: SyncSender<Bytes>, thread: JoinHandle<Digest> },
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
        let (pieces, waiting) = sync_channel::<Bytes>(WAITING);
        let for_thread = digest.clone();
        let thread = std::thread::Builder::new().name("vecrank-hash".into()).spawn(move || {
            let mut digest = for_thread;
            waiting.iter().for_each(|piece| digest.update(&piece));
            digest
        });
        // Without a thread it takes longer.
        thread.map_or(Hashing::Here(digest), |thread| Hashing::Beside { pieces, thread })
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: Bytes) {
        match self {
            Hashing::Here(digest) => digest.update(&bytes),
            // The other end goes only when this one has.
            Hashing::Beside { pieces, .. } => drop(pieces.send(bytes)),
        }
    }

    /// The digests of all bytes so far. More may follow.
    pub fn digests(&mut self) -> Digests {
        if let Hashing::Beside { .. } = self {
            let beside = std::mem::replace(self, Hashing::Here(Digest::sha256()));
            if let Hashing::Beside { pieces, thread } = beside {
                drop(pieces);
                // A thread that panicked has hashed nothing, and nothing is the digest of no file.
                *self = Hashing::Here(thread.join().unwrap_or_else(|_| Digest::sha256()));
            }
        }
        match self {
            Hashing::Here(digest) => digest.clone().finish(),
            Hashing::Beside { .. } => Digest::sha256().finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_and_here_are_one_digest() {
        let mut expected = Digest::git(5_000_000);
        let mut hashing = Hashing::of(&Entry { size: 5_000_000, etag: Etag::Git("0".repeat(40)) });
        assert!(matches!(hashing, Hashing::Beside { .. }));
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
