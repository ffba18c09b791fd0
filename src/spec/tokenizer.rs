//! What `tokenizer.json` and the files beside it say about turning texts into tokens.
//!
//! transformers rebuilds BERT's normalizer from `tokenizer_config.json` (its `BertTokenizer.__init__`), so that
//! `tokenizer.json`'s own is not used; and takes the direction of truncation from `tokenizer.json` unless
//! `tokenizer_config.json` names one. Padding is ours (`batch.rs`).

use super::Configs;
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Object};
use crate::options::Truncation;

/// How texts become tokens.
#[derive(Debug, Clone)]
pub struct TokenizerSpec {
    /// The bytes of `tokenizer.json`.
    pub json: std::sync::Arc<[u8]>,
    /// The file's name, for messages.
    pub file: String,
    /// The normalizer that replaces the file's own.
    pub normalizer: Option<BertNormalizer>,
    /// `do_lower_case` of `sentence_bert_config.json`: lower case first, unless the normalizer does it.
    pub lower_case: bool,
    /// Which end is cut when the user does not say.
    pub truncation: Truncation,
    /// The token that fills up shorter rows.
    pub pad_id: u32,
}

/// BERT's normalizer as `tokenizer_config.json` sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BertNormalizer {
    /// `do_lower_case`, default true.
    pub lower_case: bool,
    /// `strip_accents`; absent means: where lower case holds.
    pub strip_accents: Option<bool>,
    /// `tokenize_chinese_chars`, default true.
    pub chinese_chars: bool,
}

/// Classes whose normalizer transformers builds from `tokenizer_config.json`; most families share `BertTokenizer`.
const BERT_CLASSES: [&str; 9] = [
    "BertTokenizer",
    "DistilBertTokenizer",
    "MPNetTokenizer",
    "ElectraTokenizer",
    "MobileBertTokenizer",
    "ConvBertTokenizer",
    "SqueezeBertTokenizer",
    "RetriBertTokenizer",
    "LayoutLMTokenizer",
];

/// Families that get such a class where `tokenizer_config.json` names none.
const BERT_FAMILIES: [&str; 14] = [
    "bert",
    "distilbert",
    "mpnet",
    "electra",
    "mobilebert",
    "convbert",
    "squeezebert",
    "retribert",
    "layoutlm",
    "ernie",
    "megatron-bert",
    "nezha",
    "nomic_bert",
    "qdqbert",
];

impl TokenizerSpec {
    pub(super) fn read(folder: &ModelFolder, configs: &Configs) -> Result<Self> {
        let file = format!("{}tokenizer.json", configs.transformer);
        let json = folder.read(&file)?.ok_or_else(|| {
            Error::FileNotFound(format!(
                "{} has no {file}. Save the tokenizer once with `AutoTokenizer.from_pretrained(…).save_pretrained(…)` to get one",
                folder.root().display()
            ))
        })?;
        let value: serde_json::Value = serde_json::from_slice(&json).map_err(|source| {
            Error::invalid_model_because(format!("{file} is not valid JSON. Copy or download the file again"), source)
        })?;
        Ok(TokenizerSpec {
            normalizer: bert_normalizer(configs)?,
            lower_case: configs.sentence_bert.flag("do_lower_case")?.unwrap_or(false),
            truncation: truncation_side(configs, &value)?,
            pad_id: pad_id(configs, &value)?,
            json: json.into(),
            file,
        })
    }
}

fn truncation_side(configs: &Configs, tokenizer: &serde_json::Value) -> Result<Truncation> {
    let baked = || tokenizer.pointer("/truncation/direction").and_then(|side| side.as_str()).map(str::to_lowercase);
    match configs.tokenizer.text("truncation_side")?.map(str::to_owned).or_else(baked).as_deref() {
        None | Some("right") => Ok(Truncation::Right),
        Some("left") => Ok(Truncation::Left),
        Some(_) => Err(configs.tokenizer.wrong("truncation_side", "\"left\" or \"right\"")),
    }
}

fn bert_normalizer(configs: &Configs) -> Result<Option<BertNormalizer>> {
    let config = &configs.tokenizer;
    let is_bert = match config.text("tokenizer_class")? {
        Some(class) => BERT_CLASSES.contains(&class.strip_suffix("Fast").unwrap_or(class)),
        None => BERT_FAMILIES.contains(&configs.model_type()),
    };
    if !is_bert {
        return Ok(None);
    }
    Ok(Some(BertNormalizer {
        lower_case: config.flag("do_lower_case")?.unwrap_or(true),
        strip_accents: config.flag("strip_accents")?,
        chinese_chars: config.flag("tokenize_chinese_chars")?.unwrap_or(true),
    }))
}

/// The padding token's id. Its rows are masked, so it matters only to graphs that derive positions from it.
fn pad_id(configs: &Configs, tokenizer: &serde_json::Value) -> Result<u32> {
    let by_name = |content: &str| {
        let added = tokenizer.get("added_tokens")?.as_array()?;
        added
            .iter()
            .find(|token| token.get("content").and_then(|text| text.as_str()) == Some(content))?
            .get("id")?
            .as_u64()
    };
    let from_name = pad_token(&configs.tokenizer).and_then(|name| by_name(&name));
    let from_tokenizer = || tokenizer.pointer("/padding/pad_id").and_then(serde_json::Value::as_u64);
    let id = match from_name.or_else(from_tokenizer) {
        Some(id) => id,
        None => configs.config.count("pad_token_id").map_or(Ok(0), |id| Ok::<_, Error>(id.unwrap_or(0) as u64))?,
    };
    Ok(u32::try_from(id).unwrap_or(0))
}

fn pad_token(config: &Object) -> Option<String> {
    match config.get("pad_token")? {
        serde_json::Value::String(name) => Some(name.clone()),
        object => object.get("content")?.as_str().map(str::to_owned),
    }
}
