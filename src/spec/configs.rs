//! The configuration files that several parts read.

use super::{Routes, kind, length, modules, routes, static_embedding};
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Object};
use crate::options::Product;

/// What they say, parsed and no further.
pub struct Configs {
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

impl Configs {
    /// Those that a tokenizer by itself is made from.
    pub fn of_tokenizer(folder: &ModelFolder) -> Result<Self> {
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

    pub fn read(folder: &ModelFolder, product: Product, route: Option<&str>) -> Result<Self> {
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
            Some(modules) if matches!(product, Product::SparseEmbedder | Product::Embedder) => {
                routes::enter(folder, modules, route)?
            }
            _ => None,
        };
        if let Some(first) = modules.as_ref().and_then(|list| list.first()).filter(|first| routes::is_router(first)) {
            let because = format!("modules.json: there is the module \"{}\"", first.type_name);
            return Err(
                Configs::of_table(sentence_transformers, modules.clone(), String::new()).refuse(product, &because)
            );
        }
        let transformer = match modules.as_ref().and_then(|list| list.first()) {
            Some(first) if !first.path.is_empty() => format!("{}/", first.path.trim_end_matches('/')),
            _ => String::new(),
        };
        if static_embedding::is_static(modules.as_deref()) {
            return Ok(Configs { routes, ..Configs::of_table(sentence_transformers, modules, transformer) });
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

    pub fn model_type(&self) -> &str {
        self.config.get("model_type").and_then(|value| value.as_str()).unwrap_or("")
    }

    pub fn architecture(&self) -> Option<&str> {
        kind::architecture(&self.config)
    }
}
