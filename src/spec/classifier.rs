//! Cross-encoders: how many labels, and which activation the repository declares.
//!
//! Activation, in the reference's order (sentence-transformers 6.2, `CrossEncoder`): `activation_fn` of
//! `config_sentence_transformers.json`, `config.json`'s `sentence_transformers.activation_fn`, its older
//! `sbert_ce_default_activation_function`, else sigmoid for one label and identity for more.

use super::{ActivationFunction, Configs};
use crate::error::{Error, Result};

/// The activation that a repository declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeclaredActivation {
    /// A known function.
    Known(ActivationFunction),
    /// Something that this version does not apply: where it stands and what it is.
    Unsupported(String),
}

/// From logits to a score.
#[derive(Debug, Clone)]
pub struct ScoreSpec {
    /// Labels that the network gives: 1 or 2.
    pub labels: usize,
    /// What `activation: 'default'` means.
    pub activation: DeclaredActivation,
    /// What the repository says of both; the network has the last word on what it does not say.
    declared: Declared,
}

#[derive(Debug, Clone)]
struct Declared {
    /// The number of labels, and where it stands.
    labels: Option<(usize, String)>,
    activation: Option<DeclaredActivation>,
}

impl ScoreSpec {
    fn new(labels: usize, declared: Declared) -> Self {
        let by_labels = if labels == 1 { ActivationFunction::Sigmoid } else { ActivationFunction::Identity };
        let activation = declared.activation.clone().unwrap_or(DeclaredActivation::Known(by_labels));
        ScoreSpec { labels, activation, declared }
    }

    /// The same for a network whose output, of the graph `file`, has `width` numbers a row. Where no file declares how many
    /// labels there are, these are the labels, as the reference's are the rows of its head.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where another number is declared; [`Error::ModelUnsupported`] where it is not a reranker's.
    pub fn of_network(&self, width: usize, file: &str) -> Result<Self> {
        match &self.declared.labels {
            Some((labels, place)) if *labels != width => {
                return Err(Error::invalid_model(format!(
                    "{place} declares {}, but {file} gives {width} for each pair: the two are not of one model",
                    counted(*labels)
                )));
            }
            Some(_) => {}
            None => expect_reranker(width, &format!("{file} (config.json declares no number)"))?,
        }
        Ok(ScoreSpec::new(width, self.declared.clone()))
    }
}

fn counted(labels: usize) -> String {
    format!("{labels} label{}", if labels == 1 { "" } else { "s" })
}

fn expect_reranker(labels: usize, place: &str) -> Result<()> {
    if (1..=2).contains(&labels) {
        return Ok(());
    }
    Err(Error::ModelUnsupported(format!(
        "{place}: the model has {}. A reranker has one (its logit) or two (second minus first); more is a classifier",
        counted(labels)
    )))
}

pub(super) fn score(configs: &Configs, assumed: &mut Vec<String>) -> Result<ScoreSpec> {
    refuse_other_kinds(configs)?;
    let labels = declared_labels(configs)?;
    if let Some((labels, place)) = &labels {
        expect_reranker(*labels, place)?;
    }
    let activation = declared_activation(configs)?;
    if activation.is_none() {
        assumed.push("activation".into());
    }
    // Until the network is there, transformers' default.
    let until_known = labels.as_ref().map_or(2, |(labels, _)| *labels);
    Ok(ScoreSpec::new(until_known, Declared { labels, activation }))
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

/// `num_labels`, else the length of `id2label`, with the place for messages. Where neither is there, transformers would make 2,
/// and sentence-transformers 1 of a network that nobody trained for this; both then read the head that the weights have.
fn declared_labels(configs: &Configs) -> Result<Option<(usize, String)>> {
    let file = &configs.config.file;
    if let Some(count) = configs.config.count("num_labels")? {
        return Ok(Some((count, format!("{file} (\"num_labels\")"))));
    }
    let labels = configs.config.object("id2label")?;
    Ok(labels.map(|labels| (labels.entries().count(), format!("{file} (\"id2label\")"))))
}

fn declared_activation(configs: &Configs) -> Result<Option<DeclaredActivation>> {
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
            return Ok(Some(ActivationFunction::from_path(path).map_or_else(
                || DeclaredActivation::Unsupported(format!("{}: \"{key}\" is \"{path}\"", object.file)),
                DeclaredActivation::Known,
            )));
        }
    }
    Ok(None)
}
