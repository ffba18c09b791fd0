//! What a call passes, and its one conversion into resolved options. The face in JavaScript has checked the types.

use napi::bindgen_prelude::{Float32Array, Uint8Array, Uint32Array};
use napi_derive::napi;

use super::options::{size, word};
use crate::engine::Rows;
use crate::error::{Error, Result};
use crate::options::{self, Overflow, Prompt, Ranges, Task};
use crate::tokenizer::{Part, TokenRow};

/// One embedding request.
#[napi(object, object_to_js = false)]
pub struct EmbedRequest {
    pub texts: Vec<String>,
    /// 1 where more of the text of the same place follows.
    pub cut: Uint8Array,
    /// What the texts are used as: the way that the model has for it, and its prompt where none is named.
    #[napi(ts_type = "'query' | 'document'")]
    pub task: Option<String>,
    pub prompt: Option<String>,
    pub prompt_text: Option<String>,
    pub pooling: Option<String>,
    pub normalize: Option<bool>,
    pub dimensions: Option<u32>,
    pub output: Option<String>,
    pub ranges_min: Option<Float32Array>,
    pub ranges_max: Option<Float32Array>,
    pub truncation: Option<String>,
    pub max_length: Option<u32>,
    pub rows: RowsOf,
}

/// One scoring request.
#[napi(object, object_to_js = false)]
pub struct ScoreRequest {
    /// One for all documents, or one for each.
    pub queries: Vec<String>,
    pub queries_cut: Uint8Array,
    pub documents: Vec<String>,
    pub documents_cut: Uint8Array,
    pub activation: Option<String>,
    /// Whether documents that are too long are scored in windows.
    pub windows: Option<bool>,
    pub truncation: Option<String>,
    pub max_length: Option<u32>,
    pub rows: RowsOf,
}

/// One classifying request.
#[napi(object, object_to_js = false)]
pub struct ClassifyRequest {
    pub texts: Vec<String>,
    pub cut: Uint8Array,
    /// The second text of each pair; absent for single texts.
    pub pairs: Option<Vec<String>>,
    pub pairs_cut: Option<Uint8Array>,
    pub activation: Option<String>,
    pub top_k: Option<u32>,
    pub truncation: Option<String>,
    pub max_length: Option<u32>,
    pub rows: RowsOf,
}

/// One request for sparse vectors.
#[napi(object, object_to_js = false)]
pub struct SparseRequest {
    pub texts: Vec<String>,
    /// 1 where more of the text of the same place follows.
    pub cut: Uint8Array,
    /// What the texts are used as: the way that the model has for it, and its prompt where none is named.
    #[napi(ts_type = "'query' | 'document'")]
    pub task: Option<String>,
    pub prompt: Option<String>,
    pub prompt_text: Option<String>,
    /// Numbers that a vector keeps.
    pub max_active: Option<u32>,
    pub truncation: Option<String>,
    pub max_length: Option<u32>,
    pub rows: RowsOf,
}

/// One request for spans of labels.
#[napi(object, object_to_js = false)]
pub struct ClassifyTokensRequest {
    /// Whole texts.
    pub texts: Vec<String>,
    pub aggregation: Option<String>,
    /// Names of labels that are left out.
    pub ignore: Option<Vec<String>>,
    pub max_length: Option<u32>,
    pub rows: RowsOf,
}

/// One request for vectors of tokens, or for scores by them.
#[napi(object, object_to_js = false)]
pub struct LateRequest {
    pub texts: Vec<String>,
    /// 1 where more of the text of the same place follows.
    pub cut: Uint8Array,
    #[napi(ts_type = "'query' | 'document'")]
    pub task: String,
    /// Vectors of a query's tokens, one after the other: the texts are scored, and their vectors stay here.
    pub query: Option<Float32Array>,
    pub truncation: Option<String>,
    pub max_length: Option<u32>,
    pub rows: RowsOf,
}

/// Rows of tokens, special ones included, to run through the network.
#[napi(object, object_to_js = false)]
pub struct ForwardRequest {
    /// The rows' token ids, one row after the other.
    pub ids: Uint32Array,
    /// As many segment ids; absent where all are 0.
    pub type_ids: Option<Uint32Array>,
    /// Tokens of each row.
    pub lengths: Uint32Array,
    pub rows: RowsOf,
}

/// Which of the user's texts or pairs a request holds.
#[napi(object, object_to_js = false)]
pub struct RowsOf {
    /// What the user knows the list as, such as `texts`.
    pub list: String,
    /// Where in the list the request begins; absent for one text alone. Behind the first, the call was accepted before and is
    /// not refused by the queue's bounds.
    pub first: Option<f64>,
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
impl From<RowsOf> for Rows {
    fn from(given: RowsOf) -> Self {
        Rows { list: given.list, first: given.first.map(|first| first as usize) }
    }
}

/// The texts with the mark of those that are only prefixes.
pub(super) fn parts(texts: Vec<String>, cut: &[u8]) -> Vec<Part> {
    texts.into_iter().enumerate().map(|(at, text)| Part { text, cut: cut.get(at).copied().unwrap_or(0) != 0 }).collect()
}

fn prompt(text: Option<String>, name: Option<String>, task: Option<Task>) -> Prompt {
    let text = text.map(Prompt::Text).or_else(|| name.map(Prompt::Named));
    text.or_else(|| task.map(Prompt::Of)).unwrap_or_default()
}

impl EmbedRequest {
    /// The texts, the options, and which of the user's texts these are.
    pub(super) fn resolve(self) -> Result<(Vec<Part>, options::EmbedOptions, Rows)> {
        let task = word(self.task.as_ref())?;
        let prompt = prompt(self.prompt_text, self.prompt, task);
        let ranges =
            self.ranges_min.zip(self.ranges_max).map(|(min, max)| Ranges { min: min.to_vec(), max: max.to_vec() });
        let options = options::EmbedOptions {
            prompt,
            task,
            pooling: word(self.pooling.as_ref())?,
            normalize: self.normalize,
            dimensions: size(self.dimensions),
            output: word(self.output.as_ref())?,
            ranges,
            truncation: word(self.truncation.as_ref())?,
            max_length: size(self.max_length),
        };
        Ok((parts(self.texts, &self.cut), options, self.rows.into()))
    }
}

impl SparseRequest {
    pub(super) fn resolve(self) -> Result<(Vec<Part>, options::SparseOptions, Rows)> {
        let task = word(self.task.as_ref())?;
        let options = options::SparseOptions {
            prompt: prompt(self.prompt_text, self.prompt, task),
            task,
            max_active: size(self.max_active),
            truncation: word(self.truncation.as_ref())?,
            max_length: size(self.max_length),
        };
        Ok((parts(self.texts, &self.cut), options, self.rows.into()))
    }
}

/// Texts, second texts where there are any, options, and which of the user's texts these are.
pub(super) type ResolvedClassify = (Vec<Part>, Vec<Part>, options::ClassifyOptions, Rows);

impl ClassifyRequest {
    pub(super) fn resolve(self) -> Result<ResolvedClassify> {
        let options = options::ClassifyOptions {
            activation: word(self.activation.as_ref())?,
            top_k: size(self.top_k),
            truncation: word(self.truncation.as_ref())?,
            max_length: size(self.max_length),
        };
        let cut = self.pairs_cut.as_deref().unwrap_or_default();
        let pairs = parts(self.pairs.unwrap_or_default(), cut);
        Ok((parts(self.texts, &self.cut), pairs, options, self.rows.into()))
    }
}

impl ClassifyTokensRequest {
    pub(super) fn resolve(self) -> Result<(Vec<String>, options::TokenClassifyOptions, Rows)> {
        let defaults = options::TokenClassifyOptions::default();
        let options = options::TokenClassifyOptions {
            aggregation: word(self.aggregation.as_ref())?.unwrap_or(defaults.aggregation),
            ignore: self.ignore.unwrap_or(defaults.ignore),
            max_length: size(self.max_length),
        };
        Ok((self.texts, options, self.rows.into()))
    }
}

impl LateRequest {
    /// The texts, the options, and which of the user's texts these are.
    pub(super) fn resolve(self) -> Result<(Vec<Part>, options::LateOptions, Rows)> {
        let options = options::LateOptions {
            task: self.task.parse()?,
            query: self.query.map(|query| query.to_vec()),
            truncation: word(self.truncation.as_ref())?,
            max_length: size(self.max_length),
        };
        Ok((parts(self.texts, &self.cut), options, self.rows.into()))
    }
}

impl ForwardRequest {
    pub(super) fn resolve(self) -> Result<(Vec<TokenRow>, Rows)> {
        let count: usize = self.lengths.iter().map(|length| *length as usize).sum();
        let types = self.type_ids.as_deref().unwrap_or_default();
        if count != self.ids.len() || !(types.is_empty() || types.len() == count) {
            return Err(Error::InvalidArgument(format!(
                "Expected {count} token ids, as the lengths of the rows say, but received {} and {} segment ids",
                self.ids.len(),
                types.len()
            )));
        }
        let mut start = 0;
        let rows = self.lengths.iter().map(|length| {
            let span = start..start + *length as usize;
            start = span.end;
            let type_ids = if types.is_empty() { vec![0; span.len()] } else { types[span.clone()].to_vec() };
            TokenRow { ids: self.ids[span].to_vec(), type_ids, truncated: false, unseen: 0 }
        });
        Ok((rows.collect(), self.rows.into()))
    }
}

/// Queries, documents, options, and which of the user's pairs these are.
pub(super) type ResolvedScore = (Vec<Part>, Vec<Part>, options::ScoreOptions, Rows);

impl ScoreRequest {
    pub(super) fn resolve(self) -> Result<ResolvedScore> {
        let options = options::ScoreOptions {
            activation: word(self.activation.as_ref())?,
            overflow: if self.windows == Some(true) { Overflow::Chunk } else { Overflow::Truncate },
            truncation: word(self.truncation.as_ref())?,
            max_length: size(self.max_length),
        };
        Ok((
            parts(self.queries, &self.queries_cut),
            parts(self.documents, &self.documents_cut),
            options,
            self.rows.into(),
        ))
    }
}
