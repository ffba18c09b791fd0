//! Models from the Hub, in the cache that Python's huggingface_hub uses.
//!
//! ```text
//! open → snapshot: presence, fetch   a commit as a folder           pins          the lock file
//!      → lender: card                a conversion's base
//!          ↓     →  network → download → client, answer   HTTP: bounded, redacted, verified while it streams
//!          ↓                     ↓    →  partial, hashing, exclusive    a file that is not whole yet; one download for many
//!          ↓     →  stamp                          verified before, unchanged since
//!        repository, tree                          the layout on disk
//! settings, name, retry, disk, trust, direct: leaves
//! ```
//!
//! Formats and protocol: huggingface_hub 2.4 (`file_download.py`, `_tree_cache.py`). `reqwest`, `rustls`, `tokio` and `fs4`
//! are used in this folder only.

mod answer;
mod card;
mod client;
mod direct;
mod disk;
mod download;
mod exclusive;
mod fetch;
mod hashing;
mod lender;
mod name;
mod network;
mod partial;
mod pins;
mod presence;
mod repository;
mod retry;
mod settings;
mod snapshot;
mod stamp;
pub mod store;
mod tree;
mod trust;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use lender::Lends;
pub use name::{Commit, ModelId, Revision};
pub use pins::{LockFile, Pin, Pins};
pub use settings::{Given, Settings, Token, VARIABLES};
pub use snapshot::Snapshot;

use self::network::Network;
use crate::error::{Error, Result};
use crate::files::ModelFolder;
use crate::loading::Loading;

/// A model on the Hub and how to get it. Equal requests share one load.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Request {
    /// The repository.
    pub id: ModelId,
    /// A branch, a tag or a commit.
    pub revision: Revision,
    /// The Hub and its cache.
    pub settings: Settings,
    /// Ask what a branch stands for now, though the cache has an answer.
    pub refresh: bool,
    /// The lock file that decides, where there is one.
    pub lock: Option<PathBuf>,
    /// Of a repository that lends small files: the model that they are for, and its revision.
    pub borrower: Option<(ModelId, Revision)>,
}

impl Request {
    /// The command that brings what is missing. A repository that only lends is brought with the model that it lends to: it
    /// need not have an ONNX file, and then cannot be pulled by itself.
    fn command(&self) -> String {
        let (id, revision) = match &self.borrower {
            Some((id, revision)) => (id, revision),
            None => (&self.id, &self.revision),
        };
        let at = if revision.as_str() == "main" { String::new() } else { format!(" --revision {revision}") };
        format!("npx vecrank pull {id}{at}")
    }
}

/// An opened model: its commit, and the repository that lends it small files.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The model's commit.
    pub snapshot: Arc<Snapshot>,
    /// The commit of the repository that the model's card names as its base, where files of it are used.
    pub base: Option<Arc<Snapshot>>,
}

/// Finds a model's commit, and, where `lends` says that it matters, the commit of the repository that its card names as its
/// base, if the model does not say how to pool and the base does. `dtype` is the choice that a lock file must have been made
/// for; `lends` is given the model's own folder.
///
/// # Errors
/// [`Error::Offline`], [`Error::Download`], [`Error::ModelNotFound`], [`Error::Unauthorized`], [`Error::Disk`],
/// [`Error::Corrupt`]; [`Error::FileNotFound`] where the lock file is not there or does not pin the model.
pub fn open(
    request: &Request,
    dtype: Option<&str>,
    lends: impl FnOnce(&ModelFolder) -> Result<Lends>,
    loading: &Arc<Loading>,
) -> Result<Opened> {
    let network = Arc::new(Network::default());
    let lock = request.lock.as_deref().map(|path| read_lock(path).map(|file| (path, file))).transpose()?;
    let pins = lock.as_ref().map(|(path, file)| pinned(file, path, request, dtype)).transpose()?;
    let snapshot = Arc::new(Snapshot::open(request.clone(), pins, network, loading.clone())?);
    let opened = Opened { snapshot, base: None };
    let lends = lends(&opened.folder())?;
    let base = lender::find(&opened.snapshot, lock.as_ref().map(|(_, file)| file), &lends)?;
    Ok(Opened { base, ..opened })
}

fn read_lock(path: &Path) -> Result<LockFile> {
    LockFile::read(path)?.ok_or_else(|| {
        Error::FileNotFound(format!(
            "There is no lock file {}. Write it with `npx vecrank pull <model> --lock`",
            path.display()
        ))
    })
}

fn pinned(file: &LockFile, path: &Path, request: &Request, dtype: Option<&str>) -> Result<Pins> {
    let Request { id, revision, .. } = request;
    let pins = file.pins(id, revision).ok_or_else(|| {
        Error::FileNotFound(format!(
            "{} does not pin {id} at '{revision}', and only what it pins is loaded. Run `{} --lock`",
            path.display(),
            request.command()
        ))
    })?;
    match dtype {
        Some(dtype) if !pins.dtypes.contains(dtype) => {
            let known: Vec<_> = pins.dtypes.iter().map(|known| format!("'{known}'")).collect();
            Err(Error::FileNotFound(format!(
                "{} pins {id} for dtype {}, not for '{dtype}'. Load it with that `dtype`, or run `{} --dtype {dtype} --lock`",
                path.display(),
                if known.is_empty() { "none".to_owned() } else { known.join(", ") },
                request.command()
            )))
        }
        _ => Ok(pins.clone()),
    }
}

impl Opened {
    /// The model's files as a folder.
    #[must_use]
    pub fn folder(&self) -> ModelFolder {
        let of = |snapshot: &Arc<Snapshot>| ModelFolder::of_source(snapshot.folder(), snapshot.clone());
        let folder = of(&self.snapshot);
        match &self.base {
            Some(base) => folder.with_base(of(base)),
            None => folder,
        }
    }

    /// The model's commit and its base's.
    pub fn snapshots(&self) -> impl Iterator<Item = &Arc<Snapshot>> {
        std::iter::once(&self.snapshot).chain(&self.base)
    }

    /// Notes the commits, now that their files are here. A note that cannot be written costs a request the next time, not
    /// the load.
    pub fn settle(&self, loading: &Loading) {
        for snapshot in self.snapshots() {
            snapshot.warn_of_gaps(self.base.is_some());
            if let Err(error) = snapshot.settle() {
                let causes: String = error.causes().iter().map(|cause| format!(": {cause}")).collect();
                loading.warn(format!(
                    "{} is loaded, but its commit could not be noted in the cache. {error}{causes}",
                    snapshot.request.id
                ));
            }
        }
    }

    /// See [`Snapshot::explain`].
    #[must_use]
    pub fn explain(&self, error: Error) -> Error {
        self.snapshot.explain(error, self.base.as_deref())
    }
}
