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

use crate::error::{Error, Result};
use crate::files::{ModelFolder, Object};
use crate::options::{LoadOptions, Pooling, Product, Prompt, Task};

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

/// The configuration files that several parts read.
pub(crate) struct Configs {
    pub config: Object,
    pub tokenizer: Object,
    pub sentence_bert: Object,
    /// `config_sentence_transformers.json`; the reference reads it only where `modules.json` exists.
    pub sentence_transformers: Option<Object>,
    pub modules: Option<Vec<modules::Module>>,
    /// The ways of texts, where there are several. `modules` are those of one of them.
    pub routes: Option<Routes>,
    /// The folder of the transformer, or of the table, inside the repository: `""` or `"0_Transformer/"`.
    pub transformer: String,
    /// Whether there is a table of vectors and no transformer.
    pub is_static: bool,
}

/// What a model's files say of its tokenizer alone; nothing else is read.
///
/// # Errors
/// As [`ModelSpec::read`].
pub fn tokenizer_of(folder: &ModelFolder) -> Result<TokenizerSpec> {
    folder.prefetch(&["config.json", "tokenizer_config.json", "tokenizer.json"])?;
    TokenizerSpec::read(folder, &Configs::of_tokenizer(folder)?)
}

impl Configs {
    /// Those that a tokenizer by itself is made from.
    fn of_tokenizer(folder: &ModelFolder) -> Result<Self> {
        Ok(Configs {
            is_static: false,
            config: folder.object("config.json")?.unwrap_or_default(),
            tokenizer: folder.object("tokenizer_config.json")?.unwrap_or_default(),
            sentence_bert: Object::default(),
            sentence_transformers: None,
            modules: None,
            routes: None,
            transformer: String::new(),
        })
    }

    fn read(folder: &ModelFolder, product: Product, route: Option<&str>) -> Result<Self> {
        // Only a hint: what is read below is fetched if it is missing here.
        folder.prefetch(&[
            "modules.json",
            "config_sentence_transformers.json",
            "sentence_bert_config.json",
            "config.json",
            "tokenizer_config.json",
        ])?;
        let mut modules = modules::read_list(folder)?;
        // The reference reads these two files only where modules.json exists.
        let mut sentence_transformers = match modules {
            Some(_) => folder.object("config_sentence_transformers.json")?,
            None => None,
        };
        // And takes a cross-encoder's modules, prompts and activation only from a file that calls itself something.
        if !product.is_embedder() && sentence_transformers.as_ref().is_none_or(|file| file.get("model_type").is_none())
        {
            (modules, sentence_transformers) = (None, None);
        }
        let routes = match &mut modules {
            Some(modules) if product == Product::SparseEmbedder => routes::enter(folder, modules, route)?,
            _ => None,
        };
        let transformer = match modules.as_ref().and_then(|list| list.first()) {
            Some(first) if !first.path.is_empty() => format!("{}/", first.path.trim_end_matches('/')),
            _ => String::new(),
        };
        if static_embedding::is_static(modules.as_deref()) {
            return Ok(Configs::of_table(sentence_transformers, modules, transformer));
        }
        let config_file = format!("{transformer}config.json");
        let config = folder.object(&config_file)?.ok_or_else(|| {
            Error::FileNotFound(format!(
                "{} has no {config_file}. Every transformers model has one: is this the model's folder?",
                folder.root().display()
            ))
        })?;
        if modules.is_none()
            && product == Product::Embedder
            && let Some(modules) = static_embedding::of_model2vec(&config)?
        {
            return Ok(Configs::of_table(None, Some(modules), transformer));
        }
        let mut tokenizer = folder.object(&format!("{transformer}tokenizer_config.json"))?.unwrap_or_default();
        let sentence_bert = match modules {
            Some(_) => length::read_sentence_bert(folder, &transformer)?,
            None => Object::default(),
        };
        if let Some(other) = sentence_bert.text("tokenizer_name_or_path")? {
            return Err(Error::ModelUnsupported(format!(
                "{}: \"tokenizer_name_or_path\" is \"{other}\". Only the tokenizer beside the model is read",
                sentence_bert.file
            )));
        }
        // Arguments of the tokenizer's class are stronger than its own file. The second name is the older one.
        for key in ["processor_kwargs", "tokenizer_args"] {
            if let Some(arguments) = sentence_bert.object(key)? {
                tokenizer.overlay(&arguments);
                break;
            }
        }
        Ok(Configs {
            config,
            tokenizer,
            sentence_bert,
            sentence_transformers,
            modules,
            routes,
            transformer,
            is_static: false,
        })
    }

    /// Of static embeddings, for which nothing else is read.
    fn of_table(
        sentence_transformers: Option<Object>,
        modules: Option<Vec<modules::Module>>,
        transformer: String,
    ) -> Self {
        let [config, tokenizer, sentence_bert] = std::array::from_fn(|_| Object::default());
        Configs {
            config,
            tokenizer,
            sentence_bert,
            sentence_transformers,
            modules,
            routes: None,
            transformer,
            is_static: true,
        }
    }

    pub(crate) fn model_type(&self) -> &str {
        self.config.get("model_type").and_then(|value| value.as_str()).unwrap_or("")
    }

    pub(crate) fn architecture(&self) -> Option<&str> {
        kind::architecture(&self.config)
    }
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
        let (prompts, default_prompt) = prompts(&configs, options)?;
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

    /// The text that goes before each text of a call.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the name is unknown.
    pub fn prompt(&self, prompt: &Prompt) -> Result<&str> {
        let named = |name: &str| self.prompts.get(name).map(String::as_str);
        Ok(match prompt {
            Prompt::Default => self.default_prompt.as_deref().and_then(named).unwrap_or(""),
            Prompt::Of(Task::Query) => named("query").unwrap_or(""),
            Prompt::Of(Task::Document) => ["document", "passage", "corpus"]
                .iter()
                .filter_map(|name| named(name))
                .find(|text| !text.is_empty())
                .unwrap_or(""),
            // The reference always knows these two names; a repository that does not declare them means no prompt.
            Prompt::Named(name) if name == "query" || name == "document" => named(name).unwrap_or(""),
            Prompt::Named(name) => {
                return named(name).ok_or_else(|| {
                    let known: Vec<_> = self.prompts.keys().map(|key| format!("'{key}'")).collect();
                    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                    Error::InvalidArgument(format!(
                        "Expected the name of a prompt for `prompt` but received '{name}'. The model has: {known}"
                    ))
                });
            }
            Prompt::Text(_) => "",
        })
    }
}

fn prompts(configs: &Configs, options: &LoadOptions) -> Result<(BTreeMap<String, String>, Option<String>)> {
    let mut prompts = BTreeMap::new();
    let mut default_prompt = None;
    if let Some(file) = &configs.sentence_transformers {
        if let Some(declared) = file.object("prompts")? {
            for (name, text) in declared.entries() {
                let text = if text.is_null() { Some("") } else { text.as_str() };
                let text = text.ok_or_else(|| declared.wrong(name, "a string"))?;
                prompts.insert(name.clone(), text.to_owned());
            }
        }
        default_prompt = file.text("default_prompt_name")?.map(str::to_owned);
    }
    if let Some(given) = &options.prompts {
        prompts.clone_from(given);
    }
    // These two names are always known to an embedder.
    let is_known = |name: &String| options.product.is_embedder() && (name == "query" || name == "document");
    if let Some(name) = &default_prompt
        && !prompts.contains_key(name)
        && !is_known(name)
    {
        if options.prompts.is_none() {
            return Err(Error::invalid_model(format!(
                "config_sentence_transformers.json: \"default_prompt_name\" is \"{name}\", which \"prompts\" does not hold"
            )));
        }
        default_prompt = None;
    }
    Ok((prompts, default_prompt))
}
