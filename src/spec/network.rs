//! Which file of the repository the network is read from, and by which engine.

use super::Configs;
use crate::error::{Error, Result, shown};
use crate::files::ModelFolder;
use crate::options::{DType, EngineOption, LoadOptions};

/// What runs a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// ONNX Runtime.
    Graph,
    /// The encoder of our own.
    Encoder,
    /// Nothing: there is only a table.
    Table,
}

impl EngineKind {
    /// The word of `info()`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            EngineKind::Graph => "graph",
            EngineKind::Encoder => "encoder",
            EngineKind::Table => "table",
        }
    }
}

/// Where a network may run, as far as the choice of its file depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Whether the encoder runs there.
    pub has_encoder: bool,
    /// Whether `dtype: 'auto'` is fp16 before it is fp32.
    pub prefers_half: bool,
}

impl Place {
    /// The processor.
    pub const CPU: Place = Place { has_encoder: true, prefers_half: false };
}

/// A file that the network can be read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Which of the places it is for.
    pub place: usize,
    /// What would run it.
    pub engine: EngineKind,
    /// Path inside the repository, with `/`; of shards, their index.
    pub relative: String,
    /// Number format of the computation; `None` for an explicit file whose name says nothing.
    pub dtype: Option<DType>,
}

impl Choice {
    /// Whether the file is one of weights alone, without a graph.
    #[must_use]
    pub fn is_safetensors(&self) -> bool {
        is_safetensors(&self.relative)
    }
}

fn is_safetensors(name: &str) -> bool {
    name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json")
}

/// What can serve the options, by place and then the best first; at least one. `encoder` is why the encoder does not take the model, if
/// it does not.
pub(super) fn choices(
    folder: &ModelFolder,
    configs: &Configs,
    options: &LoadOptions,
    encoder: Option<&str>,
    places: &[Place],
) -> Result<Vec<Choice>> {
    let mut found = Vec::new();
    let mut refused = None;
    for (number, place) in places.iter().enumerate() {
        match at_place(folder, configs, options, encoder, *place) {
            Ok(choices) => found.extend(choices.into_iter().map(|choice| Choice { place: number, ..choice })),
            // Of several places the last one's reason is shown: it is the one that takes the most files.
            Err(error @ (Error::ModelUnsupported(_) | Error::FileNotFound(_))) => refused = Some(error),
            Err(error) => return Err(error),
        }
    }
    match refused {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

/// A file of stored numbers in a network's place, which the encoder reads on the CPU whatever the options say of networks.
pub(super) fn stored(file: &str, places: &[Place]) -> Result<Vec<Choice>> {
    let of_encoder = places.iter().enumerate().filter(|(_, place)| place.has_encoder);
    let choices: Vec<Choice> = of_encoder
        .map(|(place, _)| Choice {
            place,
            engine: EngineKind::Encoder,
            relative: file.to_owned(),
            dtype: Some(DType::Fp32),
        })
        .collect();
    if choices.is_empty() {
        return Err(Error::ModelUnsupported(format!(
            "{file} holds a stored weight for each token, and there is no network to run on a device. Use `device: 'auto'` or 'cpu'"
        )));
    }
    Ok(choices)
}

/// What can serve the options at one place.
fn at_place(
    folder: &ModelFolder,
    configs: &Configs,
    options: &LoadOptions,
    encoder: Option<&str>,
    place: Place,
) -> Result<Vec<Choice>> {
    let engines: &[EngineKind] = match (options.engine, encoder) {
        _ if !place.has_encoder => &[EngineKind::Graph],
        (EngineOption::Auto, None) => &[EngineKind::Encoder, EngineKind::Graph],
        (EngineOption::Encoder, None) => &[EngineKind::Encoder],
        (EngineOption::Auto, Some(_)) | (EngineOption::Graph, _) => &[EngineKind::Graph],
        (EngineOption::Encoder, Some(reason)) => {
            return Err(Error::ModelUnsupported(format!(
                "{reason}, which the encoder does not know. Use `engine: 'auto'` or 'graph' with a model that has an ONNX file"
            )));
        }
    };
    if let Some(file) = &options.file {
        return explicit(folder, options, file, engines, encoder);
    }
    let wanted: Vec<DType> = match options.dtype {
        DType::Auto => {
            let declared = declared_dtype(configs)?;
            let half = place.prefers_half.then_some(DType::Fp16);
            declared.into_iter().chain(half).chain(DType::PREFERENCE).collect()
        }
        dtype => vec![dtype],
    };
    let mut looked_for = Vec::new();
    let mut found = Vec::new();
    for dtype in wanted {
        found.extend(of_dtype(folder, configs, dtype, engines, &mut looked_for)?);
        // fp16 is preferred on a GPU and not needed there: what else there is may be at hand where it is not.
        let goes_on = place.prefers_half && options.dtype == DType::Auto && found.len() == 1;
        if !found.is_empty() && !goes_on {
            return Ok(found);
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    Err(nothing(folder, options, engines, encoder, &looked_for))
}

/// The choices for a number format: of the files that there are, the one with the fewest bytes first, and for each the encoder
/// before ONNX Runtime.
fn of_dtype(
    folder: &ModelFolder,
    configs: &Configs,
    dtype: DType,
    engines: &[EngineKind],
    looked_for: &mut Vec<String>,
) -> Result<Vec<Choice>> {
    let safetensors = ["model.safetensors", "model.safetensors.index.json"];
    let safetensors = safetensors.map(|name| format!("{}{name}", configs.transformer)).to_vec();
    let onnx = |dtype| candidates(&configs.transformer, dtype);
    let by_encoder = engines.contains(&EngineKind::Encoder);
    // Names that are tried one after the other, and whether ONNX Runtime can serve the format from such a file.
    let files: Vec<(Vec<String>, bool)> = match dtype {
        DType::Fp32 => vec![(safetensors, false), (onnx(DType::Fp32), true)],
        // Nothing stores bf16 in an ONNX file; it is made from the longer numbers.
        DType::Bf16 => vec![(safetensors, false), (onnx(DType::Fp32), false), (onnx(DType::Fp16), false)],
        DType::Q8 => vec![(onnx(DType::Q8), true), (safetensors, false), (onnx(DType::Fp32), false)],
        other => vec![(onnx(other), true)],
    };
    let mut choices = Vec::new();
    for (names, by_graph) in files {
        if !by_encoder && !by_graph {
            continue;
        }
        let mut found = None;
        for name in names {
            if folder.has(&name)? {
                found = Some(name);
                break;
            }
            if !looked_for.contains(&name) {
                looked_for.push(name);
            }
        }
        let Some(relative) = found else { continue };
        let served = engines.iter().filter(|engine| match engine {
            EngineKind::Encoder => dtype.is_for_encoder(),
            EngineKind::Graph => by_graph,
            EngineKind::Table => false,
        });
        choices.extend(served.map(|engine| Choice {
            place: 0,
            engine: *engine,
            relative: relative.clone(),
            dtype: Some(dtype),
        }));
    }
    Ok(choices)
}

/// The choices for a file that the user names.
fn explicit(
    folder: &ModelFolder,
    options: &LoadOptions,
    file: &str,
    engines: &[EngineKind],
    encoder: Option<&str>,
) -> Result<Vec<Choice>> {
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
    let safetensors = is_safetensors(file);
    let dtype = match (safetensors, options.dtype) {
        (true, DType::Auto) => Some(DType::Fp32),
        (true, dtype) => Some(dtype),
        (false, _) => dtype_of(file),
    };
    let served = engines.iter().filter(|engine| match engine {
        EngineKind::Encoder => dtype.is_some_and(DType::is_for_encoder),
        EngineKind::Graph => !safetensors,
        EngineKind::Table => false,
    });
    let choices: Vec<Choice> =
        served.map(|engine| Choice { place: 0, engine: *engine, relative: file.to_owned(), dtype }).collect();
    if choices.is_empty() {
        let reason = encoder.map_or_else(String::new, |reason| format!(": {reason}, which it does not know"));
        return Err(Error::ModelUnsupported(format!(
            "{} cannot be used with these options: weights without a graph need the encoder{reason}, and it computes fp32, bf16 and \
             q8",
            shown(file)
        )));
    }
    Ok(choices)
}

fn nothing(
    folder: &ModelFolder,
    options: &LoadOptions,
    engines: &[EngineKind],
    encoder: Option<&str>,
    looked_for: &[String],
) -> Error {
    if looked_for.is_empty() {
        // Whatever files there are: none would be used so.
        return Error::ModelUnsupported(format!(
            "dtype '{}' is not for this engine: the encoder, which runs on the CPU, computes fp32, bf16, fp16, q8, int8 and uint8, and \
             ONNX Runtime all but bf16. Use another `dtype`, or `engine: 'auto'` on the CPU",
            options.dtype.as_str()
        ));
    }
    let of_dtype =
        if options.dtype == DType::Auto { String::new() } else { format!(" for dtype '{}'", options.dtype.as_str()) };
    let reason = match encoder {
        Some(reason) => format!("; weights without a graph need the encoder, but {reason}, which it does not know"),
        None => String::new(),
    };
    let message = format!(
        "{} has no ONNX file{of_dtype}{}. Looked for {}{reason}. Export one with `optimum-cli export onnx`, or name the file with `file`",
        folder.root().display(),
        if engines.contains(&EngineKind::Encoder) { " and no model.safetensors" } else { "" },
        looked_for.join(", "),
    );
    // A dtype that the user asked for is a missing file; a repository without any network is another kind of model.
    if options.dtype == DType::Auto { Error::ModelUnsupported(message) } else { Error::FileNotFound(message) }
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
    let by_suffix = DType::ALL
        .into_iter()
        .filter(|dtype| !matches!(dtype, DType::Fp32 | DType::Bf16))
        .find(|dtype| stem.ends_with(dtype.suffix()));
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
