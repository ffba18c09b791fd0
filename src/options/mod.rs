//! Resolved options: what the program uses, every field concrete or openly absent.
//!
//! `node/options.rs` and `node/requests.rs` turn what the user typed into these; nothing here does I/O.

mod calls;
mod words;

use std::collections::BTreeMap;

pub use calls::{
    ClassifyOptions, EmbedOptions, LateOptions, Prompt, Ranges, ScoreOptions, SparseOptions, TokenClassifyOptions,
};
pub use words::{
    Activation, Aggregation, DType, Device, EngineOption, LabelActivation, Output, Overflow, Pooling, Product, Task,
    Truncation,
};

/// A plugin execution provider: a library that ONNX Runtime opens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Plugin {
    /// The device that it is, as [`Device`] writes it, or a name of its own.
    pub name: String,
    /// The library, absolute.
    pub path: std::path::PathBuf,
    /// Options of the provider, as it names them.
    pub options: BTreeMap<String, String>,
}

/// How to load a model. Equal options share one loaded model in the process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LoadOptions {
    /// What the model is loaded as.
    pub product: Product,
    /// The model's folder, absolute.
    pub path: std::path::PathBuf,
    /// A folder that lends the small files of sentence-transformers that `path` lacks.
    pub base: Option<std::path::PathBuf>,
    /// What a lock file pins of the files, in short: loads under different pins do not share a model.
    pub pinned: Option<String>,
    /// Weights to use. Default [`DType::Auto`].
    pub dtype: DType,
    /// An explicit ONNX or safetensors file inside the folder; wins over `dtype`.
    pub file: Option<String>,
    /// What runs the network. Default [`EngineOption::Auto`].
    pub engine: EngineOption,
    /// What it runs on. Default [`Device::Auto`].
    pub device: Device,
    /// Whether a device that is asked for by name may be replaced by the CPU. Default: no.
    pub fallback: bool,
    /// Which one of several devices of a kind. Default: the provider's first.
    pub device_id: Option<u32>,
    /// Bytes of a GPU's memory that this model may use. Default: three quarters of what is free.
    pub gpu_memory_limit: Option<u64>,
    /// Plugin execution providers; tried before the platform's.
    pub providers: Vec<Plugin>,
    /// Threads that run inference. Default: the CPUs that this process may use.
    pub threads: usize,
    /// Tokens a text (or pair) may have. Default: the repository's rule.
    pub max_length: Option<usize>,
    /// What happens to longer texts. Default [`Truncation::Right`], or the side that `tokenizer.json` declares.
    pub truncation: Option<Truncation>,
    /// Overrides the repository's pooling.
    pub pooling: Option<Pooling>,
    /// Overrides the repository's normalisation.
    pub normalize: Option<bool>,
    /// Overrides the repository's prompts.
    pub prompts: Option<BTreeMap<String, String>>,
    /// Which route of a model that treats texts by their task. Default: that of calls without a task, and the others beside it.
    pub route: Option<String>,
    /// Calls that may wait.
    pub queue_calls: usize,
    /// Tokens that may wait.
    pub queue_tokens: usize,
}

impl LoadOptions {
    /// Options with every default for the model in `path`.
    #[must_use]
    pub fn new(product: Product, path: impl Into<std::path::PathBuf>) -> Self {
        LoadOptions {
            product,
            path: path.into(),
            base: None,
            pinned: None,
            dtype: DType::Auto,
            file: None,
            engine: EngineOption::Auto,
            device: Device::Auto,
            fallback: false,
            device_id: None,
            gpu_memory_limit: None,
            providers: Vec::new(),
            threads: available_threads(),
            max_length: None,
            truncation: None,
            pooling: None,
            normalize: None,
            prompts: None,
            route: None,
            queue_calls: 100_000,
            queue_tokens: 64 << 20,
        }
    }

    /// What the small files of sentence-transformers decide and no option does, as option names. No option says which
    /// further layers there are, so this is never all that such files may say.
    #[must_use]
    pub fn undecided(&self) -> Vec<&'static str> {
        let open = [
            ("pooling", self.pooling.is_none()),
            ("normalize", self.normalize.is_none()),
            ("prompts", self.prompts.is_none()),
            ("maxLength", self.max_length.is_none()),
        ];
        open.into_iter().filter_map(|(name, is_open)| is_open.then_some(name)).collect()
    }
}

/// CPUs that this process may use: affinity and cgroup quotas counted in.
#[must_use]
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
