//! The families of models, each a function from `config.json` to a plan. Fields and names of tensors are those of transformers'
//! modules of the same name.

mod albert;
mod bert;
mod decoder;
mod distilbert;
mod gte;
mod jina;
mod modernbert;
mod mpnet;
mod nomic;
mod post_norm;
mod rotary;
mod vocabulary;

use super::config::{Config, Understood};
use super::plan::{Attention, Embedding, Head, Plan};
use crate::error::shown;
use crate::files::Object;
use crate::spec::{SpladePooling, Wanted};

/// What the plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Token vectors.
    Tokens,
    /// Logits of a sequence.
    Labels(usize),
    /// Logits of each token.
    TokenLabels(usize),
    /// Logits of each token, one for each token of the vocabulary, and what they are pooled by.
    Vocabulary(Option<SpladePooling>),
    /// A number for each token, which the file holds.
    Weights,
    /// Logits of one or two tokens of the vocabulary, behind each text's last token.
    Next([Option<u32>; 2]),
}

impl Purpose {
    /// What `wanted` means for a network whose weights have so many labels.
    pub fn of(wanted: &Wanted, labels: usize) -> Self {
        match wanted {
            Wanted::Vectors => Purpose::Tokens,
            Wanted::Logits => Purpose::Labels(labels),
            Wanted::TokenLogits => Purpose::TokenLabels(labels),
            Wanted::Vocabulary => Purpose::Vocabulary(None),
            Wanted::PooledVocabulary(pooling) => Purpose::Vocabulary(Some(*pooling)),
            Wanted::Weights => Purpose::Weights,
            Wanted::Next(ids) => Purpose::Next([ids.first().copied(), ids.get(1).copied()]),
        }
    }

    /// The head for labels, if there must be one: `of_text` makes that of a sequence, for so many labels.
    fn head(self, hidden: usize, of_text: impl FnOnce(usize) -> Head) -> Option<Head> {
        match self {
            Purpose::Labels(labels) => Some(of_text(labels)),
            Purpose::TokenLabels(labels) => Some(Head::of_tokens(hidden, labels)),
            Purpose::Tokens | Purpose::Vocabulary(_) | Purpose::Weights | Purpose::Next(_) => None,
        }
    }

    /// Refuses heads, in families whose heads are not known.
    fn expect_tokens(self, config: &Config<'_>) -> Understood<()> {
        if self == Purpose::Tokens {
            return Ok(());
        }
        let family = config.text("model_type")?.unwrap_or_default();
        let what = if matches!(self, Purpose::Labels(_)) { "a head" } else { "a head for tokens" };
        Err(config.refuse(&format!("is of the family {} with {what}", shown(family))))
    }
}

/// The plan of a model.
pub(super) fn plan(object: &Object, purpose: Purpose) -> Understood<Plan> {
    if purpose == Purpose::Weights {
        return Ok(Plan::new(1, Embedding::new("weight", 1), Attention::new(1, 1), Vec::new()));
    }
    let config = Config::new(object);
    let family = config.text("model_type")?.unwrap_or_default();
    let of_jina = config.value("position_embedding_type").is_some_and(|kind| kind == "alibi");
    if matches!(purpose, Purpose::Next(_)) && family != "qwen3" {
        return Err(config.refuse(&format!("is a language model of the family {}", shown(family))));
    }
    let plan = match family {
        "bert" if of_jina => jina::plan(&config, purpose)?,
        "bert" | "roberta" | "xlm-roberta" | "camembert" | "electra" => bert::plan(&config, family, purpose)?,
        "distilbert" => distilbert::plan(&config, purpose)?,
        "mpnet" => mpnet::plan(&config, purpose)?,
        "albert" => albert::plan(&config, purpose)?,
        "modernbert" => modernbert::plan(&config, purpose)?,
        "nomic_bert" => nomic::plan(&config, purpose)?,
        "gte" | "new" => gte::plan(&config, family, purpose)?,
        "qwen3" => decoder::qwen3(&config, purpose)?,
        "gemma3_text" => decoder::gemma3(&config, purpose)?,
        _ => return Err(config.refuse(&format!("is of the family {}", shown(family)))),
    };
    config.finish()?;
    Ok(plan)
}
