//! A commit's files, brought into the cache and verified: what is missing or damaged is downloaded, a few files at a time.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::download::{Downloads, etag_of_link};
use super::name::Commit;
use super::presence::Presence;
use super::snapshot::{Snapshot, offline};
use super::stamp::{Damage, verify};
use super::tree::Entry;
use crate::error::{Error, Result, panic_message};
use crate::files::{Source, files_in, may_be_lent};

/// Files that are downloaded at the same time.
const AT_ONCE: usize = 4;

impl Source for Snapshot {
    fn has(&self, relative: &str) -> Result<bool> {
        match self.found_out(relative)? {
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

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        let inside = |path: &str| {
            let name = path.strip_prefix(folder)?.strip_prefix('/')?;
            (!name.contains('/')).then(|| name.to_owned())
        };
        if let Some(pins) = &self.pins {
            return Ok(pins.files.keys().filter_map(|path| inside(path)).collect());
        }
        match self.tree()? {
            Some(tree) => Ok(tree.paths().filter_map(inside).collect()),
            // Nobody can tell, so it has what the cache has.
            None => {
                let path = self.folder().join(folder);
                files_in(&path).map_err(|source| Error::unreadable(&path, source))
            }
        }
    }
}

impl Snapshot {
    /// Puts those of the files that the repository has into the cache, verified.
    fn ensure(&self, paths: &[&str]) -> Result<()> {
        let mut wanted = Vec::new();
        let mut missing = Vec::new();
        for path in paths {
            if self.state().used.contains_key(*path) {
                continue;
            }
            match self.found_out(path)? {
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
            // A lock file names the rest as well; of graphs that are pinned for several dtypes only the one that is wanted.
            for path in self.pins.iter().flat_map(|pins| pins.files.keys().map(String::as_str)) {
                let is_graph = path.contains(".onnx") && self.pins.as_ref().is_some_and(|pins| pins.dtypes.len() > 1);
                if !is_graph && !missing.contains(&path) && matches!(self.presence(path), Presence::Missing) {
                    missing.push(path);
                }
            }
            // And of a base all that it lends: a load would find one after the other.
            let lent = self.known_tree().filter(|_| self.request.borrower.is_some());
            for path in lent.iter().flat_map(|tree| tree.paths()) {
                let is_lent = may_be_lent(path) && path.ends_with(".json");
                if is_lent && !missing.contains(&path) && matches!(self.presence(path), Presence::Missing) {
                    missing.push(path);
                }
            }
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
        let (id, command) = (&self.request.id, self.request.command());
        let pointer = self.repository.pointer(&self.commit, path);
        let what = match damage {
            Damage::Differs { found } => format!("{} has the hash {found}", pointer.display()),
            Damage::NoFile => format!("{} is no file", pointer.display()),
        };
        let pin = self.pins.as_ref().and_then(|pins| pins.files.get(path));
        let message = match (damage, pin) {
            (Damage::Differs { .. }, Some(pin)) => format!(
                "{path} of {id} is not the file that the lock file pins: {what}, the lock file says {}. Loading it once online mends a \
                 damaged cache. If that does not help, the lock file or the Hub was changed: compare the lock file with version \
                 control, or pin anew with `{command} --lock`",
                pin.sha256
            ),
            (Damage::Differs { .. }, None) => format!(
                "{path} of {id} is damaged: {what}, which is not the Hub's. Load it once online, or run `{command}`, \
                 to mend it"
            ),
            (Damage::NoFile, _) => {
                format!("{path} of {id} is damaged: {what}. Load it once online, or run `{command}`, to mend it")
            }
        };
        Error::Corrupt { message }
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
