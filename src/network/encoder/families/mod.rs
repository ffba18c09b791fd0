//! The families of models, each a function from `config.json` to a plan. Fields and names of tensors are those of transformers'
//! modules of the same name.

mod bert;
mod distilbert;
mod mpnet;

use super::config::{Config, Refusal, Understood};
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

/// The plan of a model.
pub(super) fn plan(object: &Object, purpose: Purpose) -> Understood<Plan> {
    let config = Config::new(object);
    let family = config.text("model_type")?.unwrap_or_default();
    let plan = match family {
        "bert" | "roberta" | "xlm-roberta" | "camembert" | "electra" => bert::plan(&config, family, purpose)?,
        "distilbert" => distilbert::plan(&config, purpose)?,
        "mpnet" => mpnet::plan(&config, purpose)?,
        _ => return Err(Refusal::Unknown(format!("{} is of the family {}", object.file, shown(family)))),
    };
    config.finish()?;
    Ok(plan)
}
