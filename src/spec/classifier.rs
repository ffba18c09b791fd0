//! Cross-encoders: how many labels, and which activation the repository declares.
//!
//! Activation, in the reference's order (sentence-transformers 6.2, `CrossEncoder`): `activation_fn` of
//! `config_sentence_transformers.json`, `config.json`'s `sentence_transformers.activation_fn`, its older
//! `sbert_ce_default_activation_function`, else sigmoid for one label and identity for more.

use super::{ActivationFunction, Configs, ScoreSpec};
use crate::error::{Error, Result};

/// The activation that a repository declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeclaredActivation {
    /// A known function.
    Known(ActivationFunction),
    /// Something that this version does not apply: where it stands and what it is.
    Unsupported(String),
}

pub(super) fn score(configs: &Configs, assumed: &mut Vec<String>) -> Result<ScoreSpec> {
    refuse_other_kinds(configs)?;
    let labels = labels(configs)?;
    if labels > 2 {
        return Err(Error::ModelUnsupported(format!(
            "{}: the model has {labels} labels. A reranker has one (its logit) or two (second minus first); more is a classifier",
            configs.config.file
        )));
    }
    Ok(ScoreSpec { labels, activation: activation(configs, labels, assumed)? })
}

fn refuse_other_kinds(configs: &Configs) -> Result<()> {
    let mut modules = configs.modules.iter().flatten().enumerate();
    if let Some((_, module)) = modules.find(|(at, module)| *at > 0 || module.class() != "Transformer") {
        return Err(Error::ModelUnsupported(format!(
            "modules.json: a reranker with the module \"{}\" is not supported in this version",
            module.type_name
        )));
    }
    if let Some(file) = &configs.sentence_transformers
        && let Some(kind) = file.text("model_type")?
        && kind != "CrossEncoder"
    {
        return Err(Error::ModelUnsupported(format!(
            "{}: \"model_type\" is \"{kind}\". A reranker needs a cross-encoder; load this model as an embedder",
            file.file
        )));
    }
    match configs.architecture() {
        Some(name) if !name.ends_with("ForSequenceClassification") => Err(Error::ModelUnsupported(format!(
            "{}: \"architectures\" is [\"{name}\"]. A reranker needs a cross-encoder (…ForSequenceClassification)",
            configs.config.file
        ))),
        _ => Ok(()),
    }
}

/// `num_labels`, else the length of `id2label`, else transformers' default of 2; but 1 where no file says that there is a
/// trained classifier (sentence-transformers' `CrossEncoder`).
fn labels(configs: &Configs) -> Result<usize> {
    if let Some(count) = configs.config.count("num_labels")? {
        return Ok(count);
    }
    Ok(match configs.config.object("id2label")? {
        Some(labels) => labels.entries().count(),
        None if configs.architecture().is_none() => 1,
        None => 2,
    })
}

fn activation(configs: &Configs, labels: usize, assumed: &mut Vec<String>) -> Result<DeclaredActivation> {
    let nested = configs.config.object("sentence_transformers")?;
    // Of config.json's two places the newer one hides the older, also where it holds `null`.
    let in_config = match &nested {
        Some(object) if object.entries().any(|(key, _)| key == "activation_fn") => (object, "activation_fn"),
        _ => (&configs.config, "sbert_ce_default_activation_function"),
    };
    let own = configs.sentence_transformers.as_ref().map(|object| (object, "activation_fn"));
    for (object, key) in own.into_iter().chain([in_config]) {
        // The reference runs only torch's own classes; one that it does not run counts as not declared.
        if let Some(path) = object.text(key)?.filter(|path| path.starts_with("torch.")) {
            return Ok(ActivationFunction::from_path(path).map_or_else(
                || DeclaredActivation::Unsupported(format!("{}: \"{key}\" is \"{path}\"", object.file)),
                DeclaredActivation::Known,
            ));
        }
    }
    assumed.push("activation".into());
    let function = if labels == 1 { ActivationFunction::Sigmoid } else { ActivationFunction::Identity };
    Ok(DeclaredActivation::Known(function))
}
