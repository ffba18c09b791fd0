//! How many tokens a text may have.
//!
//! The reference's rule (sentence-transformers 6.2, `Transformer.__init__`): `max_seq_length` of
//! `sentence_bert_config.json` (before it `max_length` among the text arguments of each call), else `model_max_length` of
//! `tokenizer_config.json` capped at the network's positions.
//! The reference does not cap `max_seq_length` and crashes on long text; here it is capped too, where the network has a
//! table of positions.

use super::Configs;
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Object};
use crate::options::{LoadOptions, Task};

/// Used where no file names any limit, so that memory stays bounded.
const UNDECLARED: usize = 131_072;

/// Older names of `sentence_bert_config.json`, in the reference's order.
const SENTENCE_BERT_FILES: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

/// Families whose positions start after the padding id (`create_position_ids_from_input_ids` in transformers).
const OFFSET_FAMILIES: [&str; 15] = [
    "roberta",
    "xlm-roberta",
    "xlm-roberta-xl",
    "camembert",
    "mpnet",
    "longformer",
    "xmod",
    "data2vec-text",
    "roberta-prelayernorm",
    "ibert",
    "esm",
    "luke",
    "mluke",
    "layoutlmv3",
    "lilt",
];

/// Families whose positions are computed (rotary or relative): the number in `config.json` is what they were trained
/// with, not the size of a table.
const COMPUTED_POSITIONS: [&str; 26] = [
    "deberta",
    "deberta-v2",
    "gemma",
    "gemma2",
    "gemma3",
    "gemma3_text",
    "granite",
    "gte",
    "jina_embeddings_v3",
    "llama",
    "ministral",
    "ministral3",
    "mistral",
    "modernbert",
    "modernbert-decoder",
    "mt5",
    "new",
    "nomic_bert",
    "phi3",
    "qwen2",
    "qwen3",
    "qwen3_5",
    "t5",
    "t5gemma",
    "umt5",
    "xlnet",
];

/// How many tokens a text or pair may have, special tokens included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxLength {
    /// What calls use unless they say otherwise.
    pub default: usize,
    /// What the network has positions for; `None` where no file says.
    pub positions: Option<usize>,
    /// `query_length`: what `embedQuery` uses, where the repository has a limit of its own for queries.
    pub query: Option<usize>,
    /// `document_length`: the same for `embedDocument`.
    pub document: Option<usize>,
}

impl MaxLength {
    /// The limit of a call that asks for `requested`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the network has fewer positions, or the limit is 0.
    pub fn of(&self, requested: Option<usize>) -> Result<usize> {
        match (requested, self.positions) {
            (None, _) => Ok(self.default),
            (Some(0), _) => Err(Error::InvalidArgument("Expected at least 1 for `maxLength` but received 0".into())),
            (Some(wanted), Some(positions)) if wanted > positions => Err(Error::InvalidArgument(format!(
                "Expected at most {positions} for `maxLength`, the positions that this model's network has, but received {wanted}"
            ))),
            (Some(wanted), _) => Ok(wanted),
        }
    }

    /// The same for the graph `file`, which has room for `length` tokens and not for more.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the load options ask for more.
    pub fn within(&self, length: usize, options: &LoadOptions, file: &str) -> Result<Self> {
        if let Some(wanted) = options.max_length.filter(|wanted| *wanted > length) {
            return Err(Error::InvalidArgument(format!(
                "Expected at most {length} for `maxLength`, the tokens that {file} was exported for, but received {wanted}"
            )));
        }
        let cut = |limit: usize| limit.min(length);
        Ok(MaxLength {
            default: cut(self.default),
            positions: Some(self.positions.map_or(length, cut)),
            query: self.query.map(cut),
            document: self.document.map(cut),
        })
    }

    /// The repository's own limit for texts of this task, if it has one.
    #[must_use]
    pub fn of_task(&self, task: Option<Task>) -> Option<usize> {
        match task? {
            Task::Query => self.query,
            Task::Document => self.document,
        }
    }
}

pub(super) fn read_sentence_bert(folder: &ModelFolder, transformer: &str) -> Result<Object> {
    for name in SENTENCE_BERT_FILES {
        if let Some(object) = folder.object(&format!("{transformer}{name}"))? {
            return Ok(object);
        }
    }
    Ok(Object::default())
}

pub(super) fn position_offset(configs: &Configs) -> Result<usize> {
    if OFFSET_FAMILIES.contains(&configs.model_type()) {
        Ok(configs.config.count("pad_token_id")?.unwrap_or(1).saturating_add(1))
    } else {
        Ok(0)
    }
}

pub(super) fn resolve(
    configs: &Configs,
    position_offset: usize,
    options: &LoadOptions,
    assumed: &mut Vec<String>,
) -> Result<MaxLength> {
    let family = configs.model_type();
    let has_position_table = !COMPUTED_POSITIONS.contains(&family);
    let mut positions = None;
    for key in ["max_position_embeddings", "max_trained_positions", "n_positions"] {
        // T5's configuration has the number and transformers does not read it.
        if key == "n_positions" && !has_position_table {
            continue;
        }
        // XLNet writes -1 for "no limit".
        if configs.config.get(key).and_then(serde_json::Value::as_i64) == Some(-1) {
            continue;
        }
        if let Some(count) = configs.config.count(key)? {
            positions = Some(count.saturating_sub(position_offset).max(1));
            break;
        }
    }
    let processing = configs.sentence_bert.object("processing_kwargs")?;
    let per_call = processing.and_then(|all| all.object("text").transpose()).transpose()?;
    let of_each_call = per_call.map_or(Ok(None), |text| text.count("max_length"))?;
    let declared = of_each_call.or(configs.sentence_bert.count("max_seq_length")?);
    // `max_len` is the name that transformers used before 2021. Nobody means 1e30.
    let of_tokenizer = match configs.tokenizer.count("model_max_length")? {
        None => configs.tokenizer.count("max_len")?,
        limit => limit,
    };
    // The reference believes a declared length. A table of positions has an end all the same.
    if let (Some(limit), false) = (declared, has_position_table) {
        positions = positions.map(|positions| positions.max(limit));
    }
    let declared = declared.or(of_tokenizer).filter(|limit| *limit > 0 && *limit < 1 << 31);
    let default = match (declared, positions) {
        (Some(limit), Some(positions)) => limit.min(positions),
        (Some(limit), None) => limit,
        (None, Some(positions)) => positions,
        (None, None) => {
            assumed.push("maxLength".into());
            UNDECLARED
        }
    };
    let limits = MaxLength { default, positions, query: None, document: None };
    if options.max_length.is_some() || of_each_call.is_some() {
        return Ok(MaxLength { default: limits.of(options.max_length)?, ..limits });
    }
    let own = |key: &str| -> Result<Option<usize>> {
        let limit = configs.sentence_bert.count(key)?.filter(|limit| *limit > 0);
        Ok(limit.map(|limit| positions.map_or(limit, |positions| limit.min(positions))))
    };
    Ok(MaxLength { query: own("query_length")?, document: own("document_length")?, ..limits })
}
