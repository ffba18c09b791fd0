//! Which ONNX file of the repository is used.

use std::path::{Path, PathBuf};

use super::{Configs, weights};
use crate::error::{Error, Result, shown};
use crate::files::{ModelFolder, impostor_at};
use crate::options::{DType, LoadOptions};

/// The ONNX file and the number format that its name stands for.
#[derive(Debug, Clone)]
pub struct GraphFile {
    /// Absolute path.
    pub path: PathBuf,
    /// Path inside the repository, with `/`.
    pub relative: String,
    /// Number format by the file's name; `None` for an explicit file whose name says nothing.
    pub dtype: Option<DType>,
    /// The files beside it that hold its weights, by the names that the graph has for them.
    pub weights: Vec<(String, PathBuf)>,
    /// Whether somebody may replace the files at any time: they are not the cache's.
    pub may_change: bool,
}

pub(super) fn find(folder: &ModelFolder, configs: &Configs, options: &LoadOptions) -> Result<GraphFile> {
    if let Some(file) = &options.file {
        folder.path(file).map_err(|_| {
            Error::InvalidArgument(format!(
                "Expected a path inside the model's folder for `file` but received {}",
                shown(file)
            ))
        })?;
        if !folder.has(file)? {
            return Err(Error::FileNotFound(format!(
                "{} has no file {}, which `file` names",
                folder.root().display(),
                shown(file)
            )));
        }
        return fetch(folder, configs, file.clone(), dtype_of(file));
    }

    let wanted: Vec<DType> = match options.dtype {
        DType::Auto => {
            let declared = declared_dtype(configs)?;
            declared.into_iter().chain(DType::PREFERENCE).collect()
        }
        dtype => vec![dtype],
    };
    let mut looked_for = Vec::new();
    for dtype in wanted {
        for relative in candidates(&configs.transformer, dtype) {
            if folder.has(&relative)? {
                return fetch(folder, configs, relative, Some(dtype));
            }
            if !looked_for.contains(&relative) {
                looked_for.push(relative);
            }
        }
    }
    let message = format!(
        "{} has no ONNX file{}. Looked for {}. Export one with `optimum-cli export onnx`, or name the file with `file`",
        folder.root().display(),
        if options.dtype == DType::Auto { String::new() } else { format!(" for dtype '{}'", options.dtype.as_str()) },
        looked_for.join(", "),
    );
    // A dtype that the user asked for is a missing file; a repository without any ONNX file is another kind of model.
    if options.dtype == DType::Auto { Err(Error::ModelUnsupported(message)) } else { Err(Error::FileNotFound(message)) }
}

/// The graph with the weights that it keeps in files of their own: `model.onnx_data`, `_1`, `_2` … (Transformers.js), or
/// `model.onnx.data`. The tokenizer comes along: two large files at the same time.
fn fetch(folder: &ModelFolder, configs: &Configs, relative: String, dtype: Option<DType>) -> Result<GraphFile> {
    let mut names = vec![format!("{}tokenizer.json", configs.transformer), relative.clone()];
    for first in [format!("{relative}_data"), format!("{relative}.data")] {
        let more = (1..).map(|number| format!("{first}_{number}"));
        for name in std::iter::once(first.clone()).chain(more) {
            if !folder.has(&name)? {
                break;
            }
            names.push(name);
        }
    }
    folder.prefetch(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
    let path = folder
        .locate(&relative)?
        .ok_or_else(|| Error::FileNotFound(format!("{} has no file {relative} any more", folder.root().display())))?;
    let weights = locate_weights(folder, &path, &relative)?;
    Ok(GraphFile { path, relative, dtype, weights, may_change: folder.may_change() })
}

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

/// Transformers.js and Optimum put files in `onnx/`; some repositories keep them in the root. The name that Transformers.js
/// knows is looked for in both before another tool's.
fn candidates(transformer: &str, dtype: DType) -> Vec<String> {
    let mut folders = vec![format!("{transformer}onnx/"), transformer.to_owned()];
    if !transformer.is_empty() {
        folders.extend(["onnx/".to_owned(), String::new()]);
    }
    let own = format!("model{}.onnx", dtype.suffix());
    let names = std::iter::once(own.as_str()).chain(other_names(dtype).iter().copied());
    names.flat_map(|name| folders.iter().map(move |folder| format!("{folder}{name}"))).collect()
}

/// What Optimum (`model_optimized.onnx`) and `export_optimized_onnx_model` and `export_dynamic_quantized_onnx_model` of
/// sentence-transformers call such a file. `O3` is not among them: its approximation of GELU gives other vectors.
/// Files that were quantised for one kind of processor run on all; this one's kind comes first.
fn other_names(dtype: DType) -> &'static [&'static str] {
    match dtype {
        DType::Fp32 => &["model_optimized.onnx", "model_O2.onnx", "model_O1.onnx"],
        DType::Fp16 => &["model_O4.onnx"],
        DType::Q8 | DType::Int8 if cfg!(target_arch = "aarch64") => &[
            "model_qint8_arm64.onnx",
            "model_qint8_avx512_vnni.onnx",
            "model_qint8_avx512.onnx",
            "model_qint8_avx2.onnx",
        ],
        DType::Q8 | DType::Int8 => &[
            "model_qint8_avx512_vnni.onnx",
            "model_qint8_avx512.onnx",
            "model_qint8_avx2.onnx",
            "model_qint8_arm64.onnx",
        ],
        DType::Uint8 => &["model_quint8_avx2.onnx"],
        _ => &[],
    }
}

fn declared_dtype(configs: &Configs) -> Result<Option<DType>> {
    let Some(declared) = configs.config.object("transformers.js_config")? else { return Ok(None) };
    // An object gives a dtype per file; the file that we use is called "model".
    let word = match declared.get("dtype") {
        Some(serde_json::Value::Object(by_file)) => by_file.get("model").and_then(|value| value.as_str()),
        Some(value) => Some(value.as_str().ok_or_else(|| declared.wrong("dtype", "a string or an object"))?),
        None => None,
    };
    word.map(|word| {
        word.parse().map_err(|_| {
            Error::ModelUnsupported(format!(
                "{}: \"transformers.js_config.dtype\" is \"{word}\", which is not supported. Name one with `dtype`",
                configs.config.file
            ))
        })
    })
    .transpose()
    .map(|dtype: Option<DType>| dtype.filter(|dtype| *dtype != DType::Auto))
}

fn dtype_of(file: &str) -> Option<DType> {
    let stem = file.rsplit('/').next().unwrap_or(file).strip_suffix(".onnx")?;
    if stem.starts_with("model_quint8_") {
        return Some(DType::Uint8);
    }
    if stem.starts_with("model_qint8_") {
        return Some(DType::Int8);
    }
    let by_suffix =
        DType::ALL.into_iter().filter(|dtype| *dtype != DType::Fp32).find(|dtype| stem.ends_with(dtype.suffix()));
    by_suffix.or_else(|| (stem == "model").then_some(DType::Fp32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_number_format() {
        assert_eq!(dtype_of("onnx/model.onnx"), Some(DType::Fp32));
        assert_eq!(dtype_of("onnx/model_q4f16.onnx"), Some(DType::Q4f16));
        assert_eq!(dtype_of("model_quantized.onnx"), Some(DType::Q8));
        assert_eq!(dtype_of("onnx/model_O3.onnx"), None);
        assert_eq!(dtype_of("onnx/model_qint8_arm64.onnx"), Some(DType::Int8));
        assert_eq!(dtype_of("onnx/model_quint8_avx2.onnx"), Some(DType::Uint8));
    }

    #[test]
    fn the_own_name_is_looked_for_everywhere_before_another_tools() {
        let list = candidates("", DType::Fp32);
        assert_eq!(list[..3], ["onnx/model.onnx", "model.onnx", "onnx/model_optimized.onnx"]);
        let list = candidates("0_Transformer/", DType::Q8);
        assert_eq!(list[..4].last().map(String::as_str), Some("model_quantized.onnx"));
    }
}
