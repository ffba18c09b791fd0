//! What `sentence_bert_config.json` says about a text's way into the network (sentence-transformers 5.4 and later:
//! `modality_config`, `processing_kwargs`, `query_expansion`). What would lead another way is an error; that texts are messages of
//! a chat is for `chat.rs` to read.

use serde_json::Value;

use super::{Configs, HeadSpec, Wanted};
use crate::error::{Error, Result};
use crate::files::Object;

/// Refuses whatever would make the reference feed or read the network in another way.
pub(super) fn expect_known(configs: &Configs, head: &HeadSpec) -> Result<()> {
    // Who asks for the network alone does all else alone.
    if matches!(head, HeadSpec::Bare(_)) {
        return Ok(());
    }
    let wanted = head.wanted();
    let file = &configs.sentence_bert;
    if let Some(expansion) = file.get("query_expansion").filter(|_| !matches!(head, HeadSpec::Late(_))) {
        return Err(unsupported(file, "query_expansion", expansion));
    }
    if let Some(modalities) = file.object("modality_config")? {
        // A model with messages puts each text into one.
        let read =
            modalities.object("message")?.map_or_else(|| modalities.object("text"), |message| Ok(Some(message)))?;
        let text = read.ok_or_else(|| {
            Error::ModelUnsupported(format!(
                "{}: \"modality_config\" has no \"text\", so the model reads no text",
                file.file
            ))
        })?;
        let (output, module_output) = match wanted {
            Wanted::Vectors => ("last_hidden_state", "token_embeddings"),
            Wanted::Logits => ("logits", "scores"),
            Wanted::TokenLogits | Wanted::Vocabulary | Wanted::PooledVocabulary(_) | Wanted::Weights => {
                ("logits", "token_embeddings")
            }
            Wanted::Next(_) => ("logits", "causal_logits"),
        };
        for (object, key, expected) in [
            (&text, "method", "forward"),
            (&text, "method_output_name", output),
            (file, "module_output_name", module_output),
        ] {
            let Some(value) = object.get(key) else { continue };
            // A path into the output may be a list.
            let only = value.as_array().filter(|path| path.len() == 1).map_or(value, |path| &path[0]);
            if only != expected {
                return Err(unsupported(object, key, value));
            }
        }
    }
    if let Some(processing) = file.object("processing_kwargs")? {
        for group in ["common", "text"] {
            let Some(arguments) = processing.object(group)? else { continue };
            for (key, value) in arguments.entries() {
                let plain = match key.as_str() {
                    "padding" | "truncation" => *value == Value::Bool(true),
                    "return_tensors" => true,
                    // `length` reads it.
                    "max_length" => group == "text",
                    _ => false,
                };
                if !plain {
                    return Err(unsupported(file, &format!("processing_kwargs.{group}.{key}"), value));
                }
            }
        }
    }
    Ok(())
}

fn unsupported(object: &Object, key: &str, value: &Value) -> Error {
    Error::ModelUnsupported(format!("{}: \"{key}\" is {value}, which is not supported", object.file))
}
