//! The heads of masked language models, which are one in all families but for names: a layer, a function and a norm on each
//! token's vector, then a product with a vector for each token of the vocabulary.
//!
//! Which tensors those are the file says, as in transformers 5.23 (`PreTrainedModel.tie_weights`): the decoder's own where they
//! are there, else those that they are tied to.

use super::{Config, Purpose, Understood};
use crate::network::encoder::plan::{Activation, Head, HeadPool, HeadStep, Linear, Norm, Vocabulary};

/// What is not the same in all families.
pub(super) struct Decoder {
    /// The layer, its function and its norm.
    pub dense: Linear,
    pub activation: Activation,
    pub norm: Norm,
    /// The module of the product, and whether it has a bias.
    pub name: &'static str,
    pub has_bias: bool,
    /// Where the bias may stand in place of the module's own.
    pub bias_beside: Option<&'static str>,
    /// What tokens are embedded by.
    pub words: &'static str,
}

impl Decoder {
    /// With a bias, and with words by the name that BERT has for them.
    pub fn new(
        dense: Linear,
        activation: Activation,
        norm: Norm,
        name: &'static str,
        bias_beside: Option<&'static str>,
    ) -> Self {
        let words = "embeddings.word_embeddings.weight";
        Decoder { dense, activation, norm, name, has_bias: true, bias_beside, words }
    }
}

/// The head, where the purpose is one of the vocabulary.
pub(super) fn head(
    config: &Config<'_>,
    purpose: Purpose,
    decoder: impl FnOnce() -> Understood<Decoder>,
) -> Understood<Option<Head>> {
    let Purpose::Vocabulary(pooling) = purpose else { return Ok(None) };
    let Decoder { dense, activation, norm, name, has_bias, bias_beside, words } = decoder()?;
    let last = Linear::new(name, dense.outputs(), config.size("vocab_size")?, has_bias);
    let mut tied = Vec::new();
    if config.flag("tie_word_embeddings")?.unwrap_or(true) {
        tied.push((format!("{name}.weight"), words.to_owned()));
        tied.extend(bias_beside.map(|beside| (format!("{name}.bias"), beside.to_owned())));
    }
    Ok(Some(Head {
        pool: HeadPool::Each,
        steps: vec![
            HeadStep::Linear(dense),
            HeadStep::Activation(activation),
            HeadStep::Norm(norm),
            HeadStep::Linear(last),
        ],
        vocabulary: Some(Vocabulary { tied, pooling }),
    }))
}
