//! MPNet: BERT with relative positions beside the learned ones.

use super::bert::head_size;
use super::{Config, Plan, Purpose, Understood};
use crate::network::encoder::plan::{
    Activation, Attention, AttentionWeights, Bias, Embedding, FeedForward, Head, HeadPool, HeadStep, Layer, Linear,
    Norm, Norms, Part, PlaceCount, Places,
};

/// `MPNetEncoder.relative_position_bucket`'s `max_distance`, which its configuration does not hold.
const FURTHEST: usize = 128;

pub(super) fn plan(config: &Config<'_>, purpose: Purpose) -> Understood<Plan> {
    let hidden = config.size("hidden_size")?;
    let heads = config.size("num_attention_heads")?;
    let inner = config.size("intermediate_size")?;
    let count = config.size("num_hidden_layers")?;
    let epsilon = config.number("layer_norm_eps")?.unwrap_or(1e-12);
    let activation = config.activation("hidden_act", "gelu")?;
    let buckets = config.size_where_given("relative_attention_num_buckets")?.unwrap_or(32);
    config.size("max_position_embeddings")?;
    let head_size = head_size(config, hidden, heads)?;
    let layer = |number: usize| {
        let name = |part: &str| format!("encoder.layer.{number}.{part}");
        let part = |part: &str| Part::new(&name(&format!("attention.attn.{part}")), hidden, true);
        let norm = |part: &str| Norms { sum: Some(Norm::layer(name(part), hidden, epsilon, true)), ..Norms::default() };
        Layer {
            attention: AttentionWeights {
                inputs: Linear::joined(hidden, ["q", "k", "v"].map(part)),
                head_norms: None,
                rotary: None,
                window: None,
                output: Linear::new(name("attention.attn.o"), hidden, hidden, true),
            },
            attention_norms: norm("attention.LayerNorm"),
            feed_forward: FeedForward {
                inner: Linear::new(name("intermediate.dense"), hidden, inner, true),
                gated: false,
                activation,
                output: Linear::new(name("output.dense"), inner, hidden, true),
            },
            feed_forward_norms: norm("output.LayerNorm"),
        }
    };
    let head = match purpose {
        Purpose::Tokens => None,
        Purpose::Labels(labels) => Some(Head {
            pool: HeadPool::First,
            steps: vec![
                HeadStep::Linear(Linear::new("classifier.dense", hidden, hidden, true)),
                HeadStep::Activation(Activation::Tanh),
                HeadStep::Linear(Linear::new("classifier.out_proj", hidden, labels, true)),
            ],
        }),
    };
    let bias = Bias::Relative { tensor: "encoder.relative_attention_bias.weight".into(), buckets, furthest: FURTHEST };
    Ok(Plan {
        hidden,
        embedding: Embedding {
            words: "embeddings.word_embeddings.weight".into(),
            width: hidden,
            scale: 1.0,
            // MPNet counts from behind its padding id, which its code fixes at 1.
            positions: Some(Places {
                table: "embeddings.position_embeddings.weight".into(),
                count: PlaceCount::BehindPadding(1),
            }),
            types: None,
            all_of_first_type: false,
            norm: Some(Norm::layer("embeddings.LayerNorm", hidden, epsilon, true)),
            projection: None,
        },
        attention: Attention { bias, ..Attention::of_heads(heads, head_size) },
        layers: (0..count).map(layer).collect(),
        last_norm: None,
        head,
        ignored: &["embeddings.position_ids", "pooler.", "lm_head."],
        prefix: "mpnet.",
    })
}
