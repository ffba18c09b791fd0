//! Which files a commit has, and which of them are here: told by the cache as far as it can, else by the Hub's list.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::name::check_path;
use super::snapshot::{SHORT, Snapshot};
use super::tree::Tree;
use crate::error::{Error, Result};

/// What is known of a file.
pub(super) enum Presence {
    /// Something lies under its name; [`Snapshot::check`] says whether it is right.
    Cached,
    /// In the repository and not in the cache.
    Missing,
    Absent,
    Unknown,
}

impl Snapshot {
    /// What is known of a file.
    pub(super) fn presence(&self, path: &str) -> Presence {
        // No repository has a file with such a name, and it must not become part of a path.
        if check_path(path).is_err() || self.pins.as_ref().is_some_and(|pins| !pins.files.contains_key(path)) {
            return Presence::Absent;
        }
        // Follows a link; one whose blob was deleted leads nowhere.
        match std::fs::metadata(self.repository.pointer(&self.commit, path)) {
            Ok(found) if found.is_file() => return Presence::Cached,
            // A folder in a file's place is damage, unless the commit has a folder there.
            Ok(_) if self.known_tree().is_none_or(|tree| tree.has(path)) => return Presence::Cached,
            Ok(_) => {}
            // A link says that the commit has the file, though its blob is gone.
            Err(_) if std::fs::symlink_metadata(self.repository.pointer(&self.commit, path)).is_ok() => {
                return Presence::Missing;
            }
            Err(_) => {}
        }
        if self.pins.is_some() {
            return Presence::Missing;
        }
        match self.known_tree() {
            Some(tree) if tree.has(path) => Presence::Missing,
            Some(_) => Presence::Absent,
            None if self.repository.is_known_absent(&self.commit, path) => Presence::Absent,
            None => Presence::Unknown,
        }
    }

    /// The same, and where the cache does not tell, the Hub is asked for its list.
    pub(super) fn found_out(&self, path: &str) -> Result<Presence> {
        match self.presence(path) {
            Presence::Unknown if self.tree()?.is_some() => Ok(self.presence(path)),
            presence => Ok(presence),
        }
    }

    /// The commit's list, where it is known without asking.
    pub(super) fn known_tree(&self) -> Option<Arc<Tree>> {
        let mut state = self.state();
        if state.tree.is_none() {
            state.tree = Tree::read(&self.repository.tree(&self.commit)).map(Arc::new);
        }
        state.tree.clone()
    }

    /// The commit's list; `None` where it cannot be had and the cache may do without.
    pub(super) fn tree(&self) -> Result<Option<Arc<Tree>>> {
        if let Some(tree) = self.known_tree() {
            return Ok(Some(tree));
        }
        if self.request.settings.offline {
            return Ok(None);
        }
        let is_cached = self.looks_whole();
        if is_cached && (self.network.is_silent() || self.state().refused) {
            return Ok(None);
        }
        match self.ask_for_tree(is_cached.then_some(SHORT)) {
            Ok(tree) => Ok(Some(tree)),
            Err(error @ Error::Download { .. }) if is_cached => {
                self.network.note_silence();
                self.loading.warn(format!(
                    "The Hub could not be asked which files {} has, so only those in the cache are used. {error}",
                    self.request.id
                ));
                Ok(None)
            }
            // A base that is gone or closed by now still lends what is here.
            Err(error @ (Error::ModelNotFound(_) | Error::Unauthorized(_)))
                if is_cached && self.request.borrower.is_some() =>
            {
                self.state().refused = true;
                self.loading.warn(format!(
                    "The Hub does not say any more which files {} has, so only those in the cache are used. {error}",
                    self.request.id
                ));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the cache may well do without the list: the files that every model has are there; of a base the first one.
    fn looks_whole(&self) -> bool {
        let folder = self.folder();
        if self.request.borrower.is_some() {
            return folder.join("modules.json").is_file();
        }
        let has_graph = |folder: &Path| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|ending| ending == "onnx"))
        };
        let has = |name: &str| folder.join(name).is_file();
        has("config.json") && has("tokenizer.json") && (has_graph(&folder) || has_graph(&folder.join("onnx")))
    }

    /// The commit's list from the Hub.
    pub(super) fn ask_for_tree(&self, within: Option<Duration>) -> Result<Arc<Tree>> {
        let tree = Arc::new(self.run(async |downloads| downloads.tree(&self.commit, within).await)?);
        // A cache that cannot be written to says so when a file is downloaded into it.
        drop(tree.write(&self.repository, &self.commit));
        let mut state = self.state();
        (state.tree, state.asked) = (Some(tree.clone()), true);
        drop(state);
        Ok(tree)
    }

    /// Leaves a marker for later readers.
    pub(super) fn note_absent(&self, path: &str) {
        // Where the marker is news: a lock file's choice says nothing about the repository.
        if check_path(path).is_ok()
            && self.pins.is_none()
            && !self.request.settings.offline
            && self.known_tree().is_some()
        {
            self.repository.note_absent(&self.commit, path);
        }
    }
}
