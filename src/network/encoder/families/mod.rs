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

use super::config::{Config, Understood};
use super::plan::Plan;
use crate::error::shown;
use crate::files::Object;

/// What the plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Token vectors.
    Tokens,
    /// Logits of a sequence.
    Labels(usize),
}

impl Purpose {
    /// How many labels a head must give, if there must be one.
    fn labels(self) -> Option<usize> {
        match self {
            Purpose::Tokens => None,
            Purpose::Labels(labels) => Some(labels),
        }
    }

    /// Refuses labels, in families whose heads are not known.
    fn expect_tokens(self, config: &Config<'_>) -> Understood<()> {
        match self {
            Purpose::Tokens => Ok(()),
            Purpose::Labels(_) => {
                let family = config.text("model_type")?.unwrap_or_default();
                Err(config.refuse(&format!("is of the family {} with a head for labels", shown(family))))
            }
        }
    }
}

/// The plan of a model.
pub(super) fn plan(object: &Object, purpose: Purpose) -> Understood<Plan> {
    let config = Config::new(object);
    let family = config.text("model_type")?.unwrap_or_default();
    let of_jina = config.value("position_embedding_type").is_some_and(|kind| kind == "alibi");
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
