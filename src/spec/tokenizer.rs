//! What `tokenizer.json` and the files beside it say about turning texts into tokens.
//!
//! transformers builds parts of most tokenizers anew (`tokenizer_class.rs`), and takes the direction of truncation from
//! `tokenizer.json` unless `tokenizer_config.json` names one. Padding is ours (`batch.rs`).

use super::Configs;
use super::tokenizer_class::{RebuiltParts, rebuilt_parts};
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Object};
use crate::options::Truncation;

/// How texts become tokens.
#[derive(Debug, Clone)]
pub struct TokenizerSpec {
    /// The bytes of `tokenizer.json`.
    pub json: std::sync::Arc<[u8]>,
    /// The file's name, for messages.
    pub file: String,
    /// What stands in the place of parts of the file.
    pub rebuilt: Option<RebuiltParts>,
    /// `do_lower_case` of `sentence_bert_config.json`: lower case first, unless the normalizer does it.
    pub lower_case: bool,
    /// Which end is cut when the user does not say.
    pub truncation: Truncation,
    /// The token that fills up shorter rows.
    pub pad_id: u32,
}

impl TokenizerSpec {
    pub(super) fn read(folder: &ModelFolder, configs: &Configs) -> Result<Self> {
        let file = format!("{}tokenizer.json", configs.transformer);
        let json = folder.read(&file)?.ok_or_else(|| {
            Error::FileNotFound(format!(
                "{} has no {file}. Save the tokenizer once with `AutoTokenizer.from_pretrained(…).save_pretrained(…)` to get one",
                folder.root().display()
            ))
        })?;
        let value: serde_json::Value = serde_json::from_slice(&json).map_err(|source| {
            Error::invalid_model_because(format!("{file} is not valid JSON. Copy or download the file again"), source)
        })?;
        Ok(TokenizerSpec {
            rebuilt: rebuilt_parts(configs, &value)?,
            lower_case: configs.sentence_bert.flag("do_lower_case")?.unwrap_or(false),
            truncation: truncation_side(configs, &value)?,
            pad_id: pad_id(configs, &value)?,
            json: json.into(),
            file,
        })
    }
}

fn truncation_side(configs: &Configs, tokenizer: &serde_json::Value) -> Result<Truncation> {
    let baked = || tokenizer.pointer("/truncation/direction").and_then(|side| side.as_str()).map(str::to_lowercase);
    match configs.tokenizer.text("truncation_side")?.map(str::to_owned).or_else(baked).as_deref() {
        None | Some("right") => Ok(Truncation::Right),
        Some("left") => Ok(Truncation::Left),
        Some(_) => Err(configs.tokenizer.wrong("truncation_side", "\"left\" or \"right\"")),
    }
}

/// The padding token's id. Its rows are masked, so it matters only to graphs that derive positions from it.
fn pad_id(configs: &Configs, tokenizer: &serde_json::Value) -> Result<u32> {
    let by_name = |content: &str| {
        let added = tokenizer.get("added_tokens")?.as_array()?;
        added
            .iter()
            .find(|token| token.get("content").and_then(|text| text.as_str()) == Some(content))?
            .get("id")?
            .as_u64()
    };
    let from_name = pad_token(&configs.tokenizer).and_then(|name| by_name(&name));
    let from_tokenizer = || tokenizer.pointer("/padding/pad_id").and_then(serde_json::Value::as_u64);
    let id = match from_name.or_else(from_tokenizer) {
        Some(id) => id,
        None => configs.config.count("pad_token_id").map_or(Ok(0), |id| Ok::<_, Error>(id.unwrap_or(0) as u64))?,
    };
    Ok(u32::try_from(id).unwrap_or(0))
}

fn pad_token(config: &Object) -> Option<String> {
    match config.get("pad_token")? {
        serde_json::Value::String(name) => Some(name.clone()),
        object => object.get("content")?.as_str().map(str::to_owned),
    }
}
