//! What `tokenizer.json` and the files beside it say about turning texts into tokens.
//!
//! transformers builds parts of most tokenizers anew (`class.rs`, `parts.rs`), takes special tokens from
//! `tokenizer_config.json` (`added.rs`), and the direction of truncation from `tokenizer.json` unless
//! `tokenizer_config.json` names one. Padding is ours (`batch.rs`).

mod added;
mod class;
mod parts;
mod types;

pub(crate) use types::{added_tokens, steps};

use std::sync::Arc;

use serde_json::Value;

use super::Configs;
use crate::error::{Error, Result};
use crate::files::ModelFolder;
use crate::options::Truncation;

/// How texts become tokens.
#[derive(Debug, Clone)]
pub struct TokenizerSpec {
    /// `tokenizer.json` as the reference uses it, without padding and truncation.
    pub json: Arc<Value>,
    /// The file's name, for messages.
    pub file: String,
    /// `do_lower_case` of `sentence_bert_config.json`: lower case first, unless the normalizer does it.
    pub lower_case: bool,
    /// Whether the network is told which text of a pair a token belongs to (`model_input_names`); else all types are 0.
    pub token_types: bool,
    /// Whether the names of special tokens in a text are text.
    pub split_special_tokens: bool,
    /// Which end is cut when the user does not say.
    pub truncation: Truncation,
    /// The token that fills up shorter rows.
    pub pad_id: u32,
}

impl TokenizerSpec {
    pub(super) fn read(folder: &ModelFolder, configs: &Configs) -> Result<Self> {
        let file = format!("{}tokenizer.json", configs.transformer);
        let mut json = folder.json(&file)?.ok_or_else(|| {
            Error::FileNotFound(format!(
                "{} has no {file}. Save the tokenizer once with `AutoTokenizer.from_pretrained(…).save_pretrained(…)` to get one",
                folder.root().display()
            ))
        })?;
        types::expect_known(&json, &file)?;
        let (truncation, pad_id) = (truncation_side(configs, &json)?, pad_id(configs, &json)?);
        let chosen = class::choose(configs, &json)?;
        let rebuilt = match chosen.class {
            Some(class) => parts::rebuild(&mut json, class, &configs.tokenizer)?,
            None => false,
        };
        added::apply(&mut json, rebuilt, &configs.tokenizer)?;
        if let Some(object) = json.as_object_mut() {
            object.insert("padding".into(), Value::Null);
            object.insert("truncation".into(), Value::Null);
        }
        Ok(TokenizerSpec {
            lower_case: configs.sentence_bert.flag("do_lower_case")?.unwrap_or(false),
            token_types: token_types(configs)?.unwrap_or(chosen.token_types),
            split_special_tokens: configs.tokenizer.flag("split_special_tokens")?.unwrap_or(false),
            truncation,
            pad_id,
            json: json.into(),
            file,
        })
    }
}

/// Whether `model_input_names` names token types; `None` where it is not there.
fn token_types(configs: &Configs) -> Result<Option<bool>> {
    let Some(names) = configs.tokenizer.get("model_input_names") else { return Ok(None) };
    let names = names.as_array().ok_or_else(|| configs.tokenizer.wrong("model_input_names", "a list of strings"))?;
    Ok(Some(names.iter().any(|name| name == "token_type_ids")))
}

fn truncation_side(configs: &Configs, tokenizer: &Value) -> Result<Truncation> {
    let baked = || tokenizer.pointer("/truncation/direction").and_then(|side| side.as_str()).map(str::to_lowercase);
    match configs.tokenizer.text("truncation_side")?.map(str::to_owned).or_else(baked).as_deref() {
        None | Some("right") => Ok(Truncation::Right),
        Some("left") => Ok(Truncation::Left),
        Some(_) => Err(configs.tokenizer.wrong("truncation_side", "\"left\" or \"right\"")),
    }
}

/// The padding token's id. Its rows are masked, so it matters only to graphs that derive positions from it.
fn pad_id(configs: &Configs, tokenizer: &Value) -> Result<u32> {
    let from_name = parts::token_name(&configs.tokenizer, "pad_token").and_then(|name| parts::id_of(tokenizer, name));
    let from_tokenizer = || tokenizer.pointer("/padding/pad_id").and_then(Value::as_u64);
    let id = match from_name.or_else(from_tokenizer) {
        Some(id) => id,
        None => configs.config.count("pad_token_id").map_or(Ok(0), |id| Ok::<_, Error>(id.unwrap_or(0) as u64))?,
    };
    Ok(u32::try_from(id).unwrap_or(0))
}
