//! DistilBERT: BERT under other names, without token types.

use super::post_norm::{Names, Sizes, positions};
use super::vocabulary::{self, Decoder};
use super::{Config, Plan, Purpose, Understood};
use crate::network::encoder::plan::{Activation, Embedding, Linear};

const LAYER: Names = Names {
    queries_keys_values: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
    attention_output: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    inner: "ffn.lin1",
    output: "ffn.lin2",
    norm: "output_layer_norm",
};

pub(super) fn plan(config: &Config<'_>, purpose: Purpose) -> Understood<Plan> {
    config.ignore(&["max_position_embeddings"]);
    let sizes = Sizes {
        hidden: config.size("dim")?,
        heads: config.size("n_heads")?,
        inner: config.size("hidden_dim")?,
        layers: config.layers("n_layers")?,
        activation: config.activation("activation", "gelu")?,
        // Not in its configuration.
        epsilon: 1e-12,
    };
    let embedding = Embedding { positions: positions(None), ..Embedding::of_bert(sizes.hidden, sizes.epsilon) };
    let layers = (0..sizes.layers).map(|number| LAYER.layer(&format!("transformer.layer.{number}"), &sizes)).collect();
    let decoder = || {
        Ok(Decoder::new(
            Linear::new("vocab_transform", sizes.hidden, sizes.hidden, true),
            sizes.activation,
            sizes.norm("vocab_layer_norm"),
            "vocab_projector",
            None,
        ))
    };
    let of_labels = |labels| sizes.head("pre_classifier", Activation::Relu, "classifier", labels);
    Ok(Plan {
        head: vocabulary::head(config, purpose, decoder)?.or_else(|| purpose.head(sizes.hidden, of_labels)),
        ignored: &["embeddings.position_ids", "vocab_"],
        prefix: "distilbert.",
        ..Plan::new(sizes.hidden, embedding, sizes.attention(config)?, layers)
    })
}
