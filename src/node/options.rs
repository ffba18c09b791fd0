//! What JavaScript passes to load a model, and its one conversion into resolved options. The face has checked the types.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use napi_derive::napi;

use crate::error::{Error, Result};
use crate::hub;
use crate::network::graph;
use crate::options::{self, available_threads};
use crate::registry::{OnHub, Origin};

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

pub(super) fn word<T: std::str::FromStr<Err = Error>>(given: Option<&String>) -> Result<Option<T>> {
    given.map(|word| word.parse()).transpose()
}

impl From<Plugin> for options::Plugin {
    fn from(given: Plugin) -> Self {
        options::Plugin { name: given.name, path: given.path.into(), options: BTreeMap::from_iter(given.options) }
    }
}

pub(super) fn size(given: Option<u32>) -> Option<usize> {
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
