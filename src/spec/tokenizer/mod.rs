//! What `tokenizer.json` and the files beside it say about turning texts into tokens.
//!
//! transformers builds parts of most tokenizers anew (`class.rs`, `parts.rs`), takes special tokens from
//! `tokenizer_config.json` (`added.rs`), and the direction of truncation from `tokenizer.json` unless
//! `tokenizer_config.json` names one. Padding is ours (`batch.rs`).

mod added;
mod class;
mod parts;
mod special;
mod types;

pub(super) use parts::{content, id_of};
pub(super) use special::SPECIAL_TOKENS;
pub(crate) use types::{added_tokens, steps};

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::Configs;
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Object};
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
    /// Whether special tokens go around a text.
    pub special_tokens: bool,
    /// Whether the names of special tokens in a text are text.
    pub split_special_tokens: bool,
    /// Which end is cut when the user does not say.
    pub truncation: Truncation,
    /// The token that fills up shorter rows.
    pub pad_id: u32,
    /// The token for what the vocabulary lacks, as the tokenizer's class knows it; `None` where it knows none.
    pub unknown_id: Option<u32>,
    /// Special tokens by name, such as `eos_token`.
    pub named_tokens: BTreeMap<String, String>,
    /// Whether the repository wants rows to be filled up on the left.
    pub pads_left: bool,
    /// Beginnings of prompts that are one token each, where the vocabulary has it.
    pub marks: Vec<String>,
    /// Whether words of short texts are worth remembering: where the tokenizer takes more time than the network.
    pub remembers: bool,
}

impl TokenizerSpec {
    /// `tokenizer.json` as it is, with parts that are known; and its name.
    pub(super) fn json(folder: &ModelFolder, configs: &Configs) -> Result<(Value, String)> {
        let file = format!("{}tokenizer.json", configs.transformer);
        let json = folder.json(&file)?.ok_or_else(|| {
            Error::FileNotFound(format!(
                "{} has no {file}. Save the tokenizer once with `AutoTokenizer.from_pretrained(…).save_pretrained(…)` to get one",
                folder.root().display()
            ))
        })?;
        types::expect_known(&json, &file)?;
        Ok((json, file))
    }

    pub(super) fn read(folder: &ModelFolder, configs: &Configs) -> Result<Self> {
        let (mut json, file) = TokenizerSpec::json(folder, configs)?;
        let (truncation, pad_id) = (truncation_side(configs, &json)?, pad_id(configs, &json)?);
        let pads_left = pads_left(configs, &json)?;
        let chosen = class::choose(configs, &json)?;
        let unknown_id = unknown_id(configs, &json, chosen.class);
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
            special_tokens: true,
            token_types: token_types(configs)?.unwrap_or(chosen.token_types),
            split_special_tokens: configs.tokenizer.flag("split_special_tokens")?.unwrap_or(false),
            truncation,
            pad_id,
            unknown_id,
            named_tokens: special::named_tokens(&configs.tokenizer, chosen.class),
            pads_left,
            marks: Vec::new(),
            remembers: false,
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

fn pads_left(configs: &Configs, tokenizer: &Value) -> Result<bool> {
    let baked = || tokenizer.pointer("/padding/direction").and_then(Value::as_str);
    let side = configs.tokenizer.text("padding_side")?.or_else(baked);
    Ok(side.is_some_and(|side| side.eq_ignore_ascii_case("left")))
}

/// The token that fills up ColBERT's queries where they do not name one: the mask token, else the one at the end of texts. Classes that
/// have a mask token by default call it one of two names.
pub(super) fn filling_tokens(config: &Object) -> Vec<String> {
    let named = |key: &str| parts::token_name(config, key).map(str::to_owned);
    match named("mask_token") {
        Some(mask) => vec![mask],
        None => ["[MASK]", "<mask>"].map(str::to_owned).into_iter().chain(named("eos_token")).collect(),
    }
}

/// The padding token's id. Its rows are masked, so it matters only to graphs that derive positions from it.
fn pad_id(configs: &Configs, tokenizer: &Value) -> Result<u32> {
    let from_name = parts::token_name(&configs.tokenizer, "pad_token").and_then(|name| id_of(tokenizer, name));
    let from_tokenizer = || tokenizer.pointer("/padding/pad_id").and_then(Value::as_u64);
    let id = match from_name.or_else(from_tokenizer) {
        Some(id) => id,
        None => configs.config.count("pad_token_id").map_or(Ok(0), |id| Ok::<_, Error>(id.unwrap_or(0) as u64))?,
    };
    Ok(u32::try_from(id).unwrap_or(0))
}

/// The unknown token's id: by the name in `tokenizer_config.json`, else by that of the class.
fn unknown_id(configs: &Configs, tokenizer: &Value, class: Option<class::Class>) -> Option<u32> {
    let name = match configs.tokenizer.get("unk_token") {
        Some(_) => parts::token_name(&configs.tokenizer, "unk_token"),
        None => class.map(class::Class::unknown_token),
    };
    name.and_then(|name| id_of(tokenizer, name)).and_then(|id| u32::try_from(id).ok())
}
