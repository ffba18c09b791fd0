//! `modules.json` and the modules behind the transformer: pooling, dense layers, layer norm, normalisation.
//!
//! Classes are told apart by the last segment of their dotted name, because sentence-transformers moved them between
//! packages.

use super::layers::{expect_feature, read_dense, read_layer_norm};
use super::pooling::read_pooling;
use super::{Configs, EmbeddingSpec, ModuleStep, colbert};
use crate::error::{Error, Result, shown};
use crate::files::{ModelFolder, Object};
use crate::options::{LoadOptions, Pooling, Product};

/// Names of what modules read and write: the text's vector, and its tokens'.
pub(super) const SENTENCE: &str = "sentence_embedding";
pub(super) const TOKENS: &str = "token_embeddings";
/// PyLate's own class, which sentence-transformers reads as its own `Dense`.
const PYLATE_DENSE: &str = "pylate.models.Dense.Dense";

/// A row of `modules.json`.
#[derive(Debug, Clone)]
pub(crate) struct Module {
    /// Folder inside the repository; `""` is the root.
    pub path: String,
    /// The full dotted name, for messages.
    pub type_name: String,
}

impl Module {
    /// A module of a list in `file`, whose path is inside the repository.
    pub(super) fn new(folder: &ModelFolder, file: &str, path: String, type_name: String) -> Result<Self> {
        folder.path(&path)?;
        // The reference runs no code of a repository either, unless it is told to.
        if !type_name.starts_with("sentence_transformers.") && type_name != PYLATE_DENSE {
            return Err(Error::ModelUnsupported(format!(
                "{file}: there is the module \"{type_name}\", which is not of sentence-transformers and is not run"
            )));
        }
        Ok(Module { path, type_name })
    }

    pub(super) fn class(&self) -> &str {
        self.type_name.rsplit('.').next().unwrap_or("")
    }

    /// The path of one of its files.
    pub(super) fn file(&self, name: &str) -> String {
        let slash = if self.path.is_empty() { "" } else { "/" };
        format!("{}{slash}{name}", self.path)
    }

    pub(super) fn config(&self, folder: &ModelFolder) -> Result<Option<Object>> {
        folder.object(&self.file("config.json"))
    }

    pub(super) fn required_config(&self, folder: &ModelFolder) -> Result<Object> {
        self.config(folder)?.ok_or_else(|| {
            Error::FileNotFound(format!(
                "{} has no {}, which modules.json names",
                folder.root().display(),
                shown(&self.file("config.json"))
            ))
        })
    }
}

/// The rows of `modules.json` by `idx`, or `None` where the repository has no such file.
pub(super) fn read_list(folder: &ModelFolder) -> Result<Option<Vec<Module>>> {
    let Some(value) = folder.json("modules.json")? else { return Ok(None) };
    let rows = value.as_array().ok_or_else(|| Error::invalid_model("modules.json: expected a list of modules"))?;
    let mut modules = Vec::new();
    for (position, row) in rows.iter().enumerate() {
        let text = |key: &str| row.get(key).and_then(|value| value.as_str()).map(str::to_owned);
        let (Some(path), Some(type_name)) = (text("path"), text("type")) else {
            return Err(Error::invalid_model(format!("modules.json: module {position} lacks \"path\" or \"type\"")));
        };
        // model2vec writes "." for the root.
        let path = if path == "." { String::new() } else { path.trim_start_matches("./").to_owned() };
        modules.push(Module::new(folder, "modules.json", path, type_name)?);
    }
    if modules.is_empty() {
        return Err(Error::invalid_model("modules.json: the list of modules is empty"));
    }
    let configs: Vec<_> = modules.iter().skip(1).map(|module| module.file("config.json")).collect();
    folder.prefetch(&configs.iter().map(String::as_str).collect::<Vec<_>>())?;
    Ok(Some(modules))
}

/// What turns token vectors into one vector, with the user's overrides.
pub(super) fn embedding(
    folder: &ModelFolder,
    configs: &Configs,
    options: &LoadOptions,
    assumed: &mut Vec<String>,
) -> Result<EmbeddingSpec> {
    let mut spec = match &configs.modules {
        Some(modules) => declared(folder, configs, modules, assumed)?,
        None => undeclared(configs, options, assumed)?,
    };
    if options.pooling.is_some() && configs.is_static {
        return Err(Error::ModelUnsupported(
            "The model is a table of vectors, of which a text's vector is the mean, so `pooling` cannot be chosen"
                .into(),
        ));
    }
    if let Some(pooling) = options.pooling {
        spec.pooling = vec![pooling];
    }
    if let Some(normalize) = options.normalize {
        spec.normalize = normalize;
    }
    Ok(spec)
}

/// A plain transformers repository, as the reference's `_load_default_modules` treats it: mean pooling, or the last
/// token for a causal language model; not normalised.
fn undeclared(configs: &Configs, options: &LoadOptions, assumed: &mut Vec<String>) -> Result<EmbeddingSpec> {
    let architecture = configs.architecture().unwrap_or("");
    if ["ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering"]
        .iter()
        .any(|ending| architecture.ends_with(ending))
    {
        let because =
            format!("{}: \"architectures\" is [\"{architecture}\"], which gives no embeddings", configs.config.file);
        return Err(configs.refuse(Product::Embedder, &because));
    }
    let causal = architecture.ends_with("ForCausalLM") && configs.config.flag("is_causal")?.unwrap_or(true);
    if options.pooling.is_none() {
        assumed.push("pooling".into());
    }
    if options.normalize.is_none() {
        assumed.push("normalize".into());
    }
    Ok(EmbeddingSpec {
        pooling: vec![if causal { Pooling::Last } else { Pooling::Mean }],
        include_prompt: true,
        ..EmbeddingSpec::default()
    })
}

fn declared(
    folder: &ModelFolder,
    configs: &Configs,
    modules: &[Module],
    assumed: &mut Vec<String>,
) -> Result<EmbeddingSpec> {
    let mut spec = EmbeddingSpec { include_prompt: true, ..EmbeddingSpec::default() };
    if let Some(file) = &configs.sentence_transformers {
        if let Some(kind) = file.text("model_type")?
            && kind != "SentenceTransformer"
        {
            let because = format!("{}: \"model_type\" is \"{kind}\"", file.file);
            return Err(configs.refuse(Product::Embedder, &because));
        }
        if colbert::is_of_pylate(file) {
            let because = format!("{} has keys of PyLate", file.file);
            return Err(configs.refuse(Product::Embedder, &because));
        }
        spec.dimensions = file.count("truncate_dim")?;
    }
    for (position, module) in modules.iter().enumerate() {
        let pooled = !spec.pooling.is_empty() || (configs.is_static && position > 0);
        match module.class() {
            "Transformer" if position == 0 => {}
            "StaticEmbedding" if position == 0 => {}
            "Pooling" if position > 0 && !pooled => read_pooling(&module.required_config(folder)?, &mut spec)?,
            "Dense" if pooled => {
                spec.steps.push(ModuleStep::Dense(read_dense(folder, module, SENTENCE, SENTENCE, assumed)?));
            }
            "Dense" if position > 0 => {
                spec.token_layers.push(ModuleStep::Dense(read_dense(folder, module, TOKENS, SENTENCE, assumed)?));
            }
            "LayerNorm" if pooled => spec.steps.push(ModuleStep::LayerNorm(read_layer_norm(folder, module)?)),
            "Normalize" if pooled => {
                if let Some(config) = module.config(folder)? {
                    expect_feature(&config, SENTENCE, SENTENCE)?;
                }
                spec.steps.push(ModuleStep::Normalize);
            }
            // Dropout does nothing at inference.
            "Dropout" if position > 0 => {}
            _ => {
                return Err(Error::ModelUnsupported(format!(
                    "modules.json: module {position} is \"{}\", which is not supported {}",
                    module.type_name,
                    if position == 0 || pooled { "in this version" } else { "before pooling" },
                )));
            }
        }
    }
    if spec.pooling.is_empty() && !configs.is_static {
        let because =
            "modules.json: there is no Pooling module, so the repository does not say how token vectors become one";
        return Err(configs.refuse(Product::Embedder, because));
    }
    // Several trailing Normalize modules are one.
    while matches!(spec.steps.last(), Some(ModuleStep::Normalize)) {
        spec.steps.pop();
        spec.normalize = true;
    }
    Ok(spec)
}
