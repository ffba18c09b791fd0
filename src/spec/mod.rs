//! What a model's JSON files say, as one [`ModelSpec`]. No weights and no network here.
//!
//! Formats: sentence-transformers writes `modules.json`, `N_Module/config.json`, `sentence_bert_config.json` and
//! `config_sentence_transformers.json` (two schemas, before and after 5.4); transformers writes `config.json` and
//! `tokenizer_config.json`. A value that is not understood is [`Error::ModelUnsupported`] with file and value; a value
//! that no file declares is noted in [`ModelSpec::assumed`].

mod activation;
mod classifier;
mod layers;
mod length;
mod modality;
mod modules;
mod network;
mod network_file;
mod pooling;
mod tokenizer;
mod weights;

use std::collections::BTreeMap;

pub use activation::ActivationFunction;
pub use classifier::{DeclaredActivation, ScoreSpec};
pub use layers::{DenseSpec, LayerNormSpec, ModuleStep};
pub use length::MaxLength;
pub use network::{Choice, EngineKind, Place};
pub use network_file::NetworkFile;
pub use tokenizer::TokenizerSpec;
pub(crate) use tokenizer::{added_tokens, steps};

use crate::error::{Error, Result};
use crate::files::{ModelFolder, Object};
use crate::options::{LoadOptions, Pooling, Product, Prompt};

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
    /// What follows the network.
    pub head: HeadSpec,
    /// What no file declares.
    pub assumed: Vec<String>,
}

/// What follows the network: the two products differ here.
#[derive(Debug, Clone)]
pub enum HeadSpec {
    /// Token vectors to one vector.
    Embedding(EmbeddingSpec),
    /// Logits to a score.
    Score(ScoreSpec),
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

/// What a model's files say it is: a reranker where the network gives labels for a sequence and no modules follow it.
///
/// # Errors
/// As [`ModelSpec::read`].
pub fn product_of(folder: &ModelFolder) -> Result<Product> {
    let kind = folder.object("config_sentence_transformers.json")?;
    let kind = kind.as_ref().map(|file| file.text("model_type")).transpose()?.flatten();
    let classifies = || -> Result<bool> {
        let Some(config) = folder.object("config.json")? else { return Ok(false) };
        let architectures = config.get("architectures").and_then(|list| list.as_array()?.first()?.as_str());
        Ok(architectures.is_some_and(|name| name.ends_with("ForSequenceClassification")))
    };
    Ok(match kind {
        Some("CrossEncoder") => Product::Reranker,
        Some(_) => Product::Embedder,
        None if folder.has("modules.json")? => Product::Embedder,
        None if classifies()? => Product::Reranker,
        None => Product::Embedder,
    })
}

/// The configuration files that several parts read.
pub(crate) struct Configs {
    pub config: Object,
    pub tokenizer: Object,
    pub sentence_bert: Object,
    /// `config_sentence_transformers.json`; the reference reads it only where `modules.json` exists.
    pub sentence_transformers: Option<Object>,
    pub modules: Option<Vec<modules::Module>>,
    /// The folder of the transformer inside the repository: `""` or `"0_Transformer/"`.
    pub transformer: String,
}

impl Configs {
    fn read(folder: &ModelFolder, product: Product) -> Result<Self> {
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
        if product == Product::Reranker
            && sentence_transformers.as_ref().is_none_or(|file| file.get("model_type").is_none())
        {
            (modules, sentence_transformers) = (None, None);
        }
        let transformer = match modules.as_ref().and_then(|list| list.first()) {
            Some(first) if !first.path.is_empty() => format!("{}/", first.path.trim_end_matches('/')),
            _ => String::new(),
        };
        let config_file = format!("{transformer}config.json");
        let config = folder.object(&config_file)?.ok_or_else(|| {
            Error::FileNotFound(format!(
                "{} has no {config_file}. Every transformers model has one: is this the model's folder?",
                folder.root().display()
            ))
        })?;
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
        Ok(Configs { config, tokenizer, sentence_bert, sentence_transformers, modules, transformer })
    }

    pub(crate) fn model_type(&self) -> &str {
        self.config.get("model_type").and_then(|value| value.as_str()).unwrap_or("")
    }

    pub(crate) fn architecture(&self) -> Option<&str> {
        self.config.get("architectures")?.as_array()?.first()?.as_str()
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
        encoder: &dyn Fn(&Object) -> Option<String>,
        places: &[Place],
    ) -> Result<Self> {
        let configs = Configs::read(folder, options.product)?;
        let mut assumed = Vec::new();
        let head = match options.product {
            Product::Embedder => HeadSpec::Embedding(modules::embedding(folder, &configs, options, &mut assumed)?),
            Product::Reranker => HeadSpec::Score(classifier::score(&configs, &mut assumed)?),
        };
        modality::expect_plain_text(folder, &configs, options.product)?;
        let (prompts, default_prompt) = prompts(&configs, options)?;
        let position_offset = length::position_offset(&configs)?;
        let unknown = encoder(&configs.config);
        let choices = network::choices(folder, &configs, options, unknown.as_deref(), places)?;
        // The tokenizer comes along: two large files at the same time.
        let mut files = vec![format!("{}tokenizer.json", configs.transformer)];
        // Of several places the first may not take the model.
        if let ([_], Some(choice)) = (places, choices.first()) {
            files.extend(choice.files(folder)?);
        }
        folder.prefetch(&files.iter().map(String::as_str).collect::<Vec<_>>())?;
        Ok(ModelSpec {
            choices,
            max_length: length::resolve(&configs, position_offset, options, &mut assumed)?,
            tokenizer: TokenizerSpec::read(folder, &configs)?,
            config: configs.config,
            position_offset,
            prompts,
            default_prompt,
            head,
            assumed,
        })
    }

    /// The text that goes before each text of a call.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the name is unknown.
    pub fn prompt(&self, prompt: &Prompt) -> Result<&str> {
        let named = |name: &str| self.prompts.get(name).map(String::as_str);
        Ok(match prompt {
            Prompt::Default => self.default_prompt.as_deref().and_then(named).unwrap_or(""),
            Prompt::Query => named("query").unwrap_or(""),
            Prompt::Document => ["document", "passage", "corpus"]
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
    let is_known = |name: &String| options.product == Product::Embedder && (name == "query" || name == "document");
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
