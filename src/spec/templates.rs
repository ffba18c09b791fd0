//! Which chat templates a repository has, and the special tokens that they may name.
//!
//! Rules: transformers 5.23, `PreTrainedTokenizerBase._from_pretrained`. Files are stronger than `tokenizer_config.json`:
//! `chat_template.jinja` is the template `default`, each `additional_chat_templates/NAME.jinja` the template NAME.
//! A tokenizer by itself takes `chat_template.json` where there is no other, as the reference's processors of older models do.

use std::collections::BTreeMap;

use serde_json::Value;

use super::tokenizer::{SPECIAL_TOKENS, content};
use super::{Configs, TokenizerSpec};
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Object};
use crate::template::{Named, Templates};

/// The name of the template that is used where none is asked for.
pub(super) const DEFAULT: &str = "default";

/// The chat templates of a model whose tokenizer is known, with its special tokens as their variables.
///
/// # Errors
/// [`Error::ModelInvalid`] where a file is not what it should be.
pub fn templates_of(folder: &ModelFolder, tokenizer: &TokenizerSpec) -> Result<Templates> {
    let configs = Configs::of_tokenizer(folder)?;
    let mut named = named(folder, &configs)?;
    if named.is_empty()
        && let Some(file) = folder.object("chat_template.json")?
    {
        named = declared(&file)?;
    }
    Ok(Templates::new(named, named_tokens(folder, &configs, tokenizer)?))
}

/// The templates by their names.
pub(super) fn named(folder: &ModelFolder, configs: &Configs) -> Result<BTreeMap<String, Named>> {
    const MORE: &str = "additional_chat_templates";
    let path = |name: &str| format!("{}{name}", configs.transformer);
    let mut files = vec![(DEFAULT.to_owned(), path("chat_template.jinja"))];
    let more = path(MORE);
    files.extend(folder.list(&more)?.iter().filter_map(|file| {
        let name = file.strip_suffix(".jinja")?;
        Some((name.to_owned(), format!("{more}/{file}")))
    }));
    let mut named = BTreeMap::new();
    for (name, file) in files {
        if let Some(bytes) = folder.read(&file)? {
            let source = String::from_utf8(bytes)
                .map_err(|source| Error::invalid_model_because(format!("{file} is not text in UTF-8"), source))?;
            named.insert(name, Named { file, source });
        }
    }
    if named.is_empty() {
        named = declared(&configs.tokenizer)?;
    }
    Ok(named)
}

/// The templates that stand in a file of JSON: one, or several with names.
fn declared(file: &Object) -> Result<BTreeMap<String, Named>> {
    const KEY: &str = "chat_template";
    let place = format!("{}: \"{KEY}\"", file.file);
    let expected = || file.wrong(KEY, "a string or a list of {name, template}");
    match file.get(KEY) {
        None => Ok(BTreeMap::new()),
        Some(Value::String(source)) => {
            Ok(BTreeMap::from([(DEFAULT.to_owned(), Named { file: place, source: source.clone() })]))
        }
        Some(Value::Array(list)) => {
            let one = |one: &Value| {
                let text = |key: &str| one.get(key).and_then(Value::as_str).map(str::to_owned);
                let (name, source) = text("name").zip(text("template"))?;
                Some((name.clone(), Named { file: format!("{place} ({name})"), source }))
            };
            list.iter().map(|value| one(value).ok_or_else(expected)).collect()
        }
        Some(_) => Err(expected()),
    }
}

/// The special tokens by the names that templates know them by. Old repositories have them in a file of their own, which counts
/// where `tokenizer_config.json` does not list the added tokens.
pub(super) fn named_tokens(
    folder: &ModelFolder,
    configs: &Configs,
    tokenizer: &TokenizerSpec,
) -> Result<BTreeMap<String, String>> {
    let mut tokens = tokenizer.named_tokens.clone();
    if configs.tokenizer.get("added_tokens_decoder").is_some() {
        return Ok(tokens);
    }
    let file = format!("{}special_tokens_map.json", configs.transformer);
    let Some(Value::Object(map)) = folder.json(&file)? else { return Ok(tokens) };
    for name in SPECIAL_TOKENS {
        match map.get(name) {
            None => {}
            Some(token) => match content(token) {
                Some(token) => drop(tokens.insert(name.into(), token.into())),
                None => drop(tokens.remove(name)),
            },
        }
    }
    Ok(tokens)
}
