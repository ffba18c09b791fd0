//! ColBERT repositories that are older than sentence-transformers' `MultiVectorEncoder`, as sentence-transformers 6.2 reads them:
//!
//! - **PyLate** lists a transformer and token-wise Dense layers in `modules.json`, and keeps the rest in `config_sentence_transformers.json`:
//!   `query_prefix`, `document_prefix`, `query_length`, `document_length`, `attend_to_expansion_tokens`, `do_query_expansion`, `skiplist_words`.
//! - **Stanford's ColBERT** has `"architectures": ["HF_ColBERT"]` in `config.json`, the projection among the network's weights, and the rest in
//!   `artifact.metadata`.
//!
//! What they say is written into the files' objects where sentence-transformers writes it today, so that nobody else needs to know.

use serde_json::{Map, Value, json};

use super::{ActivationFunction, Configs, DenseSpec};
use crate::error::Result;
use crate::files::{ModelFolder, Object};
use crate::options::Product;

/// `string.punctuation` of Python.
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
/// ColBERT's own length of queries.
const QUERY_LENGTH: usize = 32;

/// Keys of PyLate: where one is, queries are filled up unless it is said that they are not.
const MARKERS: [&str; 8] = [
    "query_length",
    "document_length",
    "do_query_expansion",
    "attend_to_expansion_tokens",
    "attend_to_mask_tokens",
    "query_prefix",
    "document_prefix",
    "skiplist_words",
];

/// What only such a repository says.
#[derive(Debug, Default)]
pub(super) struct Older {
    /// Words of documents that do not count, and with them that all vectors are scaled to length 1; `None` where modules say that.
    pub words: Option<Vec<String>>,
    /// Beginnings of prompts that are one token each, as they were in training.
    pub marks: Vec<String>,
    /// The projection that stands among the network's weights.
    pub projection: Option<DenseSpec>,
}

/// Whether a file is one of PyLate's.
pub(super) fn is_of_pylate(file: &Object) -> bool {
    file.get("model_type").and_then(Value::as_str) == Some("ColBERT")
        || ["query_prefix", "document_prefix"].iter().any(|key| file.get(key).is_some())
}

/// Whether `config.json` is one of Stanford's ColBERT.
pub(super) fn is_of_stanford(config: &Object) -> bool {
    let names = config.get("architectures").and_then(Value::as_array);
    names.is_some_and(|names| names.iter().any(|name| name == "HF_ColBERT"))
}

/// Writes what an older repository says into `configs`.
///
/// # Errors
/// [`crate::Error::ModelUnsupported`] where it is no ColBERT model; [`crate::Error::ModelInvalid`] where a value is of another type.
pub(super) fn adopt(folder: &ModelFolder, configs: &mut Configs) -> Result<Older> {
    let stanford = is_of_stanford(&configs.config);
    if configs.modules.is_none() {
        if !stanford {
            return Err(configs.refuse(
                Product::LateEmbedder,
                "There is no modules.json, so no file says how vectors of tokens count",
            ));
        }
        return of_stanford(folder, configs);
    }
    let file = configs.sentence_transformers.clone().unwrap_or_default();
    let declared = file.text("model_type")?;
    let has_all_modules = match declared {
        Some("MultiVectorEncoder") => true,
        Some("ColBERT") => false,
        None if stanford => true,
        None | Some("SentenceTransformer") if is_of_pylate(&file) => false,
        _ => {
            let found = declared
                .map_or_else(|| "no \"model_type\"".to_owned(), |kind| format!("the \"model_type\" \"{kind}\""));
            return Err(
                configs.refuse(Product::LateEmbedder, &format!("config_sentence_transformers.json has {found}"))
            );
        }
    };
    let marks = of_pylate(&file, configs)?;
    let words = match file.get("skiplist_words") {
        _ if has_all_modules => None,
        None => Some(punctuation()),
        Some(Value::Array(words)) => Some(words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()),
        Some(_) => return Err(file.wrong("skiplist_words", "a list of strings")),
    };
    Ok(Older { words, marks, projection: None })
}

fn punctuation() -> Vec<String> {
    PUNCTUATION.chars().map(String::from).collect()
}

/// Prompts, lengths and expansion of PyLate (`MultiVectorEncoder._parse_model_config`). Gives the prefixes.
fn of_pylate(file: &Object, configs: &mut Configs) -> Result<Vec<String>> {
    let mut prompts = Map::new();
    if let Some(saved) = file.object("prompts")? {
        prompts.extend(saved.entries().map(|(name, text)| (name.clone(), text.clone())));
    }
    let mut marks = Vec::new();
    for (key, name) in [("query_prefix", "query"), ("document_prefix", "document")] {
        let Some(prefix) = file.text(key)? else { continue };
        let saved = prompts.get(name).and_then(Value::as_str).unwrap_or("");
        let text = format!("{prefix}{}", saved.strip_prefix(prefix).unwrap_or(saved));
        prompts.insert(name.into(), text.into());
        marks.push(prefix.to_owned());
    }
    let mut knobs = Map::new();
    for key in ["query_length", "document_length"] {
        if let Some(length) = file.count(key)? {
            knobs.insert(key.into(), length.into());
        }
    }
    let attend = ["attend_to_expansion_tokens", "attend_to_mask_tokens"].iter().find_map(|key| file.get(key));
    let attend = attend.and_then(Value::as_bool).unwrap_or(false);
    if let Some((key, expansion)) = file.entries().find(|(key, _)| *key == "query_expansion") {
        // Also `null`, which turns it off.
        knobs.insert(key.clone(), expansion.clone());
    } else if file.entries().any(|(key, _)| MARKERS.contains(&key.as_str()))
        && file.flag("do_query_expansion")? != Some(false)
    {
        // The length that queries are filled up to, not only the most that they have.
        let length = knobs.remove("query_length").unwrap_or(QUERY_LENGTH.into());
        knobs.insert("query_expansion".into(), json!({ "strategy": "fixed", "attend": attend, "length": length }));
    }
    write(configs, knobs, prompts);
    Ok(marks)
}

/// `artifact.metadata` (`MultiVectorEncoder._maybe_load_stanford_metadata`).
fn of_stanford(folder: &ModelFolder, configs: &mut Configs) -> Result<Older> {
    let metadata = folder.object("artifact.metadata")?.unwrap_or_default();
    let marked = |key: &str, default: &str| -> Result<String> {
        let token = metadata.text(key)?.filter(|token| !token.is_empty());
        Ok(format!("{} ", token.unwrap_or(default)))
    };
    let (query, document) = (marked("query_token_id", "[unused0]")?, marked("doc_token_id", "[unused1]")?);
    let length = metadata.count("query_maxlen")?.filter(|length| *length > 0).unwrap_or(QUERY_LENGTH);
    let attend = metadata.flag("attend_to_mask_tokens")?.unwrap_or(false);
    let mut knobs = Map::new();
    knobs.insert("query_expansion".into(), json!({ "strategy": "fixed", "attend": attend, "length": length }));
    if let Some(length) = metadata.count("doc_maxlen")? {
        knobs.insert("document_length".into(), length.into());
    }
    let prompts = json!({ "query": query, "document": document }).as_object().cloned().unwrap_or_default();
    write(configs, knobs, prompts);
    // Python takes null for false.
    let is_null = metadata.entries().any(|(key, value)| key == "mask_punctuation" && value.is_null());
    let skips = !is_null && metadata.flag("mask_punctuation")?.unwrap_or(true);
    Ok(Older {
        words: Some(if skips { punctuation() } else { Vec::new() }),
        marks: vec![query, document],
        projection: Some(DenseSpec {
            weights: "model.safetensors".into(),
            shape: None,
            bias: false,
            activation: ActivationFunction::Identity,
            residual: false,
        }),
    })
}

/// What the transformer's own file says is stronger.
fn write(configs: &mut Configs, knobs: Map<String, Value>, prompts: Map<String, Value>) {
    let mut file = Object::new(&configs.sentence_bert.file, knobs);
    file.overlay(&configs.sentence_bert);
    configs.sentence_bert = file;
    let mut file = configs.sentence_transformers.take().unwrap_or_default();
    let prompts = json!({ "prompts": prompts }).as_object().cloned().unwrap_or_default();
    file.overlay(&Object::new(&file.file, prompts));
    configs.sentence_transformers = Some(file);
}
