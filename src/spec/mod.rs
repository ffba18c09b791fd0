//! What a model's JSON files say, as one [`ModelSpec`]. No weights and no network here.
//!
//! Formats: sentence-transformers writes `modules.json`, `N_Module/config.json`, `sentence_bert_config.json` and
//! `config_sentence_transformers.json` (two schemas, before and after 5.4); transformers writes `config.json` and
//! `tokenizer_config.json`. A value that is not understood is [`Error::ModelUnsupported`] with file and value; a value
//! that no file declares is noted in [`ModelSpec::assumed`].

mod activation;
mod chat;
mod classifier;
mod colbert;
mod configs;
mod kind;
mod labels;
mod late;
mod layers;
mod length;
mod logit_score;
mod modality;
mod modules;
mod network;
mod network_file;
mod pooling;
mod prompts;
mod routes;
mod sparse;
mod static_embedding;
mod templates;
mod tokenizer;
mod weights;

use std::collections::BTreeMap;

pub use activation::ActivationFunction;
pub use chat::ChatSpec;
pub use classifier::{DeclaredActivation, ScoreSpec};
pub use kind::product_of;
pub use labels::{LabelSpec, Scoring};
pub use late::{Expansion, LateSpec, ScoringMask, TokenPooling};
pub use layers::{DenseSpec, LayerNormSpec, ModuleStep};
pub use length::MaxLength;
pub use network::{Choice, EngineKind, Place};
pub use network_file::NetworkFile;
pub use routes::Routes;
pub use sparse::{SparseSpec, SparseWay, SpladeActivation, SpladePooling, SpladeStrategy};
pub use templates::templates_of;
pub use tokenizer::TokenizerSpec;
pub(crate) use tokenizer::{added_tokens, steps};

use configs::Configs;

use crate::error::Result;
use crate::files::{ModelFolder, Object};
use crate::options::{LoadOptions, Pooling, Product};

/// Everything that the model's files say about how to run it, with the user's load options applied.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    /// `config.json`, which says what the network computes.
    pub config: Object,
    /// Files that the network can be read from, by place and then the best first; at least one.
    pub choices: Vec<Choice>,
    /// How texts become tokens.
    pub tokenizer: TokenizerSpec,
    /// How many tokens fit.
    pub max_length: MaxLength,
    /// Position of the first token, for graphs that ask for `position_ids`: 0, or the padding id plus 1 in the RoBERTa
    /// family.
    pub position_offset: usize,
    /// Prompts by name.
    pub prompts: BTreeMap<String, String>,
    /// Name of the prompt that calls without one use.
    pub default_prompt: Option<String>,
    /// How texts become chats, where the model reads chats.
    pub chat: Option<ChatSpec>,
    /// What follows the network.
    pub head: HeadSpec,
    /// Whether the network is only a table of vectors.
    pub is_static: bool,
    /// The ways of texts by their task, where the model has several; the rest of this is about one of them.
    pub routes: Option<Routes>,
    /// What no file declares.
    pub assumed: Vec<String>,
}

/// What follows the network: the products differ here.
#[derive(Debug, Clone)]
pub enum HeadSpec {
    /// Token vectors to one vector.
    Embedding(EmbeddingSpec),
    /// Logits to a score.
    Score(ScoreSpec),
    /// Logits to labels, of texts or of tokens.
    Labels(LabelSpec),
    /// Token vectors to the vectors of those that count.
    Late(LateSpec),
    /// Logits of the vocabulary, or weights of tokens, to a sparse vector.
    Sparse(SparseSpec),
    /// Nothing: what the network gives is the result.
    Bare(Wanted),
}

/// What the network must give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A vector for each token, or one for each text where the network pools by itself.
    Vectors,
    /// Logits of each text or pair: its labels.
    Logits,
    /// Logits of each token: its labels.
    TokenLogits,
    /// Logits of each token: the vocabulary, as a masked language model gives them.
    Vocabulary,
    /// Likewise, and all that is wanted of a text's logits is their pooling: the network may do that, or leave it to its reader.
    PooledVocabulary(SpladePooling),
    /// A stored number for each token, and no network at all.
    Weights,
    /// Logits of these tokens of the vocabulary, behind each text's last token, as a causal language model gives them.
    Next(Vec<u32>),
}

impl HeadSpec {
    /// What the network must give for it.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        match self {
            HeadSpec::Embedding(_) | HeadSpec::Late(_) => Wanted::Vectors,
            HeadSpec::Score(spec) => spec.wanted(),
            HeadSpec::Labels(spec) => spec.wanted(),
            HeadSpec::Sparse(spec) => spec.wanted(),
            HeadSpec::Bare(wanted) => wanted.clone(),
        }
    }

    /// Modules that work on each token's vector.
    #[must_use]
    pub fn token_layers(&self) -> &[ModuleStep] {
        match self {
            HeadSpec::Embedding(spec) => &spec.token_layers,
            HeadSpec::Late(spec) => &spec.token_layers,
            _ => &[],
        }
    }

    /// Modules that work on each text's vector.
    #[must_use]
    pub fn layers(&self) -> &[ModuleStep] {
        match self {
            HeadSpec::Embedding(spec) => &spec.steps,
            _ => &[],
        }
    }
}

/// From token vectors to one vector.
#[derive(Debug, Clone, Default)]
pub struct EmbeddingSpec {
    /// Dense layers that each token's vector goes through before pooling.
    pub token_layers: Vec<ModuleStep>,
    /// Poolings, concatenated in this order.
    pub pooling: Vec<Pooling>,
    /// Whether the prompt's tokens take part in pooling.
    pub include_prompt: bool,
    /// What follows pooling, in order.
    pub steps: Vec<ModuleStep>,
    /// Whether the last step scales vectors to length 1.
    pub normalize: bool,
    /// `truncate_dim`: leading dimensions to keep.
    pub dimensions: Option<usize>,
}

/// What a model's files say of its tokenizer alone; nothing else is read.
///
/// # Errors
/// As [`ModelSpec::read`].
pub fn tokenizer_of(folder: &ModelFolder) -> Result<TokenizerSpec> {
    folder.prefetch(&["config.json", "tokenizer_config.json", "tokenizer.json"])?;
    TokenizerSpec::read(folder, &Configs::of_tokenizer(folder)?)
}

impl ModelSpec {
    /// Reads the files of `folder` and applies the load options. `encoder` says of `config.json` why the encoder does not know the
    /// model, if it does not; `places` are where the network may run, the best first.
    ///
    /// # Errors
    /// [`Error::FileNotFound`], [`Error::ModelInvalid`], [`Error::ModelUnsupported`]; [`Error::InvalidArgument`] where an
    /// option does not fit the model.
    pub fn read(
        folder: &ModelFolder,
        options: &LoadOptions,
        encoder: &dyn Fn(&Object, &Wanted) -> Option<String>,
        places: &[Place],
    ) -> Result<Self> {
        let mut configs = Configs::read(folder, options.product, options.route.as_deref())?;
        if let (Some(routes), Some(file)) = (&configs.routes, &options.file) {
            routes.expect_no_file(file)?;
        }
        let mut assumed = Vec::new();
        let mut marks = Vec::new();
        let head = match options.product {
            Product::Embedder => HeadSpec::Embedding(modules::embedding(folder, &configs, options, &mut assumed)?),
            Product::Reranker => HeadSpec::Score(classifier::score(folder, &configs, &mut assumed)?),
            Product::Classifier | Product::TokenClassifier => {
                HeadSpec::Labels(labels::labels(&configs, options.product)?)
            }
            Product::MaskedLm => HeadSpec::Bare(Wanted::Vocabulary),
            Product::Backbone => HeadSpec::Bare(Wanted::Vectors),
            Product::LateEmbedder => {
                let older = colbert::adopt(folder, &mut configs)?;
                marks.clone_from(&older.marks);
                HeadSpec::Late(late::late(folder, &configs, older, &mut assumed)?)
            }
            Product::SparseEmbedder => HeadSpec::Sparse(sparse::sparse(folder, &configs, &mut assumed)?),
        };
        let wanted = head.wanted();
        modality::expect_known(&configs, &head)?;
        // The pipelines of classifiers know no chats.
        let mut chat = match options.product {
            Product::Embedder | Product::Reranker => chat::chat(folder, &configs)?,
            _ => None,
        };
        let (prompts, default_prompt) = prompts::declared(&configs, options)?;
        let position_offset = length::position_offset(&configs)?;
        let choices = match &head {
            HeadSpec::Sparse(SparseSpec { way: SparseWay::Weights { file }, .. }) => {
                let several = configs.routes.is_some();
                network::stored(file, if several { &[Place::CPU] } else { places })?
            }
            _ if configs.is_static => static_embedding::choices(folder, &configs, options, places)?,
            _ => {
                let unknown = encoder(&configs.config, &wanted);
                network::choices(folder, &configs, options, unknown.as_deref(), places)?
            }
        };
        // The tokenizer comes along: two large files at the same time.
        let mut files = vec![format!("{}tokenizer.json", configs.transformer)];
        // Of several places the first may not take the model.
        if let ([_], Some(choice)) = (places, choices.first()) {
            files.extend(choice.files(folder)?);
        }
        folder.prefetch(&files.iter().map(String::as_str).collect::<Vec<_>>())?;
        let (tokenizer, mut max_length) = if configs.is_static {
            static_embedding::tokenizer(folder, &configs, options)?
        } else {
            let max_length = length::resolve(&configs, position_offset, options, &mut assumed)?;
            // Stored weights are of a text's own tokens.
            let special_tokens = wanted != Wanted::Weights;
            (TokenizerSpec { marks, special_tokens, ..TokenizerSpec::read(folder, &configs)? }, max_length)
        };
        if let (Some(limit), None) = (chat.as_ref().and_then(|chat| chat.max_length), options.max_length) {
            let default = max_length.positions.map_or(limit, |positions| limit.min(positions));
            max_length = MaxLength { default, query: None, document: None, ..max_length };
        }
        if let Some(chat) = &mut chat {
            chat.name(templates::named_tokens(folder, &configs, &tokenizer)?);
        }
        if let HeadSpec::Late(late) = &head {
            late.expect_of(&tokenizer)?;
        }
        Ok(ModelSpec {
            choices,
            max_length,
            is_static: configs.is_static,
            tokenizer,
            config: configs.config,
            routes: configs.routes,
            position_offset,
            prompts,
            default_prompt,
            chat,
            head,
            assumed,
        })
    }

    /// Why a device other than the CPU has no file of it.
    #[must_use]
    pub fn nothing_for_devices(&self) -> &'static str {
        if self.is_static {
            "the model is a table of vectors, which is read on the CPU"
        } else {
            "the model has no ONNX file of that dtype"
        }
    }
}
