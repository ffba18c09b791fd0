//! What `sentence_bert_config.json` says about a text's way into the network (sentence-transformers 5.4 and later:
//! `modality_config`, `processing_kwargs`, `query_expansion`). Only the plain way is supported; another is an error.

use serde_json::Value;

use super::Configs;
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Object};
use crate::options::Product;

/// Refuses whatever would make the reference feed or read the network in another way.
pub(super) fn expect_plain_text(folder: &ModelFolder, configs: &Configs, product: Product) -> Result<()> {
    // With modules.json and no `modality_config` the reference takes texts as they are, as it did before there were others.
    if configs.modules.is_none() {
        let file = format!("{}chat_template.jinja", configs.transformer);
        if configs.tokenizer.get("chat_template").is_some() || folder.has(&file)? {
            return Err(Error::ModelUnsupported(format!(
                "A \"chat_template\" (tokenizer_config.json or {file}) in a repository without modules.json means that the \
                 reference wraps each text in a chat. That is not supported in this version"
            )));
        }
    }
    let file = &configs.sentence_bert;
    if let Some(expansion) = file.get("query_expansion") {
        return Err(unsupported(file, "query_expansion", expansion));
    }
    if let Some(modalities) = file.object("modality_config")? {
        // A model with a message modality puts each text into a chat template.
        if let Some(message) = modalities.get("message") {
            return Err(unsupported(file, "modality_config.message", message));
        }
        let text = modalities.object("text")?.ok_or_else(|| {
            Error::ModelUnsupported(format!(
                "{}: \"modality_config\" has no \"text\", so the model reads no text",
                file.file
            ))
        })?;
        let (output, module_output) = match product {
            Product::Embedder => ("last_hidden_state", "token_embeddings"),
            Product::Reranker => ("logits", "scores"),
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
