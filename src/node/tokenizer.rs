//! A model's tokenizer as an object. It answers at once, on the JavaScript thread, as its callers expect of it.

use std::collections::BTreeMap;

use napi::bindgen_prelude::{Env, Object, Uint32Array};
use napi_derive::napi;
use serde_json::json;

use super::model::LoadWait;
use super::options::HubModel;
use super::outcome::{DecodeOutcome, EncodeOutcome, Encoded, TokenizerOutcome, TokensOutcome, promise};
use crate::error::Result;
use crate::registry::{LoadedTokenizer, OnHub, Origin, load_tokenizer};

/// Whose tokenizer to load.
#[napi(object, object_to_js = false)]
pub struct TokenizerOptions {
    /// The model's folder, absolute. Absent for a model on the Hub.
    pub path: Option<String>,
    /// A model on the Hub.
    pub hub: Option<HubModel>,
}

/// Loads the tokenizer of a model, without its network. `wait` belongs to this call alone.
#[napi(catch_unwind, js_name = "loadTokenizer", ts_return_type = "Promise<TokenizerOutcome>")]
pub fn load<'env>(env: &'env Env, options: TokenizerOptions, wait: &LoadWait) -> napi::Result<Object<'env>> {
    let (reply, promise) = promise(env, |result: Result<LoadedTokenizer>| {
        TokenizerOutcome::from(result.map(|loaded| TextTokenizer { loaded }))
    })?;
    let origin = match options.hub {
        Some(hub) => OnHub::try_from(hub).map(|hub| Origin::Hub(Box::new(hub))),
        None => Ok(Origin::Folder(options.path.unwrap_or_default().into())),
    };
    match origin {
        Ok(origin) => load_tokenizer(origin, &wait.inner, reply),
        Err(error) => reply.send(Err(error)),
    }
    Ok(promise)
}

/// A loaded tokenizer.
#[napi]
pub struct TextTokenizer {
    loaded: LoadedTokenizer,
}

#[napi]
impl TextTokenizer {
    /// As JSON: `{path, commit, padSide, truncationSide, chatTemplate, warnings}`; a side is `null` where no file says it. Of several
    /// chat templates, or one that is not the default, `chatTemplate` is an object by their names; of none it is `null`.
    #[napi(catch_unwind)]
    pub fn describe(&self) -> String {
        let LoadedTokenizer { known, folder, commit, warnings } = &self.loaded;
        let named = known.templates.named().iter();
        let sources: BTreeMap<_, _> = named.map(|(name, named)| (name, &named.source)).collect();
        let template = match sources.values().next() {
            None => json!(null),
            Some(_) if known.templates.has_names() => json!(sources),
            Some(source) => json!(source),
        };
        json!({ "path": folder, "commit": commit, "padSide": known.pads, "truncationSide": known.truncation.as_str(),
            "chatTemplate": template, "warnings": warnings })
        .to_string()
    }

    /// All tokens of a text, or of a pair.
    #[napi(catch_unwind)]
    pub fn encode(&self, text: String, pair: Option<String>, add_special_tokens: bool) -> EncodeOutcome {
        let encoding = self.loaded.known.tokenizer.encode(&text, pair.as_deref(), add_special_tokens);
        EncodeOutcome::from(encoding.map(|encoding| Encoded {
            ids: Uint32Array::new(encoding.ids),
            type_ids: Uint32Array::new(encoding.type_ids),
        }))
    }

    /// The same as text: as the vocabulary writes them.
    #[napi(catch_unwind)]
    pub fn tokens(&self, text: String, pair: Option<String>, add_special_tokens: bool) -> TokensOutcome {
        TokensOutcome::from(self.loaded.known.tokenizer.written(&text, pair.as_deref(), add_special_tokens))
    }

    /// A chat as text. `messages` and `options` are JSON; the options are those of transformers' `apply_chat_template` by its names:
    /// `chat_template` (a template, or the name of one), `tools`, `documents`, `add_generation_prompt`, `continue_final_message`. Every
    /// other one is a variable of the template.
    #[napi(catch_unwind)]
    pub fn apply_chat_template(&self, messages: String, options: String) -> DecodeOutcome {
        DecodeOutcome::from(self.loaded.known.templates.render(&messages, &options))
    }

    /// The text that the ids stand for.
    #[napi(catch_unwind)]
    pub fn decode(&self, ids: Uint32Array, skip_special_tokens: bool) -> DecodeOutcome {
        DecodeOutcome::from(self.loaded.known.tokenizer.decode(&ids, skip_special_tokens))
    }
}
