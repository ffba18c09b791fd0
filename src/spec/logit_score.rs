//! Language models as rerankers: the score is the logit of one answer, or of one less that of the other, behind the last token.
//! Rules: sentence-transformers 6.2, `cross_encoder/modules/logit_score.py` and `CrossEncoder._load_default_modules`.

use serde_json::Value;

use super::Configs;
use super::tokenizer::id_of;
use crate::error::{Error, Result};
use crate::files::ModelFolder;
use crate::options::Product;

/// Which tokens' logits make the score: none where the model is no language model. Of two the first is taken from the second.
pub(super) fn answers(folder: &ModelFolder, configs: &Configs) -> Result<Option<Vec<u32>>> {
    let Some(modules) = &configs.modules else {
        return match configs.architecture() {
            Some(name) if name.ends_with("ForCausalLM") => by_words(folder, configs).map(Some),
            _ => Ok(None),
        };
    };
    let Some(module) = modules.iter().find(|module| module.class() == "LogitScore") else { return Ok(None) };
    if let Some(other) = modules.iter().skip(1).find(|other| other.class() != "LogitScore") {
        let found = format!("modules.json: there is the module \"{}\" beside LogitScore", other.type_name);
        return Err(configs.refuse(Product::Reranker, &found));
    }
    let config = module.required_config(folder)?;
    for (key, _) in config.entries() {
        if !["true_token_id", "false_token_id", "module_input_name"].contains(&key.as_str()) {
            return Err(Error::ModelUnsupported(format!("{}: \"{key}\" is not known", config.file)));
        }
    }
    let id = |key: &str| -> Result<Option<u32>> {
        let id = config.count(key)?.map(u32::try_from).transpose();
        id.map_err(|_| config.wrong(key, "a token id"))
    };
    let yes = id("true_token_id")?.ok_or_else(|| config.wrong("true_token_id", "a token id"))?;
    Ok(Some(id("false_token_id")?.into_iter().chain([yes]).collect()))
}

/// A plain language model answers with the words themselves.
fn by_words(folder: &ModelFolder, configs: &Configs) -> Result<Vec<u32>> {
    let file = format!("{}tokenizer.json", configs.transformer);
    let tokenizer = folder.json(&file)?.unwrap_or(Value::Null);
    let id = |word: &str| {
        let id = id_of(&tokenizer, word).and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| {
            Error::ModelUnsupported(format!(
                "{file} has no token \"{word}\". A language model without modules.json is a reranker by its logits of \"yes\" and \"no\""
            ))
        })
    };
    Ok(vec![id("no")?, id("yes")?])
}
