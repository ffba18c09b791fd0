//! Which tokenizer class of transformers a repository gets. The rules are those of `AutoTokenizer.from_pretrained`
//! (transformers 5.23) for classes that read a `tokenizer.json`.

use serde_json::Value;

use super::super::Configs;
use crate::error::{Error, Result};

/// A class that builds parts of the tokenizer anew (`parts.rs`), told apart by what it builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Bert,
    MpNet,
    Roberta,
    Gpt2,
    Deberta,
    XlmRoberta,
    Camembert,
    T5,
    Albert,
    DebertaV2,
    Gemma,
    Llama,
    Qwen2,
    Qwen35,
}

/// What a repository's class means for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chosen {
    /// `None`: `tokenizer.json` is used as it is.
    pub class: Option<Class>,
    /// Whether the class gives token types, where `model_input_names` says nothing.
    pub token_types: bool,
}

/// Every class that is not listed by name: it takes the file as it is and gives no token types.
const AS_IT_IS: Chosen = Chosen { class: None, token_types: false };

/// Families whose repositories often name a wrong class: `tokenizer.json` is used as it is, whatever they name.
const FAMILIES_AS_THEY_ARE: [&str; 43] = [
    "arctic",
    "bigbird_pegasus",
    "camembertv2-base",
    "ernie4_5",
    "ernie4_5_moe",
    "flex_olmo",
    "glm",
    "glm4",
    "glm4_moe",
    "glm4_moe_lite",
    "gpt_bigcode",
    "granite",
    "granitemoe",
    "granitemoehybrid",
    "granitemoeshared",
    "hyperclovax",
    "internlm2",
    "internlm3",
    "jamba",
    "kimi_linear",
    "mimo_v2_flash",
    "minicpm3",
    "minimax_m2",
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
    "olmo3",
    "olmo_hybrid",
    "pegasus_x",
    "persimmon",
    "phi3",
    "phimoe",
    "pixtral",
    "stablelm",
    "umt5",
    "xlm-roberta-xl",
];

/// Classes that never read `tokenizer.json`.
const WITHOUT_FILE: [&str; 16] = [
    "Bartpho",
    "BertGeneration",
    "BertJapanese",
    "Bertweet",
    "BioGpt",
    "ByT5",
    "CTRL",
    "Canine",
    "Esm",
    "Flaubert",
    "GPTSw3",
    "M2M100",
    "Marian",
    "MyT5",
    "Phobert",
    "XLM",
];

fn named(name: &str) -> Chosen {
    let stem = name.strip_suffix("Fast").unwrap_or(name);
    let (class, token_types) = match stem.strip_suffix("Tokenizer").unwrap_or("") {
        "Bert" | "Electra" | "MobileBert" | "SqueezeBert" | "LayoutLM" | "Lxmert" | "DPRQuestionEncoder"
        | "DPRContextEncoder" => (Class::Bert, true),
        "DistilBert" => (Class::Bert, false),
        "MPNet" => (Class::MpNet, false),
        "Roberta" | "Bart" | "LED" | "Longformer" | "Mvp" => (Class::Roberta, false),
        "GPT2" => (Class::Gpt2, false),
        "Deberta" => (Class::Deberta, true),
        "XLMRoberta" => (Class::XlmRoberta, false),
        "Camembert" => (Class::Camembert, false),
        "T5" => (Class::T5, false),
        "Albert" => (Class::Albert, false),
        "DebertaV2" => (Class::DebertaV2, true),
        "Gemma" => (Class::Gemma, false),
        "Llama" => (Class::Llama, false),
        "Qwen2" => (Class::Qwen2, false),
        "Qwen3_5" => (Class::Qwen35, false),
        // They have no `__init__` of their own, so the file is not taken apart.
        "ConvBert" | "FNet" => return Chosen { class: None, token_types: true },
        _ => return AS_IT_IS,
    };
    Chosen { class: Some(class), token_types }
}

/// The class that transformers registers for a family (`TOKENIZER_MAPPING_NAMES`).
fn of_family(model_type: &str) -> Chosen {
    named(match model_type {
        "bert" | "convbert" | "distilbert" | "electra" | "ernie" | "layoutlm" | "lxmert" | "megatron-bert"
        | "mobilebert" | "nezha" | "nomic_bert" | "qdqbert" | "retribert" | "squeezebert" => "BertTokenizer",
        "mpnet" => "MPNetTokenizer",
        "bart"
        | "data2vec-text"
        | "ibert"
        | "led"
        | "lilt"
        | "longformer"
        | "mra"
        | "roberta"
        | "roberta-prelayernorm" => "RobertaTokenizer",
        "codegen" | "gpt2" | "gpt_neo" | "gptj" | "opt" | "phi" | "starcoder2" => "GPT2Tokenizer",
        "deberta" => "DebertaTokenizer",
        "gte" | "jina_embeddings_v3" | "xlm-roberta" | "xmod" => "XLMRobertaTokenizer",
        "camembert" => "CamembertTokenizer",
        "mt5" | "switch_transformers" | "t5" => "T5Tokenizer",
        "albert" | "yoso" => "AlbertTokenizer",
        "deberta-v2" => "DebertaV2Tokenizer",
        "gemma" | "gemma2" | "gemma3" | "gemma3_text" | "gemma3n" | "gemma3n_text" | "t5gemma" => "GemmaTokenizer",
        "qwen2" | "qwen2_moe" | "qwen2_vl" | "qwen2_5_vl" | "qwen3" | "qwen3_moe" | "qwen3_next" | "qwen3_vl" => {
            "Qwen2Tokenizer"
        }
        "qwen3_5" | "qwen3_5_moe" | "qwen3_5_moe_text" | "qwen4_exp" => "Qwen3_5Tokenizer",
        _ => "",
    })
}

/// The class of a repository with this `tokenizer.json`.
pub(super) fn choose(configs: &Configs, tokenizer: &Value) -> Result<Chosen> {
    let family = configs.model_type();
    let (file, declared) = match configs.tokenizer.text("tokenizer_class")? {
        Some(name) => (&configs.tokenizer.file, Some(name)),
        None => (&configs.config.file, configs.config.text("tokenizer_class")?),
    };
    let Some(name) = declared else { return Ok(of_family(family)) };
    if FAMILIES_AS_THEY_ARE.contains(&family) {
        return Ok(AS_IT_IS);
    }
    // The families whose own class is believed more than the repository.
    if matches!(family, "qwen2" | "qwen3_5" | "qwen3_5_moe" | "qwen3_5_moe_text" | "qwen4_exp") {
        return Ok(of_family(family));
    }
    if WITHOUT_FILE.contains(&name.strip_suffix("Tokenizer").unwrap_or("")) {
        return Err(Error::ModelUnsupported(format!(
            "{file}: \"tokenizer_class\" is \"{name}\", which does not read tokenizer.json and is not supported"
        )));
    }
    let chosen = named(name);
    // Llama 3 has bytes under the class of Llama 2.
    Ok(if chosen.class == Some(Class::Llama) && is_byte_level(tokenizer) { AS_IT_IS } else { chosen })
}

fn is_byte_level(tokenizer: &Value) -> bool {
    ["pre_tokenizer", "decoder"].iter().filter_map(|part| tokenizer.get(part)).any(|part| {
        let steps = ["pretokenizers", "decoders"].iter().find_map(|key| part.get(key)).and_then(Value::as_array);
        let is = |step: &Value| step.get("type").and_then(Value::as_str) == Some("ByteLevel");
        is(part) || steps.is_some_and(|steps| steps.iter().any(is))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::files::Object;

    fn chosen(model_type: &str, class: Option<&str>, file: &Value) -> Result<Chosen> {
        let object = |value: Value| Object::new("test.json", value.as_object().cloned().unwrap_or_default());
        let configs = Configs {
            config: object(json!({ "model_type": model_type })),
            tokenizer: object(json!({ "tokenizer_class": class })),
            sentence_bert: Object::default(),
            sentence_transformers: None,
            modules: None,
            routes: None,
            transformer: String::new(),
            is_static: false,
        };
        choose(&configs, file)
    }

    #[test]
    fn the_class_follows_auto_tokenizer() {
        let byte_level = json!({ "pre_tokenizer": { "type": "Sequence", "pretokenizers": [{ "type": "ByteLevel" }] } });
        for (family, class, file, expected, token_types) in [
            ("bert", Some("BertTokenizerFast"), json!({}), Some(Class::Bert), true),
            ("bert", None, json!({}), Some(Class::Bert), true),
            ("bert", Some("PreTrainedTokenizerFast"), json!({}), None, false),
            ("distilbert", Some("DistilBertTokenizer"), json!({}), Some(Class::Bert), false),
            ("modernbert", Some("BertTokenizer"), json!({}), None, false),
            ("mistral", Some("LlamaTokenizer"), json!({}), None, false),
            ("qwen2", Some("LlamaTokenizerFast"), json!({}), Some(Class::Qwen2), false),
            ("qwen3_5", Some("Qwen2TokenizerFast"), json!({}), Some(Class::Qwen35), false),
            ("llama", Some("LlamaTokenizerFast"), json!({}), Some(Class::Llama), false),
            ("llama", Some("LlamaTokenizer"), byte_level, None, false),
            ("convbert", Some("ConvBertTokenizer"), json!({}), None, true),
            ("unheard-of", None, json!({}), None, false),
        ] {
            let found = chosen(family, class, &file).expect("a class");
            assert_eq!(found, Chosen { class: expected, token_types }, "{family} {class:?}");
        }
    }

    #[test]
    fn a_class_without_a_file_is_refused_by_name() {
        let error = chosen("roberta", Some("PhobertTokenizer"), &json!({})).expect_err("refused");
        assert_eq!(error.code(), "ERR_MODEL_UNSUPPORTED");
        assert!(error.to_string().contains("PhobertTokenizer"), "{error}");
    }
}
