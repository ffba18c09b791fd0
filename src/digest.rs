//! Digests of files: SHA-256, and git's hash of a blob, which the Hub gives for small files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 20;

/// Both digests of a stream of bytes whose length is known.
#[derive(Clone)]
pub struct Digest {
    sha256: Sha256,
    git: Option<Sha1>,
}

/// What [`Digest::finish`] gives, in lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    /// 64 digits.
    pub sha256: String,
    /// 40 digits: `sha1("blob <length>\0" + bytes)`; absent where it was not asked for.
    pub git: Option<String>,
}

impl Digest {
    /// SHA-256 alone.
    #[must_use]
    pub fn sha256() -> Self {
        Digest { sha256: Sha256::new(), git: None }
    }

    /// SHA-256 and git's hash of a blob of `length` bytes.
    #[must_use]
    pub fn git(length: u64) -> Self {
        let mut git = Sha1::new();
        git.update(format!("blob {length}\0").as_bytes());
        Digest { sha256: Sha256::new(), git: Some(git) }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(git) = &mut self.git {
            git.update(bytes);
        }
    }

    /// The digests of all bytes.
    #[must_use]
    pub fn finish(self) -> Digests {
        Digests { sha256: hex(&self.sha256.finalize()), git: self.git.map(|git| hex(&git.finalize())) }
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Digest").field("git", &self.git.is_some()).finish_non_exhaustive()
    }
}

/// Digests the file, and stops between two chunks with `None` once `stop` says so.
///
/// # Errors
/// What the system says.
pub fn file(path: &Path, with_git: bool, stop: &dyn Fn() -> bool) -> std::io::Result<Option<Digests>> {
    let mut file = File::open(path)?;
    let mut digest = if with_git { Digest::git(file.metadata()?.len()) } else { Digest::sha256() };
    let mut buffer = vec![0; CHUNK];
    loop {
        if stop() {
            return Ok(None);
        }
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(Some(digest.finish()));
        }
        digest.update(&buffer[..read]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_git_and_sha256sum() {
        let mut digest = Digest::git(6);
        digest.update(b"hel");
        digest.update(b"lo\n");
        let found = digest.finish();
        // `printf 'hello\n' | git hash-object --stdin` and `| sha256sum`
        assert_eq!(found.git.as_deref(), Some("ce013625030ba8dba906f756967f9e9ca394464a"));
        assert_eq!(found.sha256, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
    }
}
