//! What options are where they are one of a few words.

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
