//! A model's folder on disk: which files it has and what they hold.
//!
//! An optional file that is absent is `None`; a file that is there but cannot be read or parsed is always an error.

mod impostor;
mod look;
mod object;

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

pub use impostor::{impostor, impostor_at};
pub use look::{Look, Seen};
pub use object::Object;

use crate::error::{Error, Result, shown};

/// Largest JSON file that is read. Real `tokenizer.json` files stay below 40 MB.
const MAX_JSON_BYTES: u64 = 256 << 20;

/// Where the files of a folder come from, if not from the folder alone.
pub trait Source: std::fmt::Debug + Send + Sync {
    /// Whether there is such a file, here or to be fetched.
    ///
    /// # Errors
    /// Where that cannot be found out.
    fn has(&self, relative: &str) -> Result<bool>;

    /// Fetches and verifies the file; `None` where there is no such file.
    ///
    /// # Errors
    /// Where it cannot be had, or is not what it should be.
    fn locate(&self, relative: &str) -> Result<Option<PathBuf>>;

    /// Fetches those of the files that there are, at the same time.
    ///
    /// # Errors
    /// As [`Source::locate`].
    fn prefetch(&self, relative: &[&str]) -> Result<()>;

    /// The names of the files in a folder, not those deeper in it; here or to be fetched.
    ///
    /// # Errors
    /// As [`Source::has`].
    fn list(&self, folder: &str) -> Result<Vec<String>>;
}

/// The name of a folder that all its names lead to; the given one where it cannot be found out. Two names of one folder are one
/// model, and a link that is set to another folder is another.
pub fn one_name(path: &Path) -> PathBuf {
    let found = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    found.to_str().and_then(as_written).unwrap_or(found)
}

/// Windows answers in the form `\\?\C:\models`, which nobody writes and which stands in messages. `None` where the path has
/// another form, or means something else without that prefix.
fn as_written(path: &str) -> Option<PathBuf> {
    /// Windows' `MAX_PATH`, where not every program knows longer ones.
    const LONGEST: usize = 260;
    let rest = path.strip_prefix(r"\\?\")?;
    let plain = match rest.strip_prefix(r"UNC\") {
        Some(share) => format!(r"\\{share}"),
        None if rest.get(1..3) == Some(r":\") => rest.to_owned(),
        None => return None,
    };
    let is_kept = |part: &str| !part.ends_with(['.', ' ']);
    (plain.len() < LONGEST && plain.split('\\').all(is_kept)).then(|| plain.into())
}

/// A folder that holds a model.
#[derive(Debug, Clone)]
pub struct ModelFolder {
    root: PathBuf,
    source: Option<Arc<dyn Source>>,
    base: Option<Box<ModelFolder>>,
    seen: Seen,
}

impl ModelFolder {
    /// Opens the folder.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] where it does not exist, [`Error::Disk`] where it cannot be looked at.
    pub fn open(path: &Path) -> Result<Self> {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                Ok(ModelFolder { root: path.to_path_buf(), source: None, base: None, seen: Seen::default() })
            }
            Ok(_) => Err(no_folder(path)),
            Err(error) if look::is_absent(&error) => Err(no_folder(path)),
            Err(source) => Err(Error::unreadable(path, source)),
        }
    }

    /// A folder whose files come from `source`.
    #[must_use]
    pub fn of_source(root: PathBuf, source: Arc<dyn Source>) -> Self {
        ModelFolder { root, source: Some(source), base: None, seen: Seen::default() }
    }

    /// The folder with the small files of sentence-transformers that it lacks taken from `base`.
    #[must_use]
    pub fn with_base(self, base: ModelFolder) -> Self {
        ModelFolder { base: Some(Box::new(base)), ..self }
    }

    /// The folder's path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of a file inside the folder. `relative` comes from the model's files or the user: it may not leave.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where it is absolute or climbs out with `..`.
    pub fn path(&self, relative: &str) -> Result<PathBuf> {
        let inside = Path::new(relative);
        let stays = inside.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !stays || relative.contains(['\\', '\0']) {
            return Err(Error::invalid_model(format!(
                "The path {} leaves the model's folder. Only files inside it are read",
                shown(relative)
            )));
        }
        Ok(self.root.join(inside))
    }

    /// Whether a regular file of this name is there.
    ///
    /// # Errors
    /// [`Error::Disk`] where that cannot be found out.
    pub fn has(&self, relative: &str) -> Result<bool> {
        let path = self.path(relative)?;
        let found = match &self.source {
            Some(source) => source.has(relative)?,
            None => self.is_file(&path)?,
        };
        match self.lender(relative) {
            Some(base) if !found => base.has(relative),
            _ => Ok(found),
        }
    }

    /// Where the file is, fetched and verified if it was not here; `None` where there is no such file.
    ///
    /// # Errors
    /// As [`ModelFolder::has`], and where the file cannot be had.
    pub fn locate(&self, relative: &str) -> Result<Option<PathBuf>> {
        let path = self.path(relative)?;
        let found = match &self.source {
            Some(source) => source.locate(relative)?,
            None => self.is_file(&path)?.then_some(path),
        };
        match self.lender(relative) {
            Some(base) if found.is_none() => base.locate(relative),
            _ => Ok(found),
        }
    }

    /// Says which files will be read, so that they can be fetched at the same time. Some may not be there.
    ///
    /// # Errors
    /// As [`ModelFolder::locate`].
    pub fn prefetch(&self, relative: &[&str]) -> Result<()> {
        let (mut own, mut lent) = (Vec::new(), Vec::new());
        for name in relative {
            self.path(name)?;
            let is_lent =
                self.lender(name).is_some() && !self.source.as_ref().map_or(Ok(true), |source| source.has(name))?;
            if is_lent { lent.push(*name) } else { own.push(*name) }
        }
        if let Some(source) = &self.source {
            source.prefetch(&own)?;
        }
        self.base.as_ref().filter(|_| !lent.is_empty()).map_or(Ok(()), |base| base.prefetch(&lent))
    }

    /// The names of the files in a folder inside this one, in order; none where there is no such folder.
    ///
    /// # Errors
    /// As [`ModelFolder::has`].
    pub fn list(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.path(folder)?;
        let mut names = match &self.source {
            Some(source) => source.list(folder)?,
            None => files_in(&path).map_err(|source| Error::unreadable(&path, source))?,
        };
        names.sort_unstable();
        Ok(names)
    }

    /// What the files looked like when they were first asked for. Of a folder whose files come from a source it is empty: there
    /// they are verified, and never change.
    #[must_use]
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Whether somebody may replace the files at any time.
    #[must_use]
    pub fn may_change(&self) -> bool {
        self.source.is_none()
    }

    fn is_file(&self, path: &Path) -> Result<bool> {
        self.seen.note(path).map_err(|source| Error::unreadable(path, source))
    }

    /// The base, for a file that it may lend.
    fn lender(&self, relative: &str) -> Option<&ModelFolder> {
        self.base.as_deref().filter(|_| may_be_lent(relative))
    }

    /// The file's bytes, or `None` where there is no such file.
    ///
    /// # Errors
    /// [`Error::Disk`] where it cannot be read, [`Error::ModelInvalid`] where it is larger than any real file.
    pub fn read(&self, relative: &str) -> Result<Option<Vec<u8>>> {
        let Some(path) = self.locate(relative)? else { return Ok(None) };
        let length = std::fs::metadata(&path).map_err(|source| Error::unreadable(&path, source))?.len();
        if length > MAX_JSON_BYTES {
            return Err(Error::invalid_model(format!(
                "{relative} has {length} bytes; at most {MAX_JSON_BYTES} are read"
            )));
        }
        std::fs::read(&path).map(Some).map_err(|source| Error::unreadable(&path, source))
    }

    /// The file as JSON, or `None` where there is no such file.
    ///
    /// # Errors
    /// As [`ModelFolder::read`], and [`Error::ModelInvalid`] where it is not JSON.
    pub fn json(&self, relative: &str) -> Result<Option<Value>> {
        let Some(bytes) = self.read(relative)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|source| {
            impostor(relative, &bytes).unwrap_or_else(|| {
                let message = format!("{relative} is not valid JSON. Copy or download the file again");
                Error::invalid_model_because(message, source)
            })
        })
    }

    /// The file as a JSON object, or `None` where there is no such file.
    ///
    /// # Errors
    /// As [`ModelFolder::json`], and [`Error::ModelInvalid`] where it holds something else than an object.
    pub fn object(&self, relative: &str) -> Result<Option<Object>> {
        match self.json(relative)? {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Object::new(relative, map))),
            Some(_) => Err(Error::invalid_model(format!("{relative} holds something else than a JSON object"))),
        }
    }
}

/// The names of the files in a folder on disk; none where there is no such folder.
///
/// # Errors
/// What the system says.
pub fn files_in(folder: &Path) -> std::io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if look::is_absent(&error) => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        // A name that is not Unicode is none that a model's files have.
        names.extend(path.file_name().and_then(|name| name.to_str()).filter(|_| path.is_file()).map(str::to_owned));
    }
    Ok(names)
}

/// Whether a base may lend the file: those of sentence-transformers, not those of the network and its tokenizer.
#[must_use]
pub fn may_be_lent(relative: &str) -> bool {
    let named = relative == "modules.json"
        || relative == "config_sentence_transformers.json"
        || (relative.starts_with("sentence_") && relative.ends_with("_config.json"));
    // `1_Pooling/config.json`, `2_Dense/model.safetensors`
    let of_module =
        relative.split_once('/').is_some_and(|(module, _)| module.starts_with(|c: char| c.is_ascii_digit()));
    named || of_module
}

fn no_folder(path: &Path) -> Error {
    Error::ModelNotFound(format!(
        "No model at {}: there is no such folder. Pass the path of a folder that holds a model, or the name of an installed \
         package",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_not_leave_the_folder() {
        let folder = ModelFolder { root: PathBuf::from("/models/a"), source: None, base: None, seen: Seen::default() };
        assert!(folder.path("onnx/model.onnx").is_ok());
        for name in ["../b", "onnx/../../b", "/etc/passwd", "a\\..\\b", "a\0b"] {
            assert_eq!(folder.path(name).expect_err(name).code(), "ERR_MODEL_INVALID", "{name}");
        }
    }

    #[test]
    fn a_folder_of_windows_is_named_as_people_write_it() {
        for (given, expected) in [
            (r"\\?\C:\models\a", Some(r"C:\models\a")),
            (r"\\?\UNC\server\share\a", Some(r"\\server\share\a")),
            (r"C:\models\a", None),
            ("/models/a", None),
            (r"\\?\Volume{b75e2c83-0000-0000-0000-602f00000000}\a", None),
            (r"\\?\C:\models\a.", None),
        ] {
            assert_eq!(as_written(given), expected.map(PathBuf::from), "{given}");
        }
        assert_eq!(as_written(&format!(r"\\?\C:\{}", "long".repeat(70))), None);
    }
}
