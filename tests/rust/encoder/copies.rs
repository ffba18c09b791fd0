//! Copies of repositories, to be spoilt.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};

/// A copy in a folder of its own, which goes when this goes.
pub struct Copy(pub PathBuf);

impl Copy {
    pub fn of(folder: &Path) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let copy = std::env::temp_dir().join(format!("vecrank-encoder-{}-{number}", std::process::id()));
        copy_files(folder, &copy);
        Copy(copy)
    }

    pub fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.0.join(file), bytes).unwrap();
    }

    pub fn remove(&self, file: &str) {
        std::fs::remove_file(self.0.join(file)).unwrap();
    }

    pub fn config(&self) -> Map<String, Value> {
        serde_json::from_slice(&std::fs::read(self.0.join("config.json")).unwrap()).unwrap()
    }

    /// Sets fields of config.json; `null` takes one away.
    pub fn configure(&self, patch: &Value) {
        let mut config = self.config();
        config.extend(patch.as_object().unwrap().clone());
        config.retain(|_, value| !value.is_null());
        self.write("config.json", serde_json::to_vec(&config).unwrap());
    }

    pub fn tensors(&self) -> Tensors {
        Tensors::read(&std::fs::read(self.0.join("model.safetensors")).unwrap())
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_files(&path, &target);
        } else if !path.ends_with("golden.json") {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// The tensors of a file.
#[derive(Clone)]
pub struct Tensors(pub BTreeMap<String, Tensor>);

#[derive(Clone)]
pub struct Tensor {
    pub kind: String,
    pub shape: Vec<u64>,
    pub bytes: Vec<u8>,
}

impl Tensors {
    pub fn read(file: &[u8]) -> Self {
        let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        let header: Map<String, Value> = serde_json::from_slice(&file[8..8 + length]).unwrap();
        let data = &file[8 + length..];
        let tensor = |value: &Value| {
            let offset = |at: usize| value["data_offsets"][at].as_u64().unwrap() as usize;
            Tensor {
                kind: value["dtype"].as_str().unwrap().to_owned(),
                shape: value["shape"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap()).collect(),
                bytes: data[offset(0)..offset(1)].to_vec(),
            }
        };
        let named = header.iter().filter(|(name, _)| *name != "__metadata__");
        Tensors(named.map(|(name, value)| (name.clone(), tensor(value))).collect())
    }

    pub fn written(&self) -> Vec<u8> {
        let mut end = 0;
        let header: Map<String, Value> = self
            .0
            .iter()
            .map(|(name, tensor)| {
                let start = end;
                end += tensor.bytes.len();
                let entry = json!({ "dtype": tensor.kind, "shape": tensor.shape, "data_offsets": [start, end] });
                (name.clone(), entry)
            })
            .collect();
        file(
            &Value::Object(header).to_string(),
            &self.0.values().flat_map(|tensor| tensor.bytes.clone()).collect::<Vec<_>>(),
        )
    }
}

/// A safetensors file with this header.
pub fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}
