//! Whether every part of `tokenizer.json` is of a type that the `tokenizers` crate (0.23) has. The crate says of an unknown
//! one only that nothing matched, takes some for another part with the same keys, and panics on others.

use serde_json::Value;

use crate::error::{Error, Result, shown};

/// A part, the types that it may have, and the key under which a `Sequence` of them keeps its steps. Old files leave types
/// out; then the keys decide.
const PARTS: [(&str, &[&str], &str); 5] = [
    ("model", &["BPE", "WordPiece", "WordLevel", "Unigram"], ""),
    (
        "normalizer",
        &[
            "BertNormalizer",
            "Bert",
            "Strip",
            "StripAccents",
            "NFC",
            "NFD",
            "NFKC",
            "NFKD",
            "Sequence",
            "Lowercase",
            "Nmt",
            "Precompiled",
            "Replace",
            "Prepend",
            "ByteLevel",
        ],
        "normalizers",
    ),
    (
        "pre_tokenizer",
        &[
            "BertPreTokenizer",
            "ByteLevel",
            "CharDelimiterSplit",
            "Delimiter",
            "Metaspace",
            "Whitespace",
            "Sequence",
            "Split",
            "Punctuation",
            "WhitespaceSplit",
            "Digits",
            "UnicodeScripts",
            "FixedLength",
        ],
        "pretokenizers",
    ),
    (
        "post_processor",
        &["RobertaProcessing", "BertProcessing", "ByteLevel", "TemplateProcessing", "Sequence"],
        "processors",
    ),
    (
        "decoder",
        &[
            "BPEDecoder",
            "ByteLevel",
            "WordPiece",
            "Metaspace",
            "CTC",
            "Sequence",
            "Replace",
            "Fuse",
            "Strip",
            "ByteFallback",
        ],
        "decoders",
    ),
];

/// The steps of a part in their order, however deep in a `Sequence` they stand; one for a part that is none.
pub(crate) fn steps<'json>(tokenizer: &'json Value, part: &str) -> Vec<&'json Value> {
    fn flat<'json>(value: &'json Value, key: &str) -> Vec<&'json Value> {
        match value.get(key).and_then(Value::as_array) {
            Some(inner) => inner.iter().flat_map(|step| flat(step, key)).collect(),
            None => vec![value],
        }
    }
    let key = PARTS.iter().find(|(name, ..)| *name == part).map_or("", |(.., key)| key);
    tokenizer.get(part).filter(|value| !value.is_null()).map_or_else(Vec::new, |value| flat(value, key))
}

/// The tokens that stand for themselves in a text.
pub(crate) fn added_tokens(tokenizer: &Value) -> &[Value] {
    tokenizer.get("added_tokens").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Refuses a part of an unknown type by name.
pub(super) fn expect_known(tokenizer: &Value, file: &str) -> Result<()> {
    for (part, types, steps) in PARTS {
        if let Some(value) = tokenizer.get(part) {
            expect(value, part, types, steps, file)?;
        }
    }
    Ok(())
}

fn expect(value: &Value, part: &str, types: &[&str], steps: &str, file: &str) -> Result<()> {
    let named = value.get("type").filter(|found| !found.is_null());
    if let Some(found) = named.filter(|found| !found.as_str().is_some_and(|name| types.contains(&name))) {
        let found = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
        return Err(Error::ModelUnsupported(format!(
            "{file}: \"{part}\" has the type {}, which is not supported. Known are {}",
            shown(&found),
            types.join(", ")
        )));
    }
    for step in value.get(steps).and_then(Value::as_array).into_iter().flatten() {
        expect(step, part, types, steps, file)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unknown_type_is_named_wherever_it_stands() {
        for part in ["model", "normalizer", "pre_tokenizer", "post_processor", "decoder"] {
            let error = expect_known(&json!({ part: { "type": "Unheard" } }), "tokenizer.json").expect_err(part);
            assert_eq!(error.code(), "ERR_MODEL_UNSUPPORTED");
            assert!(error.to_string().contains(part) && error.to_string().contains("Unheard"), "{error}");
        }
        let inside = json!({ "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "NFC" }, { "type": "Sequence", "normalizers": [{ "type": 5 }] },
        ] } });
        assert!(expect_known(&inside, "tokenizer.json").is_err());
        let kinds: Vec<_> = steps(&inside, "normalizer").iter().map(|step| step["type"].clone()).collect();
        assert_eq!(kinds, [json!("NFC"), json!(5)]);
        assert!(steps(&inside, "pre_tokenizer").is_empty());
        let known = json!({ "model": { "vocab": {} }, "normalizer": null, "decoder": { "type": "CTC" } });
        assert!(expect_known(&known, "tokenizer.json").is_ok());
    }
}
