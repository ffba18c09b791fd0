//! All files of a commit, with their sizes and hashes. A commit never changes, so its list is kept for ever, in the file
//! where huggingface_hub (2.4) keeps it: `trees/<commit>.json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::name::{Commit, Etag, check_path};
use super::repository::Repository;
use crate::error::Result;

/// Version of the file's format.
const FORMAT: u64 = 1;

/// The files of a commit by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    files: BTreeMap<String, Listed>,
}

/// A file as the Hub lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Bytes.
    pub size: u64,
    /// Its hash.
    pub etag: Etag,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Listed {
    size: u64,
    blob_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lfs_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lfs_size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    xet_hash: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct OnDisk {
    format_version: u64,
    files: BTreeMap<String, Listed>,
}

/// An element of the answer to `/api/models/<id>/tree/<revision>?recursive=true`.
#[derive(Deserialize)]
pub(super) struct Answered {
    #[serde(rename = "type")]
    kind: String,
    pub path: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    oid: String,
    lfs: Option<Large>,
    #[serde(rename = "xetHash")]
    xet_hash: Option<String>,
}

#[derive(Deserialize)]
struct Large {
    oid: String,
    size: u64,
}

impl Tree {
    /// The list on disk. One that is damaged, or of a later format, counts as absent: it is only a copy.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let found: OnDisk = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        (found.format_version == FORMAT).then_some(Tree { files: found.files })
    }

    pub(super) fn write(&self, repository: &Repository, commit: &Commit) -> Result<()> {
        let file = OnDisk { format_version: FORMAT, files: self.files.clone() };
        repository.write(&repository.tree(commit), &serde_json::to_vec_pretty(&file).unwrap_or_default())
    }

    /// Takes in a page of the Hub's answer. A path that could leave the cache is left out: such a file is never asked for.
    pub(super) fn extend(&mut self, page: Vec<Answered>) {
        for entry in page.into_iter().filter(|entry| entry.kind == "file" && check_path(&entry.path).is_ok()) {
            let (lfs_sha256, lfs_size) = entry.lfs.map(|lfs| (lfs.oid, lfs.size)).unzip();
            self.files.insert(
                entry.path,
                Listed { size: entry.size, blob_id: entry.oid, lfs_sha256, lfs_size, xet_hash: entry.xet_hash },
            );
        }
    }

    /// Whether the commit has the file.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// The paths, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Size and hash of a file; `None` where it is not listed, or with something that is no hash.
    #[must_use]
    pub fn entry(&self, path: &str) -> Option<Entry> {
        let listed = self.files.get(path)?;
        match (&listed.lfs_sha256, listed.lfs_size) {
            (Some(sha256), size) => Some(Entry { size: size.unwrap_or(listed.size), etag: Etag::parse(sha256)? }),
            (None, _) => Some(Entry { size: listed.size, etag: Etag::parse(&listed.blob_id)? }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_goes_by_its_sha256_and_hostile_paths_are_left_out() {
        let (git, sha) = ("1".repeat(40), "2".repeat(64));
        let page = serde_json::json!([
            {"type": "directory", "path": "onnx", "oid": git},
            {"type": "file", "path": "config.json", "oid": git, "size": 7},
            {"type": "file", "path": "onnx/model.onnx", "oid": git, "size": 9, "lfs": {"oid": sha, "size": 9, "pointerSize": 130}},
            {"type": "file", "path": "../../evil", "oid": git, "size": 7},
            {"type": "file", "path": "odd", "oid": "../../evil", "size": 7},
        ]);
        let mut tree = Tree::default();
        tree.extend(serde_json::from_value(page).expect("page"));
        assert_eq!(tree.entry("config.json"), Some(Entry { size: 7, etag: Etag::Git(git) }));
        assert_eq!(tree.entry("onnx/model.onnx"), Some(Entry { size: 9, etag: Etag::Sha256(sha) }));
        assert!(tree.files.keys().eq(["config.json", "odd", "onnx/model.onnx"]));
        assert_eq!(tree.entry("odd"), None);
    }
}
