//! A commit of a repository as a folder: files come when they are asked for, from the cache or over the network, and are
//! verified either way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use super::Request;
use super::download::{Downloads, etag_of_link};
use super::name::{Commit, check_path};
use super::network::Network;
use super::partial::sweep;
use super::pins::{Pin, Pins};
use super::repository::Repository;
use super::stamp::{Damage, Verified, verify};
use super::tree::{Entry, Tree};
use crate::error::{Error, Result, panic_message};
use crate::files::Source;
use crate::loading::Loading;

/// Files that are downloaded at the same time.
const AT_ONCE: usize = 4;
/// How long the Hub may take where the cache could do without it.
const SHORT: Duration = Duration::from_millis(2500);

/// A commit of a repository.
#[derive(Debug)]
pub struct Snapshot {
    /// What was asked for.
    pub request: Request,
    /// The commit.
    pub commit: Commit,
    pub(super) repository: Repository,
    pins: Option<Pins>,
    network: Arc<Network>,
    loading: Arc<Loading>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tree: Option<Arc<Tree>>,
    /// The list is the Hub's of now, and not one that was kept.
    asked: bool,
    /// Files that were taken to be absent because nobody could tell.
    unknown: BTreeSet<String>,
    /// Files that were asked for and are there.
    used: BTreeMap<String, Verified>,
}

enum Presence {
    Cached,
    /// In the repository and not in the cache.
    Missing,
    Absent,
    Unknown,
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
    /// be in the cache.
    #[must_use]
    pub fn explain(&self, error: Error) -> Error {
        // By its code: an error that several wait for is wrapped.
        let code = error.code();
        if self.is_locked() && code == "ERR_FILE_NOT_FOUND" {
            let (id, at) = (&self.request.id, self.request.at());
            return Error::FileNotFound(format!(
                "{error}. Only what the lock file pins is used: `npx vecrank pull {id}{at} --lock` with --dtype or --file pins more"
            ));
        }
        let state = self.state();
        let is_about_files = code == "ERR_FILE_NOT_FOUND" || code == "ERR_MODEL_UNSUPPORTED";
        if !is_about_files || state.unknown.is_empty() {
            return error;
        }
        let files: Vec<&str> = state.unknown.iter().map(String::as_str).collect();
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

    /// Says which files that change vectors were taken to be absent because nobody could tell.
    pub fn warn_of_gaps(&self) {
        const TELLING: [&str; 4] =
            ["modules.json", "config_sentence_transformers.json", "sentence_bert_config.json", "tokenizer_config.json"];
        let state = self.state();
        let gaps: Vec<&str> = TELLING.into_iter().filter(|name| state.unknown.contains(*name)).collect();
        if !gaps.is_empty() && self.request.settings.offline {
            self.loading.warn(format!(
                "It is not known whether {} has {}: the cache does not say, and the network may not be used. It was loaded \
                 without, which may give other vectors. Load it once online",
                self.request.id,
                gaps.join(", ")
            ));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn presence(&self, path: &str) -> Presence {
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

    /// The commit's list, where it is known without asking.
    fn known_tree(&self) -> Option<Arc<Tree>> {
        let mut state = self.state();
        if state.tree.is_none() {
            state.tree = Tree::read(&self.repository.tree(&self.commit)).map(Arc::new);
        }
        state.tree.clone()
    }

    /// The commit's list; `None` where it cannot be had and the cache may do without.
    fn tree(&self) -> Result<Option<Arc<Tree>>> {
        if let Some(tree) = self.known_tree() {
            return Ok(Some(tree));
        }
        if self.request.settings.offline {
            return Ok(None);
        }
        let is_cached = self.looks_whole();
        if is_cached && self.network.is_silent() {
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
            Err(error) => Err(error),
        }
    }

    /// Whether the cache may well do without the list: the files that every model has are there.
    fn looks_whole(&self) -> bool {
        let folder = self.folder();
        let has_graph = |folder: &Path| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|ending| ending == "onnx"))
        };
        let has = |name: &str| folder.join(name).is_file();
        has("config.json") && has("tokenizer.json") && (has_graph(&folder) || has_graph(&folder.join("onnx")))
    }

    fn ask_for_tree(&self, within: Option<Duration>) -> Result<Arc<Tree>> {
        let tree = Arc::new(self.run(async |downloads| downloads.tree(&self.commit, within).await)?);
        // A cache that cannot be written to says so when a file is downloaded into it.
        drop(tree.write(&self.repository, &self.commit));
        let mut state = self.state();
        (state.tree, state.asked) = (Some(tree.clone()), true);
        drop(state);
        Ok(tree)
    }

    fn run<T>(&self, work: impl AsyncFnOnce(Downloads) -> Result<T>) -> Result<T> {
        run(&self.request, &self.repository, &self.network, &self.loading, work)
    }

    /// Puts those of the files that the repository has into the cache, verified.
    fn ensure(&self, paths: &[&str]) -> Result<()> {
        let mut wanted = Vec::new();
        let mut missing = Vec::new();
        for path in paths {
            if self.state().used.contains_key(*path) {
                continue;
            }
            let mut presence = self.presence(path);
            if matches!(presence, Presence::Unknown) && self.tree()?.is_some() {
                presence = self.presence(path);
            }
            match presence {
                Presence::Cached => match self.check(path)? {
                    Ok(()) => {}
                    Err(damage) => wanted.push((*path, Some(damage))),
                },
                Presence::Missing if self.request.settings.offline => missing.push(*path),
                Presence::Missing => wanted.push((*path, None)),
                Presence::Absent => self.note_absent(path),
                Presence::Unknown => drop(self.state().unknown.insert((*path).to_owned())),
            }
        }
        if !missing.is_empty() {
            return Err(offline(&self.request, self.folder().is_dir(), &missing));
        }
        if self.request.settings.offline
            && let Some((path, Some(damage))) = wanted.first()
        {
            return Err(self.damaged(path, damage));
        }
        let paths: Vec<&str> = wanted.iter().map(|(path, _)| *path).collect();
        self.download(&paths)?;
        for path in paths {
            if let Err(damage) = self.check(path)? {
                return Err(self.damaged(path, &damage));
            }
        }
        Ok(())
    }

    fn note_absent(&self, path: &str) {
        // Where the marker is news: a lock file's choice says nothing about the repository.
        if check_path(path).is_ok()
            && self.pins.is_none()
            && !self.request.settings.offline
            && self.known_tree().is_some()
        {
            self.repository.note_absent(&self.commit, path);
        }
    }

    /// Compares a cached file with its hash and its pin.
    fn check(&self, path: &str) -> Result<std::result::Result<(), Damage>> {
        let pointer = self.repository.pointer(&self.commit, path);
        let linked = etag_of_link(&pointer);
        // The blob itself where the link leads to it, so that its stamp serves all commits that have it.
        let blob = linked.as_ref().map(|etag| self.repository.blob(etag));
        let same = |blob: &PathBuf| std::fs::canonicalize(blob).ok() == std::fs::canonicalize(&pointer).ok();
        let file = blob.filter(same).unwrap_or_else(|| pointer.clone());
        let listed = self.known_tree().and_then(|tree| tree.entry(path)).map(|entry| entry.etag);
        // A link that leads to another file of the repository is as wrong as a damaged one.
        if let (Some(linked), Some(listed)) = (&linked, &listed)
            && linked != listed
        {
            return Ok(Err(Damage::Differs { found: linked.as_str().to_owned() }));
        }
        let etag = linked.or(listed);
        let verified = match verify(&self.repository, &file, etag.as_ref(), &|| self.loading.is_stopped())? {
            Ok(verified) => verified,
            Err(damage) => return Ok(Err(damage)),
        };
        if let Some(pin) = self.pins.as_ref().and_then(|pins| pins.files.get(path))
            && pin.sha256 != verified.sha256
        {
            return Ok(Err(Damage::Differs { found: verified.sha256 }));
        }
        self.state().used.insert(path.to_owned(), verified);
        Ok(Ok(()))
    }

    fn damaged(&self, path: &str, damage: &Damage) -> Error {
        let pointer = self.repository.pointer(&self.commit, path);
        let what = match damage {
            Damage::Differs { found } if self.is_locked() => {
                format!("has the hash {found}, which is not the lock file's")
            }
            Damage::Differs { found } => format!("has the hash {found}, which is not the Hub's"),
            Damage::NoFile => "is no file".to_owned(),
        };
        Error::Corrupt {
            message: format!(
                "{path} of {} is damaged: {} {what}. Load it once online, or run `npx vecrank pull {}`, to mend it",
                self.request.id,
                pointer.display(),
                self.request.id
            ),
        }
    }

    fn download(&self, paths: &[&str]) -> Result<()> {
        if paths.is_empty() {
            return Ok(());
        }
        let kept = self.known_tree();
        let is_kept = kept.is_some() && !self.state().asked;
        let tree = match kept {
            Some(tree) => tree,
            None => self.ask_for_tree(None)?,
        };
        self.run(async |downloads| {
            let downloads = Downloads { is_kept, ..downloads };
            let mut entries = Vec::new();
            for path in paths {
                let entry = match tree.entry(path) {
                    Some(entry) => entry,
                    None => downloads.entry(&self.commit, path).await?,
                };
                // All totals first: a bar that knows the whole from the start.
                self.loading.expect(self.request.id.as_str(), path, entry.size);
                entries.push(((*path).to_owned(), entry));
            }
            let changed = fetch_all(&downloads, &self.commit, entries).await?;
            if changed.is_empty() {
                return Ok(());
            }
            // A commit never changes, but a list that was kept may be of a server that was put up anew.
            let fresh = downloads.tree(&self.commit, None).await?;
            let entries: Vec<(String, Entry)> =
                changed.iter().filter_map(|path| Some((path.clone(), fresh.entry(path)?))).collect();
            let downloads = Downloads { is_kept: false, ..downloads };
            let still = fetch_all(&downloads, &self.commit, entries).await?;
            let fresh = Arc::new(fresh);
            drop(fresh.write(&self.repository, &self.commit));
            self.state().tree = Some(fresh);
            match still.first() {
                None => Ok(()),
                Some(path) => Err(Error::Corrupt {
                    message: format!(
                        "The Hub lists {path} of {} with one hash and sends it with another. A proxy or mirror changes it",
                        self.request.id
                    ),
                }),
            }
        })
    }
}

/// Downloads the files, a few at a time. Gives those that the Hub now has with another hash.
async fn fetch_all(downloads: &Downloads, commit: &Commit, entries: Vec<(String, Entry)>) -> Result<Vec<String>> {
    let mut waiting = entries.into_iter();
    let mut running = JoinSet::new();
    let mut changed = Vec::new();
    loop {
        while running.len() < AT_ONCE
            && let Some((path, entry)) = waiting.next()
        {
            let (downloads, commit) = (downloads.clone(), commit.clone());
            running.spawn_local(async move { downloads.fetch(&commit, &path, &entry).await.map(|same| (path, same)) });
        }
        match running.join_next().await {
            None => return Ok(changed),
            Some(Ok(Ok((path, same)))) => changed.extend((!same).then_some(path)),
            // The first error ends the others; what they have is where the next load goes on.
            Some(Ok(Err(error))) => return Err(error),
            Some(Err(error)) => {
                let reason = error
                    .try_into_panic()
                    .map_or_else(|error| error.to_string(), |panic| panic_message(panic.as_ref()));
                return Err(Error::Internal(reason));
            }
        }
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
        work(Downloads { client, repository, id, loading, is_kept: false }).await
    })
}

impl Source for Snapshot {
    fn has(&self, relative: &str) -> Result<bool> {
        if matches!(self.presence(relative), Presence::Unknown) {
            self.tree()?;
        }
        match self.presence(relative) {
            Presence::Cached | Presence::Missing => Ok(true),
            Presence::Absent => {
                self.note_absent(relative);
                Ok(false)
            }
            Presence::Unknown => {
                self.state().unknown.insert(relative.to_owned());
                Ok(false)
            }
        }
    }

    fn locate(&self, relative: &str) -> Result<Option<PathBuf>> {
        self.ensure(&[relative])?;
        let is_here = self.state().used.contains_key(relative);
        Ok(is_here.then(|| self.repository.pointer(&self.commit, relative)))
    }

    fn prefetch(&self, relative: &[&str]) -> Result<()> {
        self.ensure(relative)
    }
}

fn nothing_cached(request: &Request) -> Error {
    offline(request, false, &["config.json", "tokenizer.json", "an ONNX file such as onnx/model.onnx"])
}

fn offline(request: &Request, in_part: bool, missing: &[&str]) -> Error {
    let Request { id, revision, settings, .. } = request;
    let at = request.at();
    Error::Offline(format!(
        "{id} at '{revision}' is not{} in the cache {}, and the network may not be used (`offline`, HF_HUB_OFFLINE or \
         TRANSFORMERS_OFFLINE). Missing: {}. Run `npx vecrank pull {id}{at}` where there is a network",
        if in_part { " whole" } else { "" },
        settings.cache.display(),
        missing.join(", ")
    ))
}
