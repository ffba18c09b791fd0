//! Sparse embedders: what makes weights of the vocabulary from a text. Rules: sentence-transformers 6.2, `SparseEncoder`.

use super::modules::Module;
use super::{Configs, Wanted};
use crate::error::{Error, Result};
use crate::files::ModelFolder;
use crate::options::Product;

/// From a network's logits, or from a text's tokens, to a sparse vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SparseSpec {
    /// What a text's numbers come from.
    pub way: SparseWay,
    /// `max_active_dims`: how many of them are kept, the largest ones.
    pub max_active: Option<usize>,
}

/// What a text's numbers come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SparseWay {
    /// The logits of a masked language model, pooled over the text's tokens.
    Splade(SpladePooling),
    /// A stored number for each token of the vocabulary that the text has.
    Weights {
        /// The file with the tensor `weight`, `[vocabulary]`.
        file: String,
    },
}

/// How the logits of a text's tokens become one number for each token of the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpladePooling {
    /// Over the tokens.
    pub strategy: SpladeStrategy,
    /// Of each logit.
    pub activation: SpladeActivation,
}

/// What is taken of the tokens' numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpladeStrategy {
    /// The largest.
    Max,
    /// The sum.
    Sum,
}

/// What is done to a logit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpladeActivation {
    /// `ln(1 + max(x, 0))`
    Relu,
    /// `ln(1 + ln(1 + max(x, 0)))`: the reference takes the logarithm twice.
    Log1pRelu,
}

impl SpladeStrategy {
    /// The reference's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SpladeStrategy::Max => "max",
            SpladeStrategy::Sum => "sum",
        }
    }
}

impl SpladeActivation {
    /// The reference's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SpladeActivation::Relu => "relu",
            SpladeActivation::Log1pRelu => "log1p_relu",
        }
    }
}

impl SparseSpec {
    pub(super) fn wanted(&self) -> Wanted {
        match &self.way {
            SparseWay::Splade(pooling) => Wanted::PooledVocabulary(*pooling),
            SparseWay::Weights { .. } => Wanted::Weights,
        }
    }
}

/// Reads how the model, or the route of it that was entered, makes sparse vectors.
pub(super) fn sparse(folder: &ModelFolder, configs: &Configs, assumed: &mut Vec<String>) -> Result<SparseSpec> {
    let mut max_active = None;
    if let Some(file) = &configs.sentence_transformers {
        // Without a word of it, the modules say what the model is.
        if let Some(kind) = file.text("model_type")?
            && kind != "SparseEncoder"
        {
            return Err(
                configs.refuse(Product::SparseEmbedder, &format!("{}: \"model_type\" is \"{kind}\"", file.file))
            );
        }
        max_active = file.count("max_active_dims")?;
        if max_active == Some(0) {
            return Err(file.wrong("max_active_dims", "a whole number of at least 1"));
        }
    }
    let way = match &configs.modules {
        Some(modules) => declared(folder, configs, modules)?,
        None => undeclared(configs, assumed)?,
    };
    Ok(SparseSpec { way, max_active })
}

/// A plain masked language model, as the reference's `_load_default_modules` treats it. (Of other models it makes one with random
/// weights, which is of no use without training.)
fn undeclared(configs: &Configs, assumed: &mut Vec<String>) -> Result<SparseWay> {
    let file = &configs.config.file;
    let architectures = configs.config.get("architectures").and_then(|names| names.as_array());
    let is_masked = |name: &serde_json::Value| name.as_str().is_some_and(|name| name.ends_with("ForMaskedLM"));
    if !architectures.into_iter().flatten().any(is_masked) {
        let found =
            configs.config.get("architectures").map_or_else(|| "not there".to_owned(), |names| format!("{names}"));
        return Err(configs.refuse(Product::SparseEmbedder, &format!("{file}: \"architectures\" is {found}")));
    }
    assumed.extend(["sparse.pooling".into(), "sparse.activation".into()]);
    Ok(SparseWay::Splade(SpladePooling { strategy: SpladeStrategy::Max, activation: SpladeActivation::Relu }))
}

fn declared(folder: &ModelFolder, configs: &Configs, modules: &[Module]) -> Result<SparseWay> {
    let classes: Vec<&str> = modules.iter().map(Module::class).collect();
    match classes.as_slice() {
        ["SparseStaticEmbedding"] => stored(folder, &modules[0]),
        ["Transformer" | "MLMTransformer", "SpladePooling"] => {
            expect_masked(configs, &modules[0])?;
            splade(folder, &modules[1]).map(SparseWay::Splade)
        }
        _ => {
            let known = [&["Transformer", "MLMTransformer", "SparseStaticEmbedding"][..], &["SpladePooling"]];
            if let Some(at) = classes.iter().position(|class| *class == "SparseAutoEncoder") {
                return Err(Error::ModelUnsupported(format!(
                    "modules.json: there is the module \"{}\" (CSR), which vecrank does not run: it has SPLADE and inference-free models",
                    modules[at].type_name
                )));
            }
            let odd =
                classes.iter().enumerate().find(|(at, class)| !known.get(*at).is_some_and(|of| of.contains(class)));
            let name = |module: &Module| format!("the module \"{}\"", module.type_name);
            let found = match odd {
                Some((at, _)) => name(&modules[at]),
                None => format!("{} without SpladePooling behind it", name(&modules[0])),
            };
            Err(configs.refuse(Product::SparseEmbedder, &format!("modules.json: there is {found}")))
        }
    }
}

/// Without its head for masked tokens a network would give vectors for logits.
fn expect_masked(configs: &Configs, module: &Module) -> Result<()> {
    let default = if module.class() == "MLMTransformer" { "fill-mask" } else { "feature-extraction" };
    let task = configs.sentence_bert.text("transformer_task")?.unwrap_or(default);
    if task == "fill-mask" {
        return Ok(());
    }
    let file =
        if configs.sentence_bert.file.is_empty() { "sentence_bert_config.json" } else { &configs.sentence_bert.file };
    Err(Error::ModelUnsupported(format!(
        "{file}: \"transformer_task\" is \"{task}\". SpladePooling needs the logits of \"fill-mask\""
    )))
}

fn splade(folder: &ModelFolder, module: &Module) -> Result<SpladePooling> {
    let config = module.config(folder)?.unwrap_or_default();
    let unknown = |key: &str, value: &str, known: &str| {
        Error::ModelUnsupported(format!("{}: \"{key}\" is \"{value}\". Known are {known}", config.file))
    };
    let strategy = match config.text("pooling_strategy")?.unwrap_or("max") {
        "max" => SpladeStrategy::Max,
        "sum" => SpladeStrategy::Sum,
        other => return Err(unknown("pooling_strategy", other, "max and sum")),
    };
    let activation = match config.text("activation_function")?.unwrap_or("relu") {
        "relu" => SpladeActivation::Relu,
        "log1p_relu" => SpladeActivation::Log1pRelu,
        other => return Err(unknown("activation_function", other, "relu and log1p_relu")),
    };
    Ok(SpladePooling { strategy, activation })
}

fn stored(folder: &ModelFolder, module: &Module) -> Result<SparseWay> {
    let config = module.required_config(folder)?;
    if let Some(path) = config.text("path")? {
        return Err(Error::ModelUnsupported(format!(
            "{}: \"path\" is \"{path}\". Weights are read from {} alone: save the model again with sentence-transformers to get it",
            config.file,
            module.file("model.safetensors")
        )));
    }
    Ok(SparseWay::Weights { file: module.weights(folder)? })
}
