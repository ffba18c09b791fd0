//! Which parts of `tokenizer.json` transformers does not use.
//!
//! In transformers 5 most tokenizer classes take the vocabulary and the merges from `tokenizer.json` and build the
//! normaliser and the pre-tokeniser anew from `tokenizer_config.json` (`TokenizersBackend.convert_to_native_format` and
//! each class's `__init__`). Which class that is follows `AutoTokenizer.from_pretrained`. The parts are written here as
//! `tokenizer.json` would hold them.

use serde_json::{Value, json};

use super::Configs;
use crate::error::Result;
use crate::files::Object;

/// What stands in the place of the same parts of `tokenizer.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct RebuiltParts {
    /// The normaliser; `None` where there is none.
    pub normalizer: Option<Value>,
    /// The pre-tokeniser.
    pub pre_tokenizer: Value,
}

/// The classes that matter here, told apart by what they build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Bert,
    ByteLevel,
    /// SentencePiece's words: split at white space, then a `▁` before each.
    Words,
    Albert,
    DebertaV2,
    Gemma,
    Llama,
    Qwen2,
}

impl Class {
    /// The class of this name, with or without "Fast". Unknown names stand for the class that uses the file as it is.
    fn named(name: &str) -> Option<Class> {
        Some(match name.strip_suffix("Fast").unwrap_or(name).strip_suffix("Tokenizer")? {
            "Bert" | "DistilBert" | "MPNet" | "Electra" | "MobileBert" | "SqueezeBert" | "LayoutLM" | "Lxmert"
            | "DPRQuestionEncoder" | "DPRContextEncoder" => Class::Bert,
            "Roberta" | "Bart" | "LED" | "Longformer" | "Mvp" | "GPT2" | "Deberta" => Class::ByteLevel,
            "XLMRoberta" | "Camembert" | "T5" => Class::Words,
            "Albert" => Class::Albert,
            "DebertaV2" => Class::DebertaV2,
            "Gemma" => Class::Gemma,
            "Llama" => Class::Llama,
            "Qwen2" => Class::Qwen2,
            _ => return None,
        })
    }

    /// The class that transformers registers for a family (`TOKENIZER_MAPPING_NAMES`).
    fn of_family(model_type: &str) -> Option<Class> {
        Some(match model_type {
            "bert" | "convbert" | "distilbert" | "electra" | "ernie" | "layoutlm" | "lxmert" | "megatron-bert"
            | "mobilebert" | "mpnet" | "nezha" | "nomic_bert" | "qdqbert" | "retribert" | "squeezebert" => Class::Bert,
            "bart"
            | "data2vec-text"
            | "deberta"
            | "gpt2"
            | "gpt_neo"
            | "gptj"
            | "ibert"
            | "led"
            | "longformer"
            | "opt"
            | "phi"
            | "roberta"
            | "roberta-prelayernorm" => Class::ByteLevel,
            "camembert"
            | "gte"
            | "jina_embeddings_v3"
            | "mt5"
            | "switch_transformers"
            | "t5"
            | "xlm-roberta"
            | "xmod" => Class::Words,
            "albert" | "yoso" => Class::Albert,
            "deberta-v2" => Class::DebertaV2,
            "gemma" | "gemma2" | "gemma3" | "gemma3_text" | "gemma3n" | "gemma3n_text" | "t5gemma" => Class::Gemma,
            "qwen2" | "qwen2_moe" | "qwen3" | "qwen3_moe" | "qwen3_next" => Class::Qwen2,
            _ => return None,
        })
    }

    /// The model that the class puts the vocabulary into.
    fn model(self) -> &'static str {
        match self {
            Class::Bert => "WordPiece",
            Class::Words | Class::Albert | Class::DebertaV2 => "Unigram",
            Class::ByteLevel | Class::Gemma | Class::Llama | Class::Qwen2 => "BPE",
        }
    }
}

/// Families whose repositories often name a wrong class: the file is used as it is, whatever they name.
const AS_IT_IS: [&str; 26] = [
    "arctic",
    "bigbird_pegasus",
    "camembertv2-base",
    "glm",
    "glm4",
    "gpt_bigcode",
    "granite",
    "granitemoe",
    "internlm2",
    "internlm3",
    "jamba",
    "minicpm3",
    "ministral",
    "ministral3",
    "mistral",
    "mistral3",
    "mixtral",
    "modernbert",
    "modernbert-decoder",
    "nemotron",
    "nystromformer",
    "olmo2",
    "phi3",
    "stablelm",
    "umt5",
    "xlm-roberta-xl",
];

/// The parts that the repository's class builds, or `None` where `tokenizer.json` is used as it is.
pub(super) fn rebuilt_parts(configs: &Configs, tokenizer: &Value) -> Result<Option<RebuiltParts>> {
    let Some(class) = class_of(configs, tokenizer)? else { return Ok(None) };
    // Old files do not name their model's type.
    let model = tokenizer.pointer("/model/type").and_then(Value::as_str);
    if model.is_some_and(|model| model != class.model()) {
        return Ok(None);
    }
    parts_of(class, &configs.tokenizer, charsmap(tokenizer)).map(Some)
}

fn class_of(configs: &Configs, tokenizer: &Value) -> Result<Option<Class>> {
    let family = configs.model_type();
    let declared = match configs.tokenizer.text("tokenizer_class")? {
        Some(name) => Some(name),
        None => configs.config.text("tokenizer_class")?,
    };
    Ok(match declared {
        Some(_) if AS_IT_IS.contains(&family) => None,
        // The one family with a class of its own that is believed more than the repository.
        Some(_) if family == "qwen2" => Some(Class::Qwen2),
        Some(name) => Class::named(name).filter(|class| *class != Class::Llama || !is_byte_level(tokenizer)),
        None => Class::of_family(family),
    })
}

fn parts_of(class: Class, config: &Object, charsmap: Option<Value>) -> Result<RebuiltParts> {
    let flag = |key: &str, default: bool| Ok::<_, crate::error::Error>(config.flag(key)?.unwrap_or(default));
    let scheme = |prefix: bool, otherwise: &'static str| if prefix { "always" } else { otherwise };
    Ok(match class {
        Class::Bert => RebuiltParts {
            normalizer: Some(json!({
                "type": "BertNormalizer",
                "clean_text": true,
                "handle_chinese_chars": flag("tokenize_chinese_chars", true)?,
                // Absent means: where lower case holds.
                "strip_accents": config.flag("strip_accents")?,
                "lowercase": flag("do_lower_case", true)?,
            })),
            pre_tokenizer: json!({ "type": "BertPreTokenizer" }),
        },
        Class::ByteLevel => {
            RebuiltParts { normalizer: None, pre_tokenizer: byte_level(flag("add_prefix_space", false)?, true) }
        }
        Class::Words => RebuiltParts {
            normalizer: charsmap,
            pre_tokenizer: words(scheme(flag("add_prefix_space", true)?, "never")),
        },
        Class::Albert => {
            let mut steps = vec![replace(json!({ "String": "``" }), "\""), replace(json!({ "String": "''" }), "\"")];
            if !flag("keep_accents", false)? {
                steps.extend([json!({ "type": "NFKD" }), json!({ "type": "StripAccents" })]);
            }
            if flag("do_lower_case", true)? {
                steps.push(json!({ "type": "Lowercase" }));
            }
            steps.extend(charsmap);
            RebuiltParts {
                normalizer: Some(json!({ "type": "Sequence", "normalizers": steps })),
                pre_tokenizer: words(scheme(flag("add_prefix_space", true)?, "never")),
            }
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
            RebuiltParts {
                normalizer: Some(json!({ "type": "Sequence", "normalizers": steps })),
                pre_tokenizer: json!({ "type": "Sequence", "pretokenizers": splits }),
            }
        }
        Class::Gemma => RebuiltParts {
            normalizer: Some(replace(json!({ "String": " " }), "▁")),
            pre_tokenizer: split(json!({ "String": " " }), "MergedWithPrevious"),
        },
        Class::Llama => {
            let prefixed = if flag("legacy", false)? { "always" } else { "first" };
            let scheme = if flag("add_prefix_space", true)? { prefixed } else { "never" };
            RebuiltParts { normalizer: None, pre_tokenizer: metaspace(scheme, false) }
        }
        Class::Qwen2 => {
            let pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
            let splits =
                [split(json!({ "Regex": pattern }), "Isolated"), byte_level(flag("add_prefix_space", false)?, false)];
            RebuiltParts {
                normalizer: Some(json!({ "type": "NFC" })),
                pre_tokenizer: json!({ "type": "Sequence", "pretokenizers": splits }),
            }
        }
    })
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

/// Whether `tokenizer.json` works on bytes, as Llama 3's does under the class of Llama 2.
fn is_byte_level(tokenizer: &Value) -> bool {
    ["pre_tokenizer", "decoder"].iter().filter_map(|part| tokenizer.get(part)).any(|part| {
        let steps = ["pretokenizers", "decoders"].iter().find_map(|key| part.get(key)).and_then(Value::as_array);
        let is = |step: &Value| step.get("type").and_then(Value::as_str) == Some("ByteLevel");
        is(part) || steps.is_some_and(|steps| steps.iter().any(is))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configs(model_type: &str, class: Option<&str>) -> Configs {
        let object = |value: Value| Object::new("test.json", value.as_object().cloned().unwrap_or_default());
        Configs {
            config: object(json!({ "model_type": model_type })),
            tokenizer: object(json!({ "tokenizer_class": class })),
            sentence_bert: Object::default(),
            sentence_transformers: None,
            modules: None,
            transformer: String::new(),
        }
    }

    #[test]
    fn the_class_follows_auto_tokenizer() {
        let byte_level = json!({ "pre_tokenizer": { "type": "Sequence", "pretokenizers": [{ "type": "ByteLevel" }] } });
        for (family, class, file, expected) in [
            ("bert", Some("BertTokenizerFast"), json!({}), Some(Class::Bert)),
            ("bert", None, json!({}), Some(Class::Bert)),
            ("bert", Some("PreTrainedTokenizerFast"), json!({}), None),
            ("modernbert", Some("BertTokenizer"), json!({}), None),
            ("mistral", Some("LlamaTokenizer"), json!({}), None),
            ("qwen2", Some("LlamaTokenizerFast"), json!({}), Some(Class::Qwen2)),
            ("llama", Some("LlamaTokenizerFast"), json!({}), Some(Class::Llama)),
            ("llama", Some("LlamaTokenizer"), byte_level, None),
            ("unheard-of", None, json!({}), None),
        ] {
            let found = class_of(&configs(family, class), &file).expect("a class");
            assert_eq!(found, expected, "{family} {class:?}");
        }
    }

    #[test]
    fn a_file_of_another_model_is_used_as_it_is() {
        let file = json!({ "model": { "type": "BPE" } });
        assert_eq!(rebuilt_parts(&configs("bert", Some("BertTokenizer")), &file).expect("parts"), None);
    }
}
