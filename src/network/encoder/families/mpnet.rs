//! MPNet: BERT with relative positions beside the learned ones.

use super::post_norm::{Names, Sizes, positions};
use super::vocabulary::{self, Decoder};
use super::{Config, Plan, Purpose, Understood};
use crate::network::encoder::plan::{Activation, Attention, Bias, Embedding, Linear};

const LAYER: Names = Names {
    queries_keys_values: ["attention.attn.q", "attention.attn.k", "attention.attn.v"],
    attention_output: "attention.attn.o",
    attention_norm: "attention.LayerNorm",
    inner: "intermediate.dense",
    output: "output.dense",
    norm: "output.LayerNorm",
};

/// `MPNetEncoder.relative_position_bucket`'s `max_distance`, which its configuration does not hold.
const FURTHEST: usize = 128;
/// The id of padding, which its code fixes.
const PADDING: u32 = 1;

pub(super) fn plan(config: &Config<'_>, purpose: Purpose) -> Understood<Plan> {
    let sizes = Sizes::read(config, "gelu")?;
    let buckets = config.size_where_given("relative_attention_num_buckets")?.unwrap_or(32);
    // A quarter of the buckets are for one distance each, and less than the furthest.
    if !(4..4 * FURTHEST).contains(&buckets) {
        return Err(config.unknown("relative_attention_num_buckets", &buckets.into()));
    }
    let embedding =
        Embedding { positions: positions(Some(PADDING)), ..Embedding::of_bert(sizes.hidden, sizes.epsilon) };
    let bias = Bias::Relative { tensor: "encoder.relative_attention_bias.weight".into(), buckets, furthest: FURTHEST };
    let attention = Attention { bias, ..sizes.attention(config)? };
    let layers = (0..sizes.layers).map(|number| LAYER.layer(&format!("encoder.layer.{number}"), &sizes)).collect();
    let decoder = || {
        Ok(Decoder::new(
            Linear::new("lm_head.dense", sizes.hidden, sizes.hidden, true),
            Activation::Gelu,
            sizes.norm("lm_head.layer_norm"),
            "lm_head.decoder",
            Some("lm_head.bias"),
        ))
    };
    let of_labels = |labels| sizes.head("classifier.dense", Activation::Tanh, "classifier.out_proj", labels);
    Ok(Plan {
        head: vocabulary::head(config, purpose, decoder)?.or_else(|| purpose.head(sizes.hidden, of_labels)),
        ignored: &["embeddings.position_ids", "pooler.", "lm_head."],
        prefix: "mpnet.",
        ..Plan::new(sizes.hidden, embedding, attention, layers)
    })
}
