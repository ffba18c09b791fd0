//! Resolved options: what the program uses, every field concrete or openly absent.
//!
//! `node/options.rs` turns what the user typed into these; nothing here does I/O.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $what:literal { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// The word as users write it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;
            fn from_str(word: &str) -> Result<Self> {
                match word {
                    $($word => Ok($name::$variant),)+
                    _ => Err(Error::InvalidArgument(format!(
                        concat!("Expected one of ", $("'", $word, "' ",)+ "for `", $what, "` but received '{}'"), word
                    ))),
                }
            }
        }
    };
}

words! {
    /// Number format of the weights, by Transformers.js' file suffixes.
    DType, "dtype" {
        /// What the repository declares, else fp32, else the first that exists.
        Auto = "auto",
        /// `model.onnx`
        Fp32 = "fp32",
        /// The upper halves of 32-bit floats, sums in 32 bits; by the encoder only.
        Bf16 = "bf16",
        /// `model_fp16.onnx`
        Fp16 = "fp16",
        /// `model_quantized.onnx`
        Q8 = "q8",
        /// `model_int8.onnx`
        Int8 = "int8",
        /// `model_uint8.onnx`
        Uint8 = "uint8",
        /// `model_q4.onnx`
        Q4 = "q4",
        /// `model_q4f16.onnx`
        Q4f16 = "q4f16",
        /// `model_bnb4.onnx`
        Bnb4 = "bnb4",
    }
}

impl DType {
    /// What stands between `model` and `.onnx` in the file's name.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            DType::Auto | DType::Fp32 | DType::Bf16 => "",
            DType::Fp16 => "_fp16",
            DType::Q8 => "_quantized",
            DType::Int8 => "_int8",
            DType::Uint8 => "_uint8",
            DType::Q4 => "_q4",
            DType::Q4f16 => "_q4f16",
            DType::Bnb4 => "_bnb4",
        }
    }

    /// The order in which `auto` looks for a file when the declared one is missing.
    pub const PREFERENCE: [DType; 6] = [DType::Fp32, DType::Fp16, DType::Q8, DType::Int8, DType::Uint8, DType::Q4];

    /// Whether the encoder computes in it.
    #[must_use]
    pub fn is_for_encoder(self) -> bool {
        matches!(self, DType::Fp32 | DType::Bf16 | DType::Fp16 | DType::Q8 | DType::Int8 | DType::Uint8)
    }

    /// Every number format, for reading a file's name.
    pub const ALL: [DType; 9] = [
        DType::Fp32,
        DType::Bf16,
        DType::Fp16,
        DType::Q8,
        DType::Int8,
        DType::Uint8,
        DType::Q4,
        DType::Q4f16,
        DType::Bnb4,
    ];
}

words! {
    /// What runs the network.
    EngineOption, "engine" {
        /// The encoder where it knows the model, else ONNX Runtime.
        Auto = "auto",
        /// ONNX Runtime.
        Graph = "graph",
        /// The encoder of our own.
        Encoder = "encoder",
    }
}

words! {
    /// What a model runs on.
    Device, "device" {
        /// The best that really works here, the CPU last.
        Auto = "auto",
        /// The best GPU that works here.
        Gpu = "gpu",
        /// The processor.
        Cpu = "cpu",
        /// NVIDIA, by ONNX Runtime's CUDA provider.
        Cuda = "cuda",
        /// NVIDIA, by TensorRT; what it does not take runs by CUDA.
        TensorRt = "tensorrt",
        /// Any GPU on Windows, by DirectML.
        Dml = "dml",
        /// Apple's, by Core ML.
        CoreMl = "coreml",
        /// Any GPU, by the plugin provider of WebGPU.
        WebGpu = "webgpu",
        /// Intel's processors, by the plugin provider of OpenVINO.
        OpenVino = "openvino",
    }
}

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

words! {
    /// What happens to a text with more tokens than the limit.
    Truncation, "truncation" {
        /// The end is cut off.
        Right = "right",
        /// The beginning is cut off.
        Left = "left",
        /// The call fails with `ERR_TOO_LONG`.
        Error = "error",
    }
}

words! {
    /// How token vectors become one vector. All honour the attention mask and either padding side.
    Pooling, "pooling" {
        /// The first token.
        Cls = "cls",
        /// The largest value of each dimension.
        Max = "max",
        /// The average.
        Mean = "mean",
        /// The sum divided by the square root of the number of tokens.
        MeanSqrtLen = "mean_sqrt_len",
        /// The average weighted by position, 1 for the first token.
        WeightedMean = "weighted_mean",
        /// The last token.
        Last = "last",
    }
}

words! {
    /// Format of the vectors that a call returns.
    Output, "output" {
        /// 32-bit floats.
        Float32 = "float32",
        /// `uint8` less 128.
        Int8 = "int8",
        /// 256 steps between each dimension's minimum and maximum.
        Uint8 = "uint8",
        /// `ubinary` less 128, as signed bytes.
        Binary = "binary",
        /// One bit a dimension, 1 where it is positive, first dimension in the highest bit.
        Ubinary = "ubinary",
    }
}

words! {
    /// What a text is used as, for models that treat queries and documents in different ways.
    Task, "task" {
        /// To look for others.
        Query = "query",
        /// To be found.
        Document = "document",
    }
}

words! {
    /// What is applied to a reranker's logit.
    Activation, "activation" {
        /// Nothing: the raw logit.
        None = "none",
        /// 1 / (1 + e^-x)
        Sigmoid = "sigmoid",
        /// What the repository declares; sentence-transformers' default where it declares nothing.
        Default = "default",
    }
}

/// What happens to a document that is too long beside its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// It is cut, as [`Truncation`] says.
    #[default]
    Truncate,
    /// It is scored in windows, of which the best counts.
    Chunk,
}

words! {
    /// What is applied to a classifier's logits.
    LabelActivation, "activation" {
        /// What the model's problem means: as transformers' pipeline.
        Default = "default",
        /// e^x by the sum of all labels'.
        Softmax = "softmax",
        /// 1 / (1 + e^-x), each label for itself.
        Sigmoid = "sigmoid",
        /// Nothing: the raw logits.
        None = "none",
    }
}

words! {
    /// How labels of tokens become spans: as transformers' `aggregation_strategy`.
    Aggregation, "aggregation" {
        /// Each token for itself.
        None = "none",
        /// Tokens that follow each other with the same label.
        Simple = "simple",
        /// Words that do, each with the label of its first token.
        First = "first",
        /// Words, each with the best label of its tokens' mean scores.
        Average = "average",
        /// Words, each with the label of its token with the best score.
        Max = "max",
    }
}

words! {
    /// What a model is loaded as.
    Product, "kind" {
        /// Texts to vectors.
        Embedder = "embedder",
        /// Pairs of texts to scores.
        Reranker = "reranker",
        /// Texts, or pairs, to labels.
        Classifier = "classifier",
        /// Tokens to labels.
        TokenClassifier = "token-classifier",
        /// Texts to weights of the vocabulary.
        SparseEmbedder = "sparse-embedder",
        /// Texts to a vector a token.
        LateEmbedder = "late-embedder",
        /// Tokens to logits of the vocabulary, as a masked language model gives them.
        MaskedLm = "masked-lm",
        /// Tokens to vectors, as the network gives them.
        Backbone = "backbone",
    }
}

impl Product {
    /// The class of the public face.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Product::Embedder => "Embedder",
            Product::Reranker => "Reranker",
            Product::Classifier => "Classifier",
            Product::TokenClassifier => "TokenClassifier",
            Product::SparseEmbedder => "SparseEmbedder",
            Product::LateEmbedder => "LateEmbedder",
            Product::MaskedLm => "AutoModelForMaskedLM",
            Product::Backbone => "AutoModel",
        }
    }

    /// What a model must be for it, behind "needs".
    #[must_use]
    pub fn needs(self) -> &'static str {
        match self {
            Product::Embedder => "a model that gives a vector for each text",
            Product::Reranker => "a cross-encoder with one or two labels, or a yes/no language model",
            Product::Classifier => "a model with a head for labels (…ForSequenceClassification)",
            Product::TokenClassifier => "a model with labels for tokens (…ForTokenClassification)",
            Product::SparseEmbedder => "a SPLADE model",
            Product::LateEmbedder => "a ColBERT model",
            Product::MaskedLm => "a masked language model (…ForMaskedLM)",
            Product::Backbone => "a transformers model",
        }
    }

    /// Whether the small files of sentence-transformers decide something for it, so that a repository may lack them and another
    /// lend them.
    #[must_use]
    pub fn is_embedder(self) -> bool {
        matches!(self, Product::Embedder | Product::SparseEmbedder | Product::LateEmbedder)
    }
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

/// Which text goes before each text of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Prompt {
    /// The repository's default prompt, if it declares one.
    #[default]
    Default,
    /// The prompt of this name; an unknown name is an error.
    Named(String),
    /// This text.
    Text(String),
    /// That of a task: for queries `query`'s if there is one, for documents the first that is not empty of `document`, `passage`,
    /// `corpus`.
    Of(Task),
}

impl Prompt {
    /// The task whose prompt it is.
    #[must_use]
    pub fn task(&self) -> Option<Task> {
        match self {
            Prompt::Of(task) => Some(*task),
            _ => None,
        }
    }
}

/// Lowest and highest value of each dimension, for `int8` and `uint8`.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranges {
    /// Lowest values, as many as dimensions.
    pub min: Vec<f32>,
    /// Highest values, as many as dimensions.
    pub max: Vec<f32>,
}

/// How one embedding call runs.
#[derive(Debug, Clone, Default)]
pub struct EmbedOptions {
    /// What goes before each text.
    pub prompt: Prompt,
    /// Overrides the loaded pooling.
    pub pooling: Option<Pooling>,
    /// Overrides the loaded normalisation.
    pub normalize: Option<bool>,
    /// Keep this many leading dimensions (Matryoshka); normalised after the cut where `normalize` holds.
    pub dimensions: Option<usize>,
    /// Format of the vectors. Default `float32`.
    pub output: Option<Output>,
    /// Needed for `int8` and `uint8`.
    pub ranges: Option<Ranges>,
    /// Overrides the loaded truncation.
    pub truncation: Option<Truncation>,
    /// Overrides the loaded limit.
    pub max_length: Option<usize>,
}

/// How one call for sparse vectors runs.
#[derive(Debug, Clone, Default)]
pub struct SparseOptions {
    /// What goes before each text.
    pub prompt: Prompt,
    /// What the texts are used as, where the caller says it.
    pub task: Option<Task>,
    /// How many numbers a vector keeps, the largest ones. Default: what the model's files say, else all.
    pub max_active: Option<usize>,
    /// Overrides the loaded truncation.
    pub truncation: Option<Truncation>,
    /// Overrides the loaded limit.
    pub max_length: Option<usize>,
}

/// How one scoring call runs.
#[derive(Debug, Clone, Default)]
pub struct ScoreOptions {
    /// What is applied to the logit. Default: nothing.
    pub activation: Option<Activation>,
    /// What happens to documents that are too long.
    pub overflow: Overflow,
    /// Overrides the loaded truncation.
    pub truncation: Option<Truncation>,
    /// Overrides the loaded limit.
    pub max_length: Option<usize>,
}

/// How one call for vectors of tokens runs.
#[derive(Debug, Clone)]
pub struct LateOptions {
    /// What the texts are used as.
    pub task: Task,
    /// Vectors of a query's tokens, one after the other, that the texts are scored against.
    pub query: Option<Vec<f32>>,
    /// Overrides the loaded truncation.
    pub truncation: Option<Truncation>,
    /// Overrides the loaded limit.
    pub max_length: Option<usize>,
}

/// How one classifying call runs.
#[derive(Debug, Clone, Default)]
pub struct ClassifyOptions {
    /// What makes scores of logits. Default: what the model's files mean.
    pub activation: Option<LabelActivation>,
    /// How many labels a text gets, the best ones. Default: all.
    pub top_k: Option<usize>,
    /// Overrides the loaded truncation.
    pub truncation: Option<Truncation>,
    /// Overrides the loaded limit.
    pub max_length: Option<usize>,
}

/// How one call that labels tokens runs.
#[derive(Debug, Clone)]
pub struct TokenClassifyOptions {
    /// How labels become spans. Default [`Aggregation::Simple`].
    pub aggregation: Aggregation,
    /// Names of labels, as the result has them, that are left out. Default `O`.
    pub ignore: Vec<String>,
    /// Overrides the loaded limit, which bounds a window.
    pub max_length: Option<usize>,
}

impl Default for TokenClassifyOptions {
    fn default() -> Self {
        TokenClassifyOptions { aggregation: Aggregation::Simple, ignore: vec!["O".into()], max_length: None }
    }
}
