//! Models that read their texts as messages of a chat: which template, and what it is given.
//!
//! Rules: sentence-transformers 6.2, `base/modules/transformer.py` and `base/modality.py`. With `modules.json` texts are messages
//! where `modality_config` of `sentence_bert_config.json` has `message`, without it where there is a template.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Configs, templates};
use crate::error::{Error, Result, shown};
use crate::files::{ModelFolder, Object};
use crate::template::Named;

/// A template that holds one of these reads a message's content as a list of parts.
const OF_PARTS: [&str; 6] = ["content[0]", ".type", "'type'", "\"type\"", "item.type", "message.content["];
/// Families whose templates are read as those of texts, whatever they hold.
const FLAT_FAMILIES: [&str; 4] = ["apertus", "deepseek_v3", "gpt_oss", "seed_oss"];
/// What `processing_kwargs.chat_template` may hold that the template is not given.
const OF_CALL: [&str; 7] = [
    "add_generation_prompt",
    "restore_suffix",
    "padding",
    "truncation",
    "max_length",
    "return_tensors",
    // Which template, by its name or in full.
    "chat_template",
];

/// What it may not hold: arguments of Python's function that would make it another call.
const OF_PYTHON: [&str; 7] = [
    "continue_final_message",
    "conversation",
    "messages",
    "return_assistant_tokens_mask",
    "return_dict",
    "tokenize",
    "tokenizer_kwargs",
];

/// How texts become a chat.
#[derive(Debug, Clone)]
pub struct ChatSpec {
    /// Where the template stands, for messages.
    pub file: String,
    /// The template, in Jinja.
    pub template: String,
    /// Whether a message's content is a list of parts, and not its text.
    pub in_parts: bool,
    /// What the template is given by name, such as `eos_token` and `enable_thinking`.
    pub variables: BTreeMap<String, Value>,
    /// Whether the beginning of an answer follows the messages.
    pub generation_prompt: bool,
    /// Whether the template's end is put back where a text was cut.
    pub restores_tail: bool,
    /// Tokens that a chat may have, where its files say it of chats.
    pub max_length: Option<usize>,
}

impl ChatSpec {
    /// Names the special tokens to the template. What its files give it by the same names is stronger.
    pub(super) fn name(&mut self, special_tokens: BTreeMap<String, String>) {
        for (name, token) in special_tokens {
            self.variables.entry(name).or_insert(token.into());
        }
    }
}

/// How the model's texts become chats, if they do.
pub(super) fn chat(folder: &ModelFolder, configs: &Configs) -> Result<Option<ChatSpec>> {
    let modalities = configs.sentence_bert.object("modality_config")?;
    let message = modalities.map_or(Ok(None), |all| all.object("message"))?;
    if configs.modules.is_some() && message.is_none() {
        return Ok(None);
    }
    let processing = configs.sentence_bert.object("processing_kwargs")?;
    let own = processing.map_or(Ok(None), |all| all.object("chat_template"))?.unwrap_or_default();
    let mut named = templates::named(folder, configs)?;
    let names: Vec<String> = named.keys().map(|name| shown(name)).collect();
    let chosen = own.text("chat_template")?;
    let found = named.remove(chosen.unwrap_or(templates::DEFAULT));
    // What is no name is a template.
    let given = || chosen.map(|source| Named { file: own.file.clone(), source: source.to_owned() });
    let Some(Named { file, source: template }) = found.or_else(given) else {
        if !names.is_empty() {
            return Err(Error::ModelUnsupported(format!(
                "The model has the chat templates {} and none that is called \"default\", so it is not known which its texts take",
                names.join(", ")
            )));
        }
        if message.is_none() {
            return Ok(None);
        }
        return Err(Error::FileNotFound(format!(
            "{} has no chat template (chat_template.jinja, or \"chat_template\" in tokenizer_config.json), which \
             \"modality_config.message\" of {} needs",
            folder.root().display(),
            configs.sentence_bert.file
        )));
    };
    let mut variables = BTreeMap::new();
    for (name, value) in own.entries().filter(|(name, _)| !OF_CALL.contains(&name.as_str())) {
        if OF_PYTHON.contains(&name.as_str()) {
            return Err(unsupported(&own, name, value));
        }
        variables.insert(name.clone(), value.clone());
    }
    let cuts = match own.get("truncation") {
        None | Some(Value::Bool(true)) => true,
        Some(Value::Bool(false)) => false,
        Some(Value::String(word)) if word == "do_not_truncate" => false,
        Some(other) => return Err(unsupported(&own, "truncation", other)),
    };
    if !cuts {
        return Err(unsupported(&own, "truncation", &Value::Bool(false)));
    }
    Ok(Some(ChatSpec {
        in_parts: in_parts(configs, message.as_ref(), &template)?,
        generation_prompt: own.flag("add_generation_prompt")?.unwrap_or(false),
        restores_tail: own.flag("restore_suffix")?.unwrap_or(true),
        max_length: own.count("max_length")?.filter(|limit| *limit > 0),
        file,
        template,
        variables,
    }))
}

fn in_parts(configs: &Configs, message: Option<&Object>, template: &str) -> Result<bool> {
    match message.map(|message| message.text("format")).transpose()?.flatten() {
        Some("flat") => Ok(false),
        Some("structured") => Ok(true),
        _ if FLAT_FAMILIES.contains(&configs.model_type()) => Ok(false),
        _ => Ok(OF_PARTS.iter().any(|mark| template.contains(mark))),
    }
}

fn unsupported(object: &Object, key: &str, value: &Value) -> Error {
    Error::ModelUnsupported(format!(
        "{}: \"{key}\" of \"processing_kwargs.chat_template\" is {value}, which is not supported",
        object.file
    ))
}
