//! What JavaScript passes, and its one conversion into resolved options. `index.js` has checked the types.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use napi::bindgen_prelude::{Float32Array, Uint8Array, Uint32Array};
use napi_derive::napi;

use crate::engine::Rows;
use crate::error::{Error, Result};
use crate::hub;
use crate::network::graph;
use crate::options::{self, Overflow, Prompt, Ranges, Task, available_threads};
use crate::registry::{OnHub, Origin};
use crate::tokenizer::{Part, TokenRow};

/// How to load a model. Absent means the default.
#[napi(object, object_to_js = false)]
pub struct LoadOptions {
    /// What it is loaded as: a word of `Product`.
    pub kind: String,
    /// The model's folder, absolute. Absent for a model on the Hub.
    pub path: Option<String>,
    /// A model on the Hub.
    pub hub: Option<HubModel>,
    /// For `info()`.
    #[napi(ts_type = "'folder' | 'package' | 'hub'")]
    pub source: String,
    /// The model as the user named it, for `info()`.
    pub model: String,
    pub dtype: Option<String>,
    pub file: Option<String>,
    pub engine: Option<String>,
    pub device: Option<String>,
    pub fallback: Option<bool>,
    pub device_id: Option<u32>,
    pub gpu_memory_limit: Option<f64>,
    pub providers: Option<Vec<Plugin>>,
    pub threads: Option<u32>,
    pub max_length: Option<u32>,
    pub truncation: Option<String>,
    pub pooling: Option<String>,
    pub normalize: Option<bool>,
    pub prompts: Option<HashMap<String, String>>,
    pub queue_calls: Option<f64>,
    pub queue_tokens: Option<f64>,
}

/// A plugin execution provider.
#[napi(object, object_to_js = false)]
pub struct Plugin {
    pub name: String,
    /// Absolute.
    pub path: String,
    pub options: HashMap<String, String>,
}

/// What the loader knows of its surroundings.
#[napi(object, object_to_js = false)]
pub struct Surroundings {
    /// ONNX Runtime's library, absolute.
    pub library: String,
    /// Whether the user named it.
    pub is_chosen: bool,
    /// Folders of installed packages with an ONNX Runtime for GPUs.
    pub packages: Vec<String>,
    /// The folder of what `vecrank runtime add` unpacked.
    pub runtimes: Option<String>,
    pub cache: Option<String>,
    pub home: Option<String>,
    /// The environment variables of `deviceVariables()` that are set.
    pub variables: HashMap<String, String>,
}

impl From<Surroundings> for graph::Surroundings {
    fn from(given: Surroundings) -> Self {
        graph::Surroundings {
            library: given.library.into(),
            is_chosen: given.is_chosen,
            packages: given.packages.into_iter().map(PathBuf::from).collect(),
            runtimes: given.runtimes.map(PathBuf::from),
            cache: given.cache.map(PathBuf::from),
            home: given.home.map(PathBuf::from),
            variables: BTreeMap::from_iter(given.variables),
        }
    }
}

/// A model on the Hub, and the settings that lead to it.
#[napi(object, object_to_js = false)]
pub struct HubModel {
    /// `owner/name`
    pub id: String,
    pub revision: Option<String>,
    pub settings: HubSettings,
    pub refresh: Option<bool>,
    /// A lock file, absolute.
    pub lock: Option<String>,
}

/// Where the Hub and its cache are. Absent means what the variables say.
#[napi(object, object_to_js = false)]
pub struct HubSettings {
    /// The environment variables of `hubVariables()` that are set.
    pub variables: HashMap<String, String>,
    /// The user's home folder, where there is one.
    pub home: Option<String>,
    /// Absolute.
    pub cache_dir: Option<String>,
    pub endpoint: Option<String>,
    pub token: Option<String>,
    pub offline: Option<bool>,
}

/// One embedding request.
#[napi(object, object_to_js = false)]
pub struct EmbedRequest {
    pub texts: Vec<String>,
    /// 1 where more of the text of the same place follows.
    pub cut: Uint8Array,
    /// `'query'` or `'document'`: use that prompt.
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

fn word<T: std::str::FromStr<Err = Error>>(given: Option<&String>) -> Result<Option<T>> {
    given.map(|word| word.parse()).transpose()
}

impl From<Plugin> for options::Plugin {
    fn from(given: Plugin) -> Self {
        options::Plugin { name: given.name, path: given.path.into(), options: BTreeMap::from_iter(given.options) }
    }
}

fn size(given: Option<u32>) -> Option<usize> {
    given.map(|number| number as usize)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
fn bound(given: Option<f64>, default: usize) -> usize {
    given.map_or(default, |number| number as usize)
}

impl TryFrom<HubSettings> for hub::Given {
    type Error = Error;

    fn try_from(given: HubSettings) -> Result<Self> {
        Ok(hub::Given {
            variables: BTreeMap::from_iter(given.variables),
            home: given.home.map(PathBuf::from),
            cache_dir: given.cache_dir.map(PathBuf::from),
            endpoint: given.endpoint,
            token: given.token.map(|token| hub::Token::parse(&token, "`token`")).transpose()?.flatten(),
            offline: given.offline,
        })
    }
}

impl TryFrom<HubModel> for OnHub {
    type Error = Error;

    fn try_from(given: HubModel) -> Result<Self> {
        Ok(OnHub {
            id: hub::ModelId::parse(&given.id)?,
            revision: hub::Revision::parse(given.revision.as_deref().unwrap_or("main"))?,
            given: given.settings.try_into()?,
            refresh: given.refresh.unwrap_or(false),
            lock: given.lock.map(PathBuf::from),
        })
    }
}

impl LoadOptions {
    /// Where the model is looked for, and how it is loaded.
    pub(super) fn resolve(mut self) -> Result<(Origin, options::LoadOptions)> {
        let origin = match (self.hub.take(), self.path.take()) {
            (Some(hub), _) => Origin::Hub(Box::new(hub.try_into()?)),
            (None, path) => Origin::Folder(path.unwrap_or_default().into()),
        };
        Ok((origin, self.try_into()?))
    }
}

impl TryFrom<LoadOptions> for options::LoadOptions {
    type Error = Error;

    fn try_from(given: LoadOptions) -> Result<Self> {
        let product: options::Product = given.kind.parse()?;
        let defaults = options::LoadOptions::new(product, PathBuf::new());
        Ok(options::LoadOptions {
            dtype: word(given.dtype.as_ref())?.unwrap_or(defaults.dtype),
            file: given.file,
            engine: word(given.engine.as_ref())?.unwrap_or(defaults.engine),
            device: word(given.device.as_ref())?.unwrap_or(defaults.device),
            fallback: given.fallback.unwrap_or(defaults.fallback),
            device_id: given.device_id,
            gpu_memory_limit: given.gpu_memory_limit.map(|bytes| bound(Some(bytes), 0) as u64),
            providers: given.providers.into_iter().flatten().map(options::Plugin::from).collect(),
            threads: size(given.threads).unwrap_or_else(available_threads),
            max_length: size(given.max_length),
            truncation: word(given.truncation.as_ref())?,
            pooling: word(given.pooling.as_ref())?,
            normalize: given.normalize,
            prompts: given.prompts.map(BTreeMap::from_iter),
            queue_calls: bound(given.queue_calls, defaults.queue_calls),
            queue_tokens: bound(given.queue_tokens, defaults.queue_tokens),
            ..defaults
        })
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
        let prompt = prompt(self.prompt_text, self.prompt, word(self.task.as_ref())?);
        let ranges =
            self.ranges_min.zip(self.ranges_max).map(|(min, max)| Ranges { min: min.to_vec(), max: max.to_vec() });
        let options = options::EmbedOptions {
            prompt,
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
