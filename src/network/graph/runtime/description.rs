//! `runtime.json`, which `vecrank runtime add` and the packages with CUDA write beside the libraries: what they are, and how long each file
//! has to be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The only format that is read.
const FORMAT: u64 = 1;

/// What a folder of libraries says of itself.
pub(in crate::network::graph) struct Description {
    folder: PathBuf,
    kind: String,
    /// Version of what it is, such as `1.31.1`.
    pub version: String,
    library: String,
    devices: Vec<String>,
    /// Bytes of each file, by its path in the folder.
    sizes: BTreeMap<String, u64>,
}

impl Description {
    /// The description of a folder; `None` where there is none.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn of(folder: &Path) -> Result<Option<Self>, String> {
        let unreadable = |error: &dyn std::fmt::Display| format!("runtime.json cannot be read ({error})");
        let text = match std::fs::read_to_string(folder.join("runtime.json")) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(&error)),
        };
        let found: Value = serde_json::from_str(&text).map_err(|error| unreadable(&error))?;
        let format = found.get("format").and_then(Value::as_u64).unwrap_or(FORMAT);
        if format != FORMAT {
            return Err(format!("runtime.json has the format {format}, which this version does not read"));
        }
        let word = |key: &str| found.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let devices = found.get("devices").and_then(Value::as_array).into_iter().flatten();
        let files = found.get("files").and_then(Value::as_object).into_iter().flatten();
        Ok(Some(Description {
            folder: folder.to_path_buf(),
            kind: word("kind"),
            version: word("version"),
            library: word("library"),
            devices: devices.filter_map(Value::as_str).map(str::to_owned).collect(),
            sizes: files.filter_map(|(name, file)| Some((name.clone(), file.get("size")?.as_u64()?))).collect(),
        }))
    }

    /// Whether it is an ONNX Runtime.
    pub fn is_runtime(&self) -> bool {
        self.kind == "onnxruntime"
    }

    /// Whether it is a plugin provider for a device.
    pub fn is_plugin_for(&self, device: &str) -> bool {
        self.kind == "plugin" && self.devices.iter().any(|name| name == device)
    }

    /// The library that is opened.
    pub fn library(&self) -> PathBuf {
        self.folder.join(&self.library)
    }

    /// What is wrong with the folder: a file is missing or has another length. The system's loader ends the process where a library is cut.
    ///
    /// # Errors
    /// That.
    pub fn check(&self) -> Result<(), String> {
        if self.library.is_empty() || !self.library().is_file() {
            return Err("its library is missing".into());
        }
        for (name, expected) in &self.sizes {
            match std::fs::metadata(self.folder.join(name)).map(|found| found.len()) {
                Ok(found) if found == *expected => {}
                Ok(found) => return Err(format!("{name} is cut: it has {found} bytes of {expected}")),
                Err(_) => return Err(format!("{name} is missing")),
            }
        }
        Ok(())
    }
}
