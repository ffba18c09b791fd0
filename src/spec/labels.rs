//! Classifiers: the labels of texts or of tokens, and what a score is. Rules: transformers 5.23, `PretrainedConfig` and
//! `TextClassificationPipeline.postprocess`.

use super::classifier::{Declared, declared_labels};
use super::{Configs, Wanted};
use crate::error::{Error, Result};
use crate::options::Product;

/// What turns logits into scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scoring {
    /// Nothing.
    Logits,
    /// 1 / (1 + e^-x), each label for itself.
    Sigmoid,
    /// e^x by the sum of all labels'.
    Softmax,
}

/// The labels of a classifier.
#[derive(Debug, Clone)]
pub struct LabelSpec {
    /// Names by index.
    pub names: Vec<String>,
    /// What the repository's `problem_type` and the number of labels mean for scores.
    pub scoring: Scoring,
    /// Whether each token has labels, or each text.
    pub of_tokens: bool,
    problem: Option<String>,
    declared: Option<(usize, String)>,
}

impl LabelSpec {
    /// The same for a network that gives `width` numbers; `file` is for messages.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where another number is declared.
    pub fn of_network(&self, width: usize, file: &str) -> Result<Self> {
        Declared::expect(self.declared.as_ref(), width, file)?;
        let named = self.names.iter().cloned().chain((self.names.len()..width).map(unnamed));
        Ok(LabelSpec {
            names: named.take(width).collect(),
            scoring: scoring(self.problem.as_deref(), width),
            ..self.clone()
        })
    }

    pub(super) fn wanted(&self) -> Wanted {
        if self.of_tokens { Wanted::TokenLogits } else { Wanted::Logits }
    }
}

/// transformers' name of a label that has none.
fn unnamed(index: usize) -> String {
    format!("LABEL_{index}")
}

fn scoring(problem: Option<&str>, labels: usize) -> Scoring {
    match problem {
        Some("regression") => Scoring::Logits,
        Some("multi_label_classification") => Scoring::Sigmoid,
        _ if labels == 1 => Scoring::Sigmoid,
        _ => Scoring::Softmax,
    }
}

/// Reads the labels of a classifier of texts or of tokens.
pub(super) fn labels(configs: &Configs, product: Product) -> Result<LabelSpec> {
    let of_tokens = product == Product::TokenClassifier;
    let ending = if of_tokens { "ForTokenClassification" } else { "ForSequenceClassification" };
    if let Some(name) = configs.architecture()
        && !name.ends_with(ending)
    {
        let file = &configs.config.file;
        return Err(configs.refuse(product, &format!("{file}: \"architectures\" is [\"{name}\"]")));
    }
    configs.expect_transformer_alone(product)?;
    let problem = configs.config.text("problem_type")?;
    if let Some(problem) = problem
        && !["regression", "single_label_classification", "multi_label_classification"].contains(&problem)
    {
        return Err(Error::ModelUnsupported(format!(
            "{}: \"problem_type\" is \"{problem}\". Known are regression, single_label_classification and \
             multi_label_classification",
            configs.config.file
        )));
    }
    let declared = declared_labels(configs)?;
    // Until the network is there, transformers' default.
    let count = declared.as_ref().map_or(2, |(count, _)| *count);
    Ok(LabelSpec {
        names: names(configs, count)?,
        scoring: scoring(problem, count),
        of_tokens,
        problem: problem.map(str::to_owned),
        declared,
    })
}

fn names(configs: &Configs, count: usize) -> Result<Vec<String>> {
    let mut names: Vec<String> = (0..count).map(unnamed).collect();
    if let Some(declared) = configs.config.object("id2label")? {
        for (id, name) in declared.entries() {
            let place = id.parse::<usize>().ok().and_then(|id| names.get_mut(id));
            let place =
                place.ok_or_else(|| declared.wrong(id, &format!("an index below {count}, the number of labels")))?;
            // Numbers as labels are written by some trainers; Python keeps them as they are.
            *place = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_follow_the_problem_and_the_number_of_labels() {
        assert_eq!(scoring(None, 1), Scoring::Sigmoid);
        assert_eq!(scoring(None, 2), Scoring::Softmax);
        assert_eq!(scoring(Some("regression"), 1), Scoring::Logits);
        assert_eq!(scoring(Some("single_label_classification"), 3), Scoring::Softmax);
        // transformers asks for the number of labels before it asks for this problem.
        assert_eq!(scoring(Some("single_label_classification"), 1), Scoring::Sigmoid);
        assert_eq!(scoring(Some("multi_label_classification"), 3), Scoring::Sigmoid);
    }
}
