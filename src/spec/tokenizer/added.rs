//! Tokens that stand for themselves in a text, such as `[SEP]`. transformers takes them from `tokenizer_config.json` where
//! that lists them (`PreTrainedTokenizerBase._from_pretrained`), and from `tokenizer.json` otherwise.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::added_tokens;
use super::parts::{content, id_of};
use super::special::SPECIAL_TOKENS;
use crate::error::Result;
use crate::files::Object;

/// Puts the list that the reference uses into `tokenizer`. A class that builds its tokenizer anew (`rebuilt`) forgets the
/// file's own list where `tokenizer_config.json` has one.
pub(super) fn apply(tokenizer: &mut Value, rebuilt: bool, config: &Object) -> Result<()> {
    let mut list = added_tokens(tokenizer).to_vec();
    if let Some(declared) = config.object("added_tokens_decoder")? {
        let mut tokens = Vec::new();
        for (id, token) in declared.entries() {
            let complete = id.parse().ok().zip(content(token)).map(|(id, content)| complete(id, content, token));
            tokens.push(complete.ok_or_else(|| config.wrong("added_tokens_decoder", "tokens by their ids"))?);
        }
        if !rebuilt {
            let declared: HashSet<&str> = tokens.iter().filter_map(content).collect();
            list.retain(|token| content(token).is_none_or(|name| !declared.contains(name)));
            tokens.append(&mut list);
        }
        list = tokens;
    }
    let there: HashSet<&str> = list.iter().filter_map(content).collect();
    let missing: HashSet<&str> = special_names(config).into_iter().filter(|name| !there.contains(name)).collect();
    // A name that no vocabulary holds would be an id that the network does not know.
    let special = |name: &str| Some(complete(id_of(tokenizer, name)?, name, &json!({ "special": true })));
    let missing: Vec<Value> = missing.into_iter().filter_map(special).collect();
    list.extend(missing);
    list.sort_by_key(|token| token.get("id").and_then(Value::as_u64));
    if let Some(object) = tokenizer.as_object_mut() {
        object.insert("added_tokens".into(), list.into());
    }
    Ok(())
}

/// The token as `tokenizer.json` writes it, with the defaults of `AddedToken`.
fn complete(id: u64, content: &str, token: &Value) -> Value {
    let flag = |key: &str| token.get(key).and_then(Value::as_bool);
    let special = flag("special").unwrap_or(false);
    json!({
        "id": id,
        "content": content,
        "single_word": flag("single_word").unwrap_or(false),
        "lstrip": flag("lstrip").unwrap_or(false),
        "rstrip": flag("rstrip").unwrap_or(false),
        "normalized": flag("normalized").unwrap_or(!special),
        "special": special,
    })
}

/// Special tokens by name, and those without one.
fn special_names(config: &Object) -> Vec<&str> {
    let named = SPECIAL_TOKENS.iter().filter_map(|key| config.get(key));
    let extra = ["extra_special_tokens", "additional_special_tokens"].iter().find_map(|key| config.get(key));
    let extra: Vec<&Value> = match extra {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(Value::Object(by_name)) => by_name.values().collect(),
        _ => Vec::new(),
    };
    named.chain(extra).filter_map(content).collect()
}
