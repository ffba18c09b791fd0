//! `vecrank.lock.json`: the commit and the SHA-256 of every file of the models that an application uses. Loads are pinned
//! to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::name::{Commit, ModelId, Revision, check_path, is_hex};
use super::repository::{is_absent, make_parent, unique, write_by};
use super::stamp::Verified;
use crate::digest::Digest;
use crate::error::{Error, Result};

/// Version of the format.
const VERSION: u64 = 1;

/// A lock file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockFile {
    version: u64,
    /// By id, then by the revision that was asked for.
    models: BTreeMap<String, BTreeMap<String, Pins>>,
}

/// What a model is pinned to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    /// 40 digits.
    pub commit: String,
    /// The values of `dtype` that were pulled; empty for a repository that only lends its small files.
    pub dtypes: BTreeSet<String>,
    /// Every file that may be used.
    pub files: BTreeMap<String, Pin>,
}

/// What a file is pinned to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Bytes.
    pub size: u64,
    /// 64 digits.
    pub sha256: String,
}

impl From<&Verified> for Pin {
    fn from(file: &Verified) -> Self {
        Pin { size: file.size, sha256: file.sha256.clone() }
    }
}

impl Default for LockFile {
    fn default() -> Self {
        LockFile { version: VERSION, models: BTreeMap::new() }
    }
}

impl LockFile {
    /// Reads a lock file; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Disk`]; [`Error::Corrupt`] where it is not what `vecrank pull --lock` writes.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(source) => return Err(Error::unreadable(path, source)),
        };
        let damaged = |what: String| Error::Corrupt {
            message: format!(
                "{} {what}. Take it from version control again, or delete it and write it with `npx vecrank pull <model> --lock`",
                path.display()
            ),
        };
        let file: LockFile = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(format!("is not a lock file of vecrank ({error})")))?;
        if file.version != VERSION {
            return Err(damaged(format!("is of version {}, and this vecrank knows version {VERSION}", file.version)));
        }
        for (id, revisions) in &file.models {
            ModelId::parse(id).map_err(|error| damaged(format!("names a model that cannot be: {error}")))?;
            for (revision, pins) in revisions {
                let hashes = pins.files.values().all(|pin| is_hex(&pin.sha256, 64));
                let paths = pins.files.keys().all(|path| check_path(path).is_ok());
                if Revision::parse(revision).is_err() || pins.commit().is_none() || !hashes || !paths {
                    return Err(damaged(format!("holds a commit, a path or a hash of {id} that cannot be")));
                }
            }
        }
        Ok(Some(file))
    }

    /// What a model is pinned to, by the revision's name or by its commit.
    #[must_use]
    pub fn pins(&self, id: &ModelId, revision: &Revision) -> Option<&Pins> {
        let revisions = self.models.get(id.as_str())?;
        revisions.get(revision.as_str()).or_else(|| revisions.values().find(|pins| pins.commit == revision.as_str()))
    }

    /// Models and revisions.
    pub fn models(&self) -> impl Iterator<Item = (&str, &str, &Pins)> {
        self.models
            .iter()
            .flat_map(|(id, revisions)| revisions.iter().map(|(revision, pins)| (id.as_str(), revision.as_str(), pins)))
    }

    /// Pins a model. Files that were pinned for other values of `dtype` stay as long as the commit does.
    pub fn pin(&mut self, id: &ModelId, revision: &Revision, mut pins: Pins) {
        let revisions = self.models.entry(id.as_str().to_owned()).or_default();
        if let Some(before) = revisions.get(revision.as_str()).filter(|before| before.commit == pins.commit) {
            pins.dtypes.extend(before.dtypes.iter().cloned());
            for (path, pin) in &before.files {
                pins.files.entry(path.clone()).or_insert_with(|| pin.clone());
            }
        }
        revisions.insert(revision.as_str().to_owned(), pins);
    }

    /// Changes the lock file at `path`, which is made if need be. One process at a time: a lock in the cache, so that no
    /// second file appears beside `package.json`; where it cannot be had, the last one to write wins.
    ///
    /// # Errors
    /// Those of [`LockFile::read`], [`Error::Disk`].
    pub fn update(path: &Path, cache: &Path, change: impl FnOnce(&mut LockFile)) -> Result<()> {
        let mut digest = Digest::sha256();
        digest.update(
            std::fs::canonicalize(path.parent().unwrap_or(path)).unwrap_or_default().as_os_str().as_encoded_bytes(),
        );
        digest.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        let guard = cache.join(".locks").join(format!("vecrank-{}.lock", &digest.finish().sha256[..16]));
        let held = make_parent(&guard).ok().and_then(|()| {
            let file = File::options().create(true).truncate(false).write(true).open(&guard).ok()?;
            file.lock().ok().map(|()| file)
        });
        let mut file = LockFile::read(path)?.unwrap_or_default();
        change(&mut file);
        file.write(path)?;
        drop(held);
        Ok(())
    }

    fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let fresh = path.with_file_name(format!("{name}.{}.tmp", unique()));
        write_by(&fresh, path, &text).map_err(|source| LockFile::unwritable(path, source))
    }

    /// The lock file or its folder cannot be made: the cache has nothing to do with it.
    pub(crate) fn unwritable(path: &Path, source: std::io::Error) -> Error {
        Error::Disk {
            message: format!(
                "Could not write the lock file {}. Make its folder writable, or name another place with `--lock FILE.json`",
                path.display()
            ),
            source: Some(source),
        }
    }
}

impl Pins {
    pub(super) fn commit(&self) -> Option<Commit> {
        Commit::parse(&self.commit)
    }

    /// Equal for equal pins: what was loaded under one lock file does not answer for another.
    pub(super) fn fingerprint(&self) -> String {
        let mut digest = Digest::sha256();
        digest.update(&serde_json::to_vec(self).unwrap_or_default());
        digest.finish().sha256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins(commit: char, dtype: &str, file: &str) -> Pins {
        let pin = Pin { size: 1, sha256: "0".repeat(64) };
        Pins {
            commit: commit.to_string().repeat(40),
            dtypes: BTreeSet::from([dtype.to_owned()]),
            files: BTreeMap::from([(file.to_owned(), pin)]),
        }
    }

    #[test]
    fn a_second_dtype_joins_and_a_new_commit_replaces() {
        let (id, main) = (ModelId::parse("a/b").expect("id"), Revision::parse("main").expect("revision"));
        let mut file = LockFile::default();
        file.pin(&id, &main, pins('1', "auto", "onnx/model.onnx"));
        file.pin(&id, &main, pins('1', "q8", "onnx/model_quantized.onnx"));
        let found = file.pins(&id, &main).expect("pins");
        assert_eq!((found.dtypes.len(), found.files.len()), (2, 2));
        file.pin(&id, &main, pins('2', "q8", "onnx/model_quantized.onnx"));
        let found = file.pins(&id, &main).expect("pins");
        assert_eq!((found.dtypes.len(), found.files.len()), (1, 1));
        assert!(file.pins(&id, &Revision::parse(&"2".repeat(40)).expect("commit")).is_some());
        assert!(file.pins(&id, &Revision::parse("v2").expect("tag")).is_none());
    }
}
