//! A commit of a repository as a folder. Files come when they are asked for, from the cache or over the network, and are
//! verified either way: `presence.rs` says which there are, `fetch.rs` brings them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Request;
use super::download::Downloads;
use super::name::Commit;
use super::network::Network;
use super::partial::sweep;
use super::pins::{Pin, Pins};
use super::presence::Presence;
use super::repository::Repository;
use super::stamp::Verified;
use super::tree::Tree;
use crate::error::{Error, Result};
use crate::loading::Loading;

/// How long the Hub may take where the cache could do without it.
pub(super) const SHORT: Duration = Duration::from_millis(2500);

/// A commit of a repository.
#[derive(Debug)]
pub struct Snapshot {
    /// What was asked for.
    pub request: Request,
    /// The commit.
    pub commit: Commit,
    pub(super) repository: Repository,
    pub(super) pins: Option<Pins>,
    pub(super) network: Arc<Network>,
    pub(super) loading: Arc<Loading>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub tree: Option<Arc<Tree>>,
    /// The list is the Hub's of now, and not one that was kept.
    pub asked: bool,
    /// Files that were taken to be absent because nobody could tell.
    pub unknown: BTreeSet<String>,
    /// The Hub does not let us see the list.
    pub refused: bool,
    /// Files that were asked for and are there.
    pub used: BTreeMap<String, Verified>,
}

impl Snapshot {
    /// Finds the commit: the lock file's, the one that is named, the cached one, or the Hub's present one.
    ///
    /// # Errors
    /// [`Error::Offline`], [`Error::Download`], [`Error::ModelNotFound`], [`Error::Unauthorized`], [`Error::Disk`].
    pub(super) fn open(
        request: Request,
        pins: Option<Pins>,
        network: Arc<Network>,
        loading: Arc<Loading>,
    ) -> Result<Self> {
        let settings = &request.settings;
        let repository = Repository::new(&settings.cache, &request.id, settings.symlinks);
        let pinned = pins.as_ref().and_then(Pins::commit).or_else(|| request.revision.as_commit());
        let commit = match pinned {
            Some(commit) => commit,
            None => {
                let cached = match repository.commit_of(&request.revision) {
                    // The Hub can say it again.
                    Err(Error::Corrupt { .. }) if !settings.offline => None,
                    cached => cached?,
                };
                let asks = !settings.offline && (request.refresh || cached.is_none());
                match (cached, asks) {
                    (Some(commit), false) => commit,
                    (None, false) => return Err(nothing_cached(&request)),
                    (cached, true) => ask(&request, &repository, &network, &loading, cached)?,
                }
            }
        };
        Ok(Snapshot { request, commit, repository, pins, network, loading, state: Mutex::default() })
    }

    /// The folder of the commit's files.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.repository.snapshot(&self.commit)
    }

    /// What a lock file pins, in short; `None` without one.
    #[must_use]
    pub fn pinned(&self) -> Option<String> {
        self.pins.as_ref().map(Pins::fingerprint)
    }

    /// Whether a lock file decides.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.pins.is_some()
    }

    /// The files that were used, as a lock file holds them.
    #[must_use]
    pub fn used(&self) -> BTreeMap<String, Pin> {
        self.state().used.iter().map(|(path, file)| (path.clone(), Pin::from(file))).collect()
    }

    /// Notes which commit the revision stands for, now that its files are here. Until then the cache answers with the
    /// commit of before, whose files it has.
    pub fn settle(&self) -> Result<()> {
        sweep(&self.repository);
        let revision = &self.request.revision;
        if self.request.settings.offline || self.is_locked() || revision.as_commit().is_some() {
            return Ok(());
        }
        if self.repository.commit_of(revision).ok().flatten().as_ref() == Some(&self.commit) {
            return Ok(());
        }
        self.repository.set_commit_of(revision, &self.commit)
    }

    /// An error of reading the model, in the light of what could not be found out: a file that "is missing" may only not
    /// be in the cache, or in that of the `base`.
    #[must_use]
    pub fn explain(&self, error: Error, base: Option<&Snapshot>) -> Error {
        // By its code: an error that several wait for is wrapped.
        let code = error.code();
        if self.is_locked() && code == "ERR_FILE_NOT_FOUND" {
            return Error::FileNotFound(format!(
                "{error}. Only what the lock file pins is used: `{} --lock` with --dtype or --file pins more",
                self.request.command()
            ));
        }
        let lent = base.filter(|base| !base.is_locked());
        let lent = lent.into_iter().flat_map(|base| {
            let unknown = base.state().unknown.clone();
            unknown.into_iter().map(|file| format!("{file} of {}", base.request.id))
        });
        let files: Vec<String> = self.state().unknown.iter().cloned().chain(lent).collect();
        let is_about_files = code == "ERR_FILE_NOT_FOUND" || code == "ERR_MODEL_UNSUPPORTED";
        if !is_about_files || files.is_empty() {
            return error;
        }
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        if self.request.settings.offline {
            return offline(&self.request, true, &files);
        }
        Error::Download {
            message: format!(
                "{} is in the cache only in part, and the Hub could not be asked for {}",
                self.request.id,
                files.join(", ")
            ),
            source: Some(error.to_string().into()),
        }
    }

    /// Says which files that change vectors were taken to be absent because nobody could tell. `borrows`: a base lends it
    /// `modules.json`.
    pub fn warn_of_gaps(&self, borrows: bool) {
        const TELLING: [&str; 4] =
            ["modules.json", "config_sentence_transformers.json", "sentence_bert_config.json", "tokenizer_config.json"];
        // Two of them are read beside `modules.json` only.
        let has_none = !borrows && matches!(self.presence("modules.json"), Presence::Absent);
        let state = self.state();
        let gaps: Vec<&str> = TELLING
            .into_iter()
            .filter(|name| state.unknown.contains(*name) && !(has_none && name.contains("sentence")))
            .collect();
        if !gaps.is_empty() && self.request.settings.offline {
            self.loading.warn(format!(
                "It is not known whether {} has {}: the cache does not say, and the network may not be used. It was loaded \
                 without, which may give other vectors. Load it once online, or run `{}` where there is a network",
                self.request.id,
                gaps.join(", "),
                self.request.command()
            ));
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn run<T>(&self, work: impl AsyncFnOnce(Downloads) -> Result<T>) -> Result<T> {
        run(&self.request, &self.repository, &self.network, &self.loading, work)
    }
}

/// What a branch or tag stands for now. A Hub that does not answer is no reason to fail where the cache has an answer.
fn ask(
    request: &Request,
    repository: &Repository,
    network: &Network,
    loading: &Arc<Loading>,
    cached: Option<Commit>,
) -> Result<Commit> {
    if let Some(cached) = cached.clone().filter(|_| network.is_silent()) {
        return Ok(cached);
    }
    let within = cached.is_some().then_some(SHORT);
    let found = run(request, repository, network, loading, async |downloads| {
        downloads.commit_of(&request.revision, within).await
    });
    match (found, cached) {
        (Err(error @ Error::Download { .. }), Some(cached)) => {
            network.note_silence();
            loading.warn(format!(
                "{} could not be refreshed, so the cached commit {cached} of '{}' is used. {error}",
                request.id, request.revision
            ));
            Ok(cached)
        }
        (found, _) => found,
    }
}

fn run<T>(
    request: &Request,
    repository: &Repository,
    network: &Network,
    loading: &Arc<Loading>,
    work: impl AsyncFnOnce(Downloads) -> Result<T>,
) -> Result<T> {
    network.run(&request.settings, loading, async |client| {
        let (repository, id, loading) = (repository.clone(), request.id.clone(), loading.clone());
        let met_stuck = network.met_stuck.clone();
        work(Downloads { client, repository, id, loading, is_kept: false, met_stuck }).await
    })
}

pub(super) fn nothing_cached(request: &Request) -> Error {
    match request.borrower {
        Some(_) => offline(request, false, &["modules.json and the files that it names"]),
        None => offline(request, false, &["config.json", "tokenizer.json", "an ONNX file such as onnx/model.onnx"]),
    }
}

pub(super) fn offline(request: &Request, in_part: bool, missing: &[&str]) -> Error {
    let Request { id, revision, settings, .. } = request;
    let role = match &request.borrower {
        Some((borrower, _)) => format!(", the base of {borrower},"),
        None => String::new(),
    };
    Error::Offline(format!(
        "{id} at '{revision}'{role} is not{} in the cache {}, and the network may not be used (`offline`, HF_HUB_OFFLINE or \
         TRANSFORMERS_OFFLINE). Missing: {}. Run `{}` where there is a network",
        if in_part { " whole" } else { "" },
        settings.cache.display(),
        missing.join(", "),
        request.command()
    ))
}
