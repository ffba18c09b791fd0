//! What models have in common whose layers are built like BERT's: norms after the sums, and mostly the same names.

use super::{Config, Understood};
use crate::network::encoder::plan::{
    Activation, Attention, AttentionWeights, Embedding, FeedForward, Head, HeadPool, Layer, Linear, Norm, Part, Places,
};

/// Sizes of a network.
pub(super) struct Sizes {
    pub hidden: usize,
    pub heads: usize,
    pub inner: usize,
    pub layers: usize,
    pub activation: Activation,
    pub epsilon: f32,
}

impl Sizes {
    /// By the names of BERT's configuration.
    pub fn read(config: &Config<'_>, activation: &str) -> Understood<Self> {
        config.ignore(&["max_position_embeddings"]);
        Ok(Sizes {
            hidden: config.size("hidden_size")?,
            heads: config.size("num_attention_heads")?,
            inner: config.size("intermediate_size")?,
            layers: config.layers("num_hidden_layers")?,
            activation: config.activation("hidden_act", activation)?,
            epsilon: config.epsilon("layer_norm_eps", 1e-12)?,
        })
    }

    /// The heads, which share the hidden size.
    pub fn attention(&self, config: &Config<'_>) -> Understood<Attention> {
        if !self.hidden.is_multiple_of(self.heads) {
            return Err(config.unknown("num_attention_heads", &self.heads.into()));
        }
        Ok(Attention::new(self.heads, self.hidden / self.heads))
    }

    /// A norm of a token's vector.
    pub fn norm(&self, name: impl AsRef<str>) -> Norm {
        Norm::layer(name, self.hidden, self.epsilon, true)
    }

    /// Two layers on the first token's vector, which give the labels.
    pub fn head(&self, first: &str, activation: Activation, last: &str, labels: usize) -> Head {
        let first = Linear::new(first, self.hidden, self.hidden, true);
        Head::new(HeadPool::First, first, activation, Linear::new(last, self.hidden, labels, true))
    }
}

/// What a layer calls its modules, where it is BERT's in all but the names.
pub(super) struct Names {
    pub queries_keys_values: [&'static str; 3],
    pub attention_output: &'static str,
    pub attention_norm: &'static str,
    pub inner: &'static str,
    pub output: &'static str,
    pub norm: &'static str,
}

impl Names {
    /// The layer whose names begin with `start`.
    pub fn layer(&self, start: &str, sizes: &Sizes) -> Layer {
        let Sizes { hidden, inner, activation, .. } = *sizes;
        let name = |part: &str| format!("{start}.{part}");
        let inputs = self.queries_keys_values.map(|part| Part::new(&name(part), hidden, true));
        let output = Linear::new(name(self.attention_output), hidden, hidden, true);
        let feed_forward = FeedForward {
            inner: Linear::new(name(self.inner), hidden, inner, true),
            gated: false,
            activation,
            output: Linear::new(name(self.output), inner, hidden, true),
        };
        let attention = AttentionWeights::new(Linear::joined(hidden, inputs), output);
        let [first, second] = [self.attention_norm, self.norm].map(|part| sizes.norm(name(part)));
        Layer::post_norm(attention, first, feed_forward, second)
    }
}

impl Embedding {
    /// Words and their norm, by BERT's names.
    pub(super) fn of_bert(width: usize, epsilon: f32) -> Self {
        Embedding {
            norm: Some(Norm::layer("embeddings.LayerNorm", width, epsilon, true)),
            ..Embedding::new("embeddings.word_embeddings.weight", width)
        }
    }
}

/// BERT's learned positions, counted from 0 or from behind the id of padding.
pub(super) fn positions(padding: Option<u32>) -> Option<Places> {
    Some(Places { tensor: "embeddings.position_embeddings.weight".into(), padding })
}

/// BERT's token types, where the network has some.
pub(super) fn types(config: &Config<'_>, default: usize) -> Understood<Option<String>> {
    let types = config.count("type_vocab_size")?.unwrap_or(default);
    Ok((types > 0).then(|| "embeddings.token_type_embeddings.weight".into()))
}
