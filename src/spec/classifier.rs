//! Cross-encoders: how many labels, and which activation the repository declares.
//!
//! Activation, in the reference's order (sentence-transformers 6.2, `CrossEncoder`): `activation_fn` of
//! `config_sentence_transformers.json`, `config.json`'s `sentence_transformers.activation_fn`, its older
//! `sbert_ce_default_activation_function`, else sigmoid for one label and identity for more.

use super::{ActivationFunction, Configs, Wanted, logit_score};
use crate::error::{Error, Result};
use crate::files::ModelFolder;
use crate::options::Product;

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
    /// The tokens whose logits the labels are, of a language model.
    pub tokens: Option<Vec<u32>>,
    /// What `activation: 'default'` means.
    pub activation: DeclaredActivation,
    /// What the repository says of both; the network has the last word on what it does not say.
    declared: Declared,
}

#[derive(Debug, Clone)]
pub(super) struct Declared {
    /// The number of labels, and where it stands.
    labels: Option<(usize, String)>,
    activation: Option<DeclaredActivation>,
}

impl Declared {
    /// Refuses a network that gives another number of labels, `width`, than the one that is declared, if one is.
    pub fn expect(labels: Option<&(usize, String)>, width: usize, file: &str) -> Result<()> {
        match labels {
            Some((labels, place)) if *labels != width => Err(Error::invalid_model(format!(
                "{place} declares {}, but {file} gives {width} for each text: the two are not of one model",
                counted(*labels)
            ))),
            _ => Ok(()),
        }
    }
}

impl ScoreSpec {
    fn new(labels: usize, declared: Declared) -> Self {
        let by_labels = if labels == 1 { ActivationFunction::Sigmoid } else { ActivationFunction::Identity };
        let activation = declared.activation.clone().unwrap_or(DeclaredActivation::Known(by_labels));
        ScoreSpec { labels, tokens: None, activation, declared }
    }

    /// A language model's score, which counts as one label.
    fn of_answers(tokens: Vec<u32>, declared: Declared) -> Self {
        ScoreSpec { labels: tokens.len(), tokens: Some(tokens), ..ScoreSpec::new(1, declared) }
    }

    pub(super) fn wanted(&self) -> Wanted {
        self.tokens.clone().map_or(Wanted::Logits, Wanted::Next)
    }

    /// The same for a network whose output, of the graph `file`, has `width` numbers a row. Where no file declares how many
    /// labels there are, these are the labels, as the reference's are the rows of its head.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where another number is declared; [`Error::ModelUnsupported`] where it is not a reranker's.
    pub fn of_network(&self, width: usize, file: &str) -> Result<Self> {
        if self.tokens.is_some() {
            return Ok(self.clone());
        }
        Declared::expect(self.declared.labels.as_ref(), width, file)?;
        if self.declared.labels.is_none() {
            expect_reranker(width, &format!("{file} (config.json declares no number)"))?;
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
        "{place}: the model has {}. A reranker has one (its logit) or two (second minus first); load a model with more as a \
         `Classifier`",
        counted(labels)
    )))
}

pub(super) fn score(folder: &ModelFolder, configs: &Configs, assumed: &mut Vec<String>) -> Result<ScoreSpec> {
    let answers = logit_score::answers(folder, configs)?;
    if answers.is_none() {
        refuse_other_kinds(configs)?;
    }
    let activation = declared_activation(configs)?;
    if activation.is_none() {
        assumed.push("activation".into());
    }
    if let Some(tokens) = answers {
        return Ok(ScoreSpec::of_answers(tokens, Declared { labels: None, activation }));
    }
    let labels = declared_labels(configs)?;
    if let Some((labels, place)) = &labels {
        expect_reranker(*labels, place)?;
    }
    // Until the network is there, transformers' default.
    let until_known = labels.as_ref().map_or(2, |(labels, _)| *labels);
    Ok(ScoreSpec::new(until_known, Declared { labels, activation }))
}

fn refuse_other_kinds(configs: &Configs) -> Result<()> {
    configs.expect_transformer_alone(Product::Reranker)?;
    match configs.architecture() {
        Some(name) if !name.ends_with("ForSequenceClassification") => {
            let file = &configs.config.file;
            Err(configs.refuse(Product::Reranker, &format!("{file}: \"architectures\" is [\"{name}\"]")))
        }
        _ => Ok(()),
    }
}

impl Configs {
    /// Refuses modules behind the network, and kinds of sentence-transformers other than cross-encoders.
    pub(super) fn expect_transformer_alone(&self, product: Product) -> Result<()> {
        let mut modules = self.modules.iter().flatten().enumerate();
        if let Some((_, module)) = modules.find(|(at, module)| *at > 0 || module.class() != "Transformer") {
            return Err(self.refuse(product, &format!("modules.json: there is the module \"{}\"", module.type_name)));
        }
        if let Some(file) = &self.sentence_transformers
            && let Some(kind) = file.text("model_type")?
            && kind != "CrossEncoder"
        {
            return Err(self.refuse(product, &format!("{}: \"model_type\" is \"{kind}\"", file.file)));
        }
        Ok(())
    }
}

/// `num_labels`, else the length of `id2label`, with the place for messages. Where neither is there, transformers would make 2,
/// and sentence-transformers 1 of a network that nobody trained for this; both then read the head that the weights have.
pub(super) fn declared_labels(configs: &Configs) -> Result<Option<(usize, String)>> {
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
