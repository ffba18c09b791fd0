//! The cache as a whole: what it holds, whether it is sound, and taking a model out of it.

use std::path::{Path, PathBuf};

use super::name::{Commit, Etag, ModelId};
use super::repository::Repository;
use super::settings::Settings;
use super::stamp;
use super::tree::Tree;
use crate::digest;
use crate::error::{Error, Result};
use crate::loading::Loading;

/// A model in the cache.
#[derive(Debug, Clone)]
pub struct Cached {
    /// `owner/name`
    pub id: ModelId,
    /// Its folder.
    pub folder: PathBuf,
    /// Bytes on the disk.
    pub size: u64,
    /// Branches and tags, with the commits they stand for.
    pub revisions: Vec<(String, String)>,
    /// Commits with files.
    pub commits: Vec<String>,
}

/// A file that is not what its name says.
#[derive(Debug, Clone)]
pub struct Unsound {
    /// The model.
    pub id: ModelId,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// The models in the cache, by name.
///
/// # Errors
/// [`Error::Disk`] where a folder cannot be listed.
pub fn list(settings: &Settings) -> Result<Vec<Cached>> {
    let mut found = Vec::new();
    for name in names(&settings.cache)? {
        let Some(id) = ModelId::of_folder(&name) else { continue };
        let folder = settings.cache.join(&name);
        let mut size = 0;
        for file in files(&folder)? {
            // A link's own size, not its blob's: each byte counts once.
            size += std::fs::symlink_metadata(&file).map_or(0, |found| if found.is_file() { found.len() } else { 0 });
        }
        let references = folder.join("refs");
        let mut revisions = Vec::new();
        for file in files(&references)? {
            let name = file.strip_prefix(&references).unwrap_or(&file).to_string_lossy().replace('\\', "/");
            revisions.push((name, std::fs::read_to_string(&file).unwrap_or_default().trim().to_owned()));
        }
        found.push(Cached { id, size, revisions, commits: names(&folder.join("snapshots"))?, folder });
    }
    Ok(found)
}

/// Hashes every blob of the cache, or of one model. Stamps are not believed.
///
/// # Errors
/// [`Error::Disk`], [`Error::ModelNotFound`], [`Error::Cancelled`].
pub fn verify(settings: &Settings, id: Option<&ModelId>, loading: &Loading) -> Result<(usize, Vec<Unsound>)> {
    let models = match id {
        Some(id) => vec![expect(settings, id)?],
        None => list(settings)?.into_iter().map(|cached| cached.id).collect(),
    };
    let (mut sound, mut unsound) = (0, Vec::new());
    for id in models {
        let repository = Repository::new(&settings.cache, &id, settings.symlinks);
        for name in names(&repository.blobs())? {
            let Some(etag) = Etag::parse(&name) else { continue };
            let path = repository.blob(&etag);
            match hash(&path, &etag, loading)? {
                None => sound += 1,
                Some(reason) => unsound.push(Unsound { id: id.clone(), path, reason }),
            }
        }
        for (path, etag) in unlinked(&repository)? {
            match hash(&path, &etag, loading)? {
                None => sound += 1,
                Some(reason) => unsound.push(Unsound { id: id.clone(), path, reason }),
            }
        }
    }
    Ok((sound, unsound))
}

/// Files of snapshots that are no links, with the hash that the commit's list or an earlier look gives them. One of which
/// nothing is known cannot be told sound from damaged.
fn unlinked(repository: &Repository) -> Result<Vec<(PathBuf, Etag)>> {
    let snapshots = repository.root().join("snapshots");
    let mut found = Vec::new();
    for name in names(&snapshots)? {
        let Some(commit) = Commit::parse(&name) else { continue };
        let tree = Tree::read(&repository.tree(&commit));
        let folder = repository.snapshot(&commit);
        for file in files(&folder)? {
            if !std::fs::symlink_metadata(&file).is_ok_and(|found| found.is_file()) {
                continue;
            }
            let path = file.strip_prefix(&folder).unwrap_or(&file).to_string_lossy().replace('\\', "/");
            let listed = tree.as_ref().and_then(|tree| tree.entry(&path)).map(|entry| entry.etag);
            let etag = listed.or_else(|| stamp::remembered(repository, &file).map(Etag::Sha256));
            found.extend(etag.map(|etag| (file, etag)));
        }
    }
    Ok(found)
}

fn hash(path: &Path, etag: &Etag, loading: &Loading) -> Result<Option<String>> {
    if !path.is_file() {
        return Ok(Some("is no file".into()));
    }
    let with_git = matches!(etag, Etag::Git(_));
    let digests =
        digest::file(path, with_git, &|| loading.is_stopped()).map_err(|source| Error::unreadable(path, source))?;
    let digests = digests.ok_or(Error::Cancelled)?;
    let found = if with_git { digests.git.as_deref().unwrap_or("") } else { &digests.sha256 };
    Ok((found != etag.as_str()).then(|| format!("has the hash {found}")))
}

/// Takes a model out of the cache: its folder and its locks. Gives the bytes that became free.
///
/// # Errors
/// [`Error::ModelNotFound`], [`Error::Disk`].
pub fn remove(settings: &Settings, id: &ModelId) -> Result<u64> {
    expect(settings, id)?;
    let size = list(settings)?.into_iter().find(|cached| cached.id == *id).map_or(0, |cached| cached.size);
    let repository = Repository::new(&settings.cache, id, settings.symlinks);
    for folder in [repository.root(), repository.locks()] {
        match std::fs::remove_dir_all(folder) {
            Err(source) if folder.exists() => {
                return Err(Error::Disk {
                    message: format!(
                        "Could not remove all of {}. Give this user the right to write there, and run the command again",
                        folder.display()
                    ),
                    source: Some(source),
                });
            }
            _ => {}
        }
    }
    Ok(size)
}

fn expect(settings: &Settings, id: &ModelId) -> Result<ModelId> {
    if Repository::new(&settings.cache, id, settings.symlinks).root().is_dir() {
        return Ok(id.clone());
    }
    Err(Error::ModelNotFound(format!("{id} is not in the cache {}", settings.cache.display())))
}

/// Names in a folder, sorted; none where there is no folder.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if super::repository::is_absent(&error) => return Ok(Vec::new()),
        Err(source) => return Err(Error::unreadable(folder, source)),
    };
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// Files in a folder and below it; links are not followed.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for name in names(folder)? {
        let path = folder.join(name);
        if std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}
