//! The file that the network is read from, and those that belong to it.

use std::path::{Path, PathBuf};

use super::network::Choice;
use super::weights;
use crate::error::{Error, Result, shown};
use crate::files::{ModelFolder, impostor_at};
use crate::options::DType;

/// The network's file, at hand.
#[derive(Debug, Clone)]
pub struct NetworkFile {
    /// Absolute path.
    pub path: PathBuf,
    /// Path inside the repository, with `/`.
    pub relative: String,
    /// Number format of the computation; `None` for an explicit file whose name says nothing.
    pub dtype: Option<DType>,
    /// The files beside it that hold its weights, by the names that it has for them.
    pub weights: Vec<(String, PathBuf)>,
    /// Whether somebody may replace the files at any time: they are not the cache's.
    pub may_change: bool,
}

impl Choice {
    /// Brings the file and those that belong to it.
    ///
    /// # Errors
    /// Those of fetching; [`Error::FileNotFound`] and [`Error::ModelInvalid`] where a file that belongs to it is missing or cut.
    pub fn fetch(&self, folder: &ModelFolder) -> Result<NetworkFile> {
        let relative = &self.relative;
        folder.prefetch(&self.files(folder)?.iter().map(String::as_str).collect::<Vec<_>>())?;
        let path = folder.locate(relative)?.ok_or_else(|| {
            Error::FileNotFound(format!("{} has no file {relative} any more", folder.root().display()))
        })?;
        let weights =
            if self.is_safetensors() { shards(folder, relative)? } else { locate_weights(folder, &path, relative)? };
        Ok(NetworkFile {
            path,
            relative: relative.clone(),
            dtype: self.dtype,
            weights,
            may_change: folder.may_change(),
        })
    }

    /// The names of the file and of those that hold its weights: of a graph `model.onnx_data`, `_1`, `_2` … (Transformers.js), or
    /// `model.onnx.data`.
    pub(super) fn files(&self, folder: &ModelFolder) -> Result<Vec<String>> {
        let relative = &self.relative;
        let mut names = vec![relative.clone()];
        for first in [format!("{relative}_data"), format!("{relative}.data")] {
            let more = (1..).map(|number| format!("{first}_{number}"));
            for name in std::iter::once(first.clone()).chain(more) {
                if self.is_safetensors() || !folder.has(&name)? {
                    break;
                }
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// The shards that an index names; of a single file none.
fn shards(folder: &ModelFolder, relative: &str) -> Result<Vec<(String, PathBuf)>> {
    if !relative.ends_with(".index.json") {
        return Ok(Vec::new());
    }
    let wrong = || {
        Error::invalid_model(format!("{relative} has no \"weight_map\" that names files. Copy or download it again"))
    };
    let index = folder.object(relative)?.ok_or_else(wrong)?;
    let map = index.object("weight_map")?.ok_or_else(wrong)?;
    let files: Option<std::collections::BTreeSet<&str>> = map.entries().map(|(_, file)| file.as_str()).collect();
    let beside = relative.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let names: Vec<String> = files.ok_or_else(wrong)?.into_iter().map(|file| format!("{beside}{file}")).collect();
    if names.is_empty() || names.len() > MOST_SHARDS {
        return Err(wrong());
    }
    folder.prefetch(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
    let located = names.into_iter().map(|name| match folder.locate(&name)? {
        Some(path) => Ok((name, path)),
        None => Err(Error::FileNotFound(format!(
            "{relative} names {}, which is missing. Copy or download it",
            shown(&name)
        ))),
    });
    located.collect()
}

/// Shards that an index may name. Real ones have up to a few hundred.
const MOST_SHARDS: usize = 10_000;

/// ONNX Runtime would name a tensor, not the file that is missing or too short.
fn locate_weights(folder: &ModelFolder, path: &Path, relative: &str) -> Result<Vec<(String, PathBuf)>> {
    let beside = relative.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let mut found = Vec::new();
    for (name, needed) in weights::external(path) {
        let file = format!("{beside}{name}");
        let place = folder.locate(&file)?.ok_or_else(|| {
            Error::FileNotFound(format!(
                "{relative} keeps weights in {}, which is missing. Put it beside {relative}",
                shown(&file)
            ))
        })?;
        let length = std::fs::metadata(&place).map_err(|source| Error::unreadable(&place, source))?.len();
        if length < needed {
            return Err(impostor_at(&file, &place).unwrap_or_else(|| {
                Error::invalid_model(format!(
                    "{file} has {length} bytes, but {relative} has weights up to byte {needed} of it: it is cut off, or the two \
                     are not of one export. Copy or download both again"
                ))
            }));
        }
        found.push((name, place));
    }
    Ok(found)
}
