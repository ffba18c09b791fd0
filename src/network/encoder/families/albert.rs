//! ALBERT: BERT with a few layers that come many times, and embeddings narrower than the layers.

use super::post_norm::{Names, Sizes, positions, types};
use super::vocabulary::{self, Decoder};
use super::{Config, Plan, Purpose, Understood};
use crate::network::encoder::config::MOST_LAYERS;
use crate::network::encoder::plan::{Activation, Embedding, Linear, Norm};

const LAYER: Names = Names {
    queries_keys_values: ["attention.query", "attention.key", "attention.value"],
    attention_output: "attention.dense",
    attention_norm: "attention.LayerNorm",
    inner: "ffn",
    output: "ffn_output",
    norm: "full_layer_layer_norm",
};

pub(super) fn plan(config: &Config<'_>, purpose: Purpose) -> Understood<Plan> {
    let sizes = Sizes::read(config, "gelu_new")?;
    let groups = config.size_where_given("num_hidden_groups")?.unwrap_or(1);
    let in_group = config.size_where_given("inner_group_num")?.unwrap_or(1);
    if groups > sizes.layers {
        return Err(config.unknown("num_hidden_groups", &groups.into()));
    }
    if sizes.layers * in_group > MOST_LAYERS {
        return Err(config.unknown("inner_group_num", &in_group.into()));
    }
    config.expect("position_embedding_type", &["absolute".into()])?;
    // Of the first checkpoints' configurations, which transformers does not read.
    config.expect("down_scale_factor", &[1.into()])?;
    config.expect("gap_size", &[0.into()])?;
    config.expect("net_structure_type", &[0.into()])?;
    config.expect("num_memory_blocks", &[0.into()])?;
    config.expect("layers_to_keep", &[serde_json::json!([])])?;
    let width = config.size_where_given("embedding_size")?.unwrap_or(128);
    let embedding = Embedding {
        positions: positions(None),
        types: types(config, 2)?,
        projection: Some(Linear::new("encoder.embedding_hidden_mapping_in", width, sizes.hidden, true)),
        ..Embedding::of_bert(width, sizes.epsilon)
    };
    let name = |group, layer| format!("encoder.albert_layer_groups.{group}.albert_layers.{layer}");
    let numbers = (0..groups).flat_map(|group| (0..in_group).map(move |layer| (group, layer)));
    let layers = numbers.map(|(group, layer)| LAYER.layer(&name(group, layer), &sizes)).collect();
    let order = (0..sizes.layers).flat_map(|number| {
        let first = group_of(number, sizes.layers, groups) * in_group;
        first..first + in_group
    });
    let decoder = || {
        Ok(Decoder::new(
            Linear::new("predictions.dense", sizes.hidden, width, true),
            sizes.activation,
            Norm::layer("predictions.LayerNorm", width, sizes.epsilon, true),
            "predictions.decoder",
            Some("predictions.bias"),
        ))
    };
    let of_labels = |labels| sizes.head("pooler", Activation::Tanh, "classifier", labels);
    Ok(Plan {
        order: order.collect(),
        head: vocabulary::head(config, purpose, decoder)?.or_else(|| purpose.head(sizes.hidden, of_labels)),
        ignored: &["embeddings.position_ids", "pooler.", "predictions.", "sop_classifier."],
        prefix: "albert.",
        ..Plan::new(sizes.hidden, embedding, sizes.attention(config)?, layers)
    })
}

/// The group that a layer is of, as `AlbertTransformer` computes it.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "cut to a whole number, as the reference does"
)]
fn group_of(number: usize, layers: usize, groups: usize) -> usize {
    ((number as f64 / (layers as f64 / groups as f64)) as usize).min(groups - 1)
}
