//! DistilBERT.

use super::bert::head_size;
use super::{Config, Plan, Purpose, Understood};
use crate::network::encoder::plan::{
    Activation, Attention, AttentionWeights, Embedding, FeedForward, Head, HeadPool, HeadStep, Layer, Linear, Norm,
    Norms, Part, PlaceCount, Places,
};

/// Not in its configuration.
const EPSILON: f32 = 1e-12;

pub(super) fn plan(config: &Config<'_>, purpose: Purpose) -> Understood<Plan> {
    let hidden = config.size("dim")?;
    let heads = config.size("n_heads")?;
    let inner = config.size("hidden_dim")?;
    let count = config.size("n_layers")?;
    let activation = config.activation("activation", "gelu")?;
    config.size("max_position_embeddings")?;
    let head_size = head_size(config, hidden, heads)?;
    let layer = |number: usize| {
        let name = |part: &str| format!("transformer.layer.{number}.{part}");
        let part = |part: &str| Part::new(&name(&format!("attention.{part}")), hidden, true);
        let norm = |part: &str| Norms { sum: Some(Norm::layer(name(part), hidden, EPSILON, true)), ..Norms::default() };
        Layer {
            attention: AttentionWeights {
                inputs: Linear::joined(hidden, ["q_lin", "k_lin", "v_lin"].map(part)),
                head_norms: None,
                rotary: None,
                window: None,
                output: Linear::new(name("attention.out_lin"), hidden, hidden, true),
            },
            attention_norms: norm("sa_layer_norm"),
            feed_forward: FeedForward {
                inner: Linear::new(name("ffn.lin1"), hidden, inner, true),
                gated: false,
                activation,
                output: Linear::new(name("ffn.lin2"), inner, hidden, true),
            },
            feed_forward_norms: norm("output_layer_norm"),
        }
    };
    let head = match purpose {
        Purpose::Tokens => None,
        Purpose::Labels(labels) => Some(Head {
            pool: HeadPool::First,
            steps: vec![
                HeadStep::Linear(Linear::new("pre_classifier", hidden, hidden, true)),
                HeadStep::Activation(Activation::Relu),
                HeadStep::Linear(Linear::new("classifier", hidden, labels, true)),
            ],
        }),
    };
    Ok(Plan {
        hidden,
        embedding: Embedding {
            words: "embeddings.word_embeddings.weight".into(),
            width: hidden,
            scale: 1.0,
            positions: Some(Places { table: "embeddings.position_embeddings.weight".into(), count: PlaceCount::All }),
            types: None,
            all_of_first_type: false,
            norm: Some(Norm::layer("embeddings.LayerNorm", hidden, EPSILON, true)),
            projection: None,
        },
        attention: Attention::of_heads(heads, head_size),
        layers: (0..count).map(layer).collect(),
        last_norm: None,
        head,
        ignored: &["embeddings.position_ids", "vocab_"],
        prefix: "distilbert.",
    })
}
