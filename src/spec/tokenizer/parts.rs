//! What a tokenizer class builds instead of what `tokenizer.json` says.
//!
//! In transformers 5 most classes take only the vocabulary and the merges from `tokenizer.json` and build the normaliser,
//! the pre-tokeniser and often the post-processor from `tokenizer_config.json` (`TokenizersBackend`'s
//! `convert_to_native_format` and each class's `__init__`). Here the file's JSON is changed accordingly, before it is
//! read.

use serde_json::{Value, json};

use super::class::Class;
use crate::error::Result;
use crate::files::Object;

/// The split of Qwen 2 and 3, and of Qwen 3.5, which keeps marks with their letters.
const QWEN2_SPLIT: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN35_SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

impl Class {
    /// The model that the class puts the vocabulary into.
    fn model(self) -> &'static str {
        match self {
            Class::Bert | Class::MpNet => "WordPiece",
            Class::XlmRoberta | Class::Camembert | Class::T5 | Class::Albert | Class::DebertaV2 => "Unigram",
            Class::Roberta
            | Class::Gpt2
            | Class::Deberta
            | Class::Gemma
            | Class::Llama
            | Class::Qwen2
            | Class::Qwen35 => "BPE",
        }
    }

    /// The name of its unknown token where `tokenizer_config.json` says nothing.
    pub(super) fn unknown_token(self) -> &'static str {
        match self {
            Class::Bert | Class::MpNet | Class::Deberta | Class::DebertaV2 => "[UNK]",
            Class::Gpt2 | Class::Qwen2 | Class::Qwen35 => "<|endoftext|>",
            Class::Roberta
            | Class::XlmRoberta
            | Class::Camembert
            | Class::T5
            | Class::Albert
            | Class::Gemma
            | Class::Llama => "<unk>",
        }
    }
}

/// Changes `tokenizer` to what `class` makes of it. False where the file holds another model than the class's: such a
/// file is left as it is, as its author surely meant.
pub(super) fn rebuild(tokenizer: &mut Value, class: Class, config: &Object) -> Result<bool> {
    // Old files do not name their model's type.
    let model = tokenizer.pointer("/model/type").and_then(Value::as_str);
    if model.is_some_and(|model| model != class.model()) {
        return Ok(false);
    }
    let charsmap = charsmap(tokenizer);
    let (normalizer, pre_tokenizer) = steps(class, config, charsmap)?;
    let post_processor = post_processor(tokenizer, class, config)?;
    let model = model_keys(tokenizer, class, config)?;
    if let Some(object) = tokenizer.as_object_mut() {
        object.insert("normalizer".into(), normalizer);
        object.insert("pre_tokenizer".into(), pre_tokenizer);
        if let Some(post_processor) = post_processor {
            object.insert("post_processor".into(), post_processor);
        }
    }
    if let Some(object) = tokenizer.get_mut("model").and_then(Value::as_object_mut) {
        object.extend(model.as_object().cloned().unwrap_or_default());
    }
    Ok(true)
}

fn flag(config: &Object, key: &str, default: bool) -> Result<bool> {
    Ok(config.flag(key)?.unwrap_or(default))
}

/// Normaliser and pre-tokeniser.
fn steps(class: Class, config: &Object, charsmap: Option<Value>) -> Result<(Value, Value)> {
    let flag = |key: &str, default: bool| flag(config, key, default);
    let scheme = |prefix: bool, otherwise: &'static str| if prefix { "always" } else { otherwise };
    Ok(match class {
        Class::Bert | Class::MpNet => (
            json!({
                "type": "BertNormalizer",
                "clean_text": true,
                "handle_chinese_chars": flag("tokenize_chinese_chars", true)?,
                // Absent means: where lower case holds.
                "strip_accents": config.flag("strip_accents")?,
                "lowercase": flag("do_lower_case", true)?,
            }),
            json!({ "type": "BertPreTokenizer" }),
        ),
        Class::Roberta | Class::Gpt2 | Class::Deberta => {
            (Value::Null, byte_level(flag("add_prefix_space", false)?, true))
        }
        Class::XlmRoberta | Class::Camembert => {
            (charsmap.unwrap_or_default(), words(scheme(flag("add_prefix_space", true)?, "never")))
        }
        Class::T5 => (charsmap.unwrap_or_default(), words("always")),
        Class::Albert => {
            let mut steps = vec![replace(json!({ "String": "``" }), "\""), replace(json!({ "String": "''" }), "\"")];
            if !flag("keep_accents", false)? {
                steps.extend([json!({ "type": "NFKD" }), json!({ "type": "StripAccents" })]);
            }
            if flag("do_lower_case", true)? {
                steps.push(json!({ "type": "Lowercase" }));
            }
            steps.extend(charsmap);
            (
                json!({ "type": "Sequence", "normalizers": steps }),
                words(scheme(flag("add_prefix_space", true)?, "never")),
            )
        }
        Class::DebertaV2 => {
            let mut steps = Vec::new();
            if flag("do_lower_case", false)? {
                steps.push(json!({ "type": "Lowercase" }));
            }
            steps.push(replace(json!({ "Regex": r"\s{2,}|[\n\r\t]" }), " "));
            steps.push(json!({ "type": "NFC" }));
            steps.push(json!({ "type": "Strip", "strip_left": false, "strip_right": true }));
            let mut splits = Vec::new();
            if flag("split_by_punct", false)? {
                splits.push(json!({ "type": "Punctuation", "behavior": "Isolated" }));
            }
            splits.push(metaspace(scheme(flag("add_prefix_space", true)?, "first"), true));
            (
                json!({ "type": "Sequence", "normalizers": steps }),
                json!({ "type": "Sequence", "pretokenizers": splits }),
            )
        }
        Class::Gemma => (replace(json!({ "String": " " }), "▁"), split(json!({ "String": " " }), "MergedWithPrevious")),
        Class::Llama => {
            let prefixed = if flag("legacy", false)? { "always" } else { "first" };
            (Value::Null, metaspace(if flag("add_prefix_space", true)? { prefixed } else { "never" }, false))
        }
        Class::Qwen2 | Class::Qwen35 => {
            let pattern = if class == Class::Qwen2 { QWEN2_SPLIT } else { QWEN35_SPLIT };
            let splits =
                [split(json!({ "Regex": pattern }), "Isolated"), byte_level(flag("add_prefix_space", false)?, false)];
            (json!({ "type": "NFC" }), json!({ "type": "Sequence", "pretokenizers": splits }))
        }
    })
}

/// The post-processor, or `None` where the class keeps the file's.
fn post_processor(tokenizer: &Value, class: Class, config: &Object) -> Result<Option<Value>> {
    let special = |key: &str, default: &'static str| token_name(config, key).unwrap_or(default);
    let (first, last) = match class {
        Class::Bert | Class::Deberta | Class::DebertaV2 => {
            (special("cls_token", "[CLS]"), special("sep_token", "[SEP]"))
        }
        Class::Albert if tokenizer.get("post_processor").is_none_or(Value::is_null) => {
            (special("cls_token", "[CLS]"), special("sep_token", "[SEP]"))
        }
        Class::MpNet | Class::Roberta => (special("cls_token", "<s>"), special("sep_token", "</s>")),
        Class::XlmRoberta | Class::Camembert => (special("bos_token", "<s>"), special("eos_token", "</s>")),
        Class::T5 => ("</s>", "</s>"),
        Class::Albert | Class::Gpt2 | Class::Gemma | Class::Llama | Class::Qwen2 | Class::Qwen35 => return Ok(None),
    };
    // Without ids for its tokens the class could not be used either.
    let (Some(first_id), Some(last_id)) = (id_of(tokenizer, first), id_of(tokenizer, last)) else { return Ok(None) };
    let (a, b) = (Step::Text("A", 0), Step::Text("B", 0));
    let (open, close) = (Step::Token(first, 0), Step::Token(last, 0));
    let (single, pair) = match class {
        Class::MpNet | Class::Roberta => {
            let roberta = class == Class::Roberta;
            return Ok(Some(json!({
                "type": "RobertaProcessing",
                "cls": [first, first_id],
                "sep": [last, last_id],
                "trim_offsets": !roberta || flag(config, "trim_offsets", true)?,
                "add_prefix_space": roberta && flag(config, "add_prefix_space", false)?,
            })));
        }
        Class::T5 => (vec![a, close], vec![a, close, b, close]),
        Class::Deberta | Class::XlmRoberta | Class::Camembert => {
            (vec![open, a, close], vec![open, a, close, close, b, close])
        }
        _ => (vec![open, a, close], vec![open, a, close, Step::Text("B", 1), Step::Token(last, 1)]),
    };
    let entry = |name: &str, id: u64| (name.to_owned(), json!({ "id": name, "ids": [id], "tokens": [name] }));
    let tokens: serde_json::Map<String, Value> = [entry(first, first_id), entry(last, last_id)].into_iter().collect();
    let written = |steps: &[Step<'_>]| steps.iter().map(Step::written).collect::<Vec<_>>();
    Ok(Some(json!({
        "type": "TemplateProcessing",
        "single": written(&single),
        "pair": written(&pair),
        "special_tokens": tokens,
    })))
}

/// A step of a template, with its token type.
#[derive(Clone, Copy)]
enum Step<'a> {
    Text(&'static str, u8),
    Token(&'a str, u8),
}

impl Step<'_> {
    fn written(&self) -> Value {
        match self {
            Step::Text(name, type_id) => json!({ "Sequence": { "id": name, "type_id": type_id } }),
            Step::Token(name, type_id) => json!({ "SpecialToken": { "id": name, "type_id": type_id } }),
        }
    }
}

/// What the class sets in the model itself.
fn model_keys(tokenizer: &Value, class: Class, config: &Object) -> Result<Value> {
    let unknown = token_name(config, "unk_token").unwrap_or(class.unknown_token());
    let at = |name: &str| tokenizer.pointer("/model/vocab").and_then(|vocab| position(vocab, name));
    let unigram = |unknown: u64| json!({ "unk_id": unknown, "byte_fallback": false });
    let on_bytes = json!({
        "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
        "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
    });
    let with_bytes = |unknown: Option<&str>| {
        json!({
            "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
        })
    };
    Ok(match class {
        Class::Bert | Class::MpNet => json!({
            "unk_token": unknown, "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
        }),
        Class::Roberta | Class::Gpt2 | Class::Deberta | Class::Qwen2 | Class::Qwen35 => on_bytes,
        Class::Gemma => with_bytes(Some(unknown)),
        Class::Llama => with_bytes(None),
        Class::XlmRoberta => unigram(3),
        Class::T5 => unigram(2),
        Class::Albert => unigram(1),
        Class::Camembert => unigram(at(unknown).unwrap_or(0)),
        Class::DebertaV2 => {
            let declared = config.count("unk_id")?.unwrap_or(1) as u64;
            unigram(at(unknown).unwrap_or(declared))
        }
    })
}

/// The name of a special token in `tokenizer_config.json`: a string, or an object with its content.
pub(super) fn token_name<'config>(config: &'config Object, key: &str) -> Option<&'config str> {
    content(config.get(key)?)
}

/// A token's text, of a string or an object.
pub(in crate::spec) fn content(token: &Value) -> Option<&str> {
    token.as_str().or_else(|| token.get("content")?.as_str())
}

/// The id of a token: of the added ones, else of the vocabulary.
pub(in crate::spec) fn id_of(tokenizer: &Value, name: &str) -> Option<u64> {
    let added = tokenizer.get("added_tokens").and_then(Value::as_array);
    let found = added.and_then(|list| list.iter().find(|token| content(token) == Some(name)));
    match found {
        Some(token) => token.get("id")?.as_u64(),
        None => position(tokenizer.pointer("/model/vocab")?, name),
    }
}

/// A unigram vocabulary is a list of pieces with scores, the others map pieces to ids.
fn position(vocab: &Value, name: &str) -> Option<u64> {
    match vocab {
        Value::Object(ids) => ids.get(name)?.as_u64(),
        Value::Array(pieces) => {
            pieces.iter().position(|piece| piece.get(0).and_then(Value::as_str) == Some(name)).map(|at| at as u64)
        }
        _ => None,
    }
}

fn replace(pattern: Value, content: &str) -> Value {
    json!({ "type": "Replace", "pattern": pattern, "content": content })
}

fn split(pattern: Value, behavior: &str) -> Value {
    json!({ "type": "Split", "pattern": pattern, "behavior": behavior, "invert": false })
}

fn byte_level(add_prefix_space: bool, use_regex: bool) -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": true, "use_regex": use_regex })
}

fn metaspace(prepend_scheme: &str, split: bool) -> Value {
    json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": prepend_scheme, "split": split })
}

/// SentencePiece's words: split at white space, then a `▁` before each.
fn words(prepend_scheme: &str) -> Value {
    json!({ "type": "Sequence", "pretokenizers": [{ "type": "WhitespaceSplit" }, metaspace(prepend_scheme, true)] })
}

/// SentencePiece's own normalisation, which the classes keep: the normaliser itself or a step of its sequence.
fn charsmap(tokenizer: &Value) -> Option<Value> {
    let normalizer = tokenizer.get("normalizer")?;
    let steps = match normalizer.get("normalizers") {
        Some(steps) => steps.as_array()?.as_slice(),
        None => std::slice::from_ref(normalizer),
    };
    steps.iter().find(|step| step.get("type").and_then(Value::as_str) == Some("Precompiled")).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_model_is_left_as_it_is() {
        let mut file = json!({ "model": { "type": "Unigram", "vocab": [] }, "normalizer": null });
        let before = file.clone();
        assert!(!rebuild(&mut file, Class::Bert, &Object::default()).expect("left"));
        assert_eq!(file, before);
    }
}
