//! Texts that go before a call's texts, by name.

use std::collections::BTreeMap;

use super::ModelSpec;
use super::configs::Configs;
use crate::error::{Error, Result};
use crate::options::{LoadOptions, Prompt, Task};

impl ModelSpec {
    /// The text that goes before each text of a call.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the name is unknown.
    pub fn prompt(&self, prompt: &Prompt) -> Result<&str> {
        let named = |name: &str| self.prompts.get(name).map(String::as_str);
        Ok(match prompt {
            Prompt::Default => self.default_prompt.as_deref().and_then(named).unwrap_or(""),
            Prompt::Of(Task::Query) => named("query").unwrap_or(""),
            Prompt::Of(Task::Document) => ["document", "passage", "corpus"]
                .iter()
                .filter_map(|name| named(name))
                .find(|text| !text.is_empty())
                .unwrap_or(""),
            // The reference always knows these two names; a repository that does not declare them means no prompt.
            Prompt::Named(name) if name == "query" || name == "document" => named(name).unwrap_or(""),
            Prompt::Named(name) => {
                return named(name).ok_or_else(|| {
                    let known: Vec<_> = self.prompts.keys().map(|key| format!("'{key}'")).collect();
                    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                    Error::InvalidArgument(format!(
                        "Expected the name of a prompt for `prompt` but received '{name}'. The model has: {known}"
                    ))
                });
            }
            Prompt::Text(_) => "",
        })
    }
}

/// The prompts, and the name of the one that calls without a name use.
pub(super) fn declared(configs: &Configs, options: &LoadOptions) -> Result<(BTreeMap<String, String>, Option<String>)> {
    let mut prompts = BTreeMap::new();
    let mut default_prompt = None;
    if let Some(file) = &configs.sentence_transformers {
        if let Some(declared) = file.object("prompts")? {
            for (name, text) in declared.entries() {
                let text = if text.is_null() { Some("") } else { text.as_str() };
                let text = text.ok_or_else(|| declared.wrong(name, "a string"))?;
                prompts.insert(name.clone(), text.to_owned());
            }
        }
        default_prompt = file.text("default_prompt_name")?.map(str::to_owned);
    }
    if let Some(given) = &options.prompts {
        prompts.clone_from(given);
    }
    // These two names are always known to an embedder.
    let is_known = |name: &String| options.product.is_embedder() && (name == "query" || name == "document");
    if let Some(name) = &default_prompt
        && !prompts.contains_key(name)
        && !is_known(name)
    {
        if options.prompts.is_none() {
            return Err(Error::invalid_model(format!(
                "config_sentence_transformers.json: \"default_prompt_name\" is \"{name}\", which \"prompts\" does not hold"
            )));
        }
        default_prompt = None;
    }
    Ok((prompts, default_prompt))
}
