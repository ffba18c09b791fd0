//! ModernBERT: norms before the branches, rotary positions, and layers that see a window only.

use super::rotary::{two, windows};
use super::vocabulary::{self, Decoder};
use super::{Config, Plan, Purpose, Understood, post_norm};
use crate::network::encoder::plan::{
    AttentionWeights, Embedding, FeedForward, Head, HeadPool, HeadStep, Layer, Linear, Norm, Norms,
};

pub(super) fn plan(config: &Config<'_>, purpose: Purpose) -> Understood<Plan> {
    let sizes = post_norm::Sizes {
        hidden: config.size("hidden_size")?,
        heads: config.size("num_attention_heads")?,
        inner: config.size("intermediate_size")?,
        layers: config.layers("num_hidden_layers")?,
        activation: config.activation("hidden_activation", "gelu")?,
        epsilon: config.epsilon("norm_eps", 1e-5)?,
    };
    let post_norm::Sizes { hidden, inner, activation, epsilon, .. } = sizes;
    let [attention_bias, inner_bias, norm_bias] = config.flags(["attention_bias", "mlp_bias", "norm_bias"])?;
    let attention = sizes.attention(config)?;
    let window = config.size_where_given("local_attention")?.unwrap_or(128) / 2;
    let every = config.size_where_given("global_attn_every_n_layers")?.unwrap_or(3);
    let windows = windows(config, sizes.layers, |number| !number.is_multiple_of(every))?;
    let old = [("global_rope_theta", 160_000.0), ("local_rope_theta", 10_000.0)];
    let [everywhere, nearby] = two(config, attention.head_size, old)?;
    // Fields that older configurations have and no version reads, and those of a language model's head.
    config.ignore(&["layer_norm_eps", "position_embedding_type", "decoder_bias", "deterministic_flash_attn"]);
    config.ignore(&["max_position_embeddings"]);
    let norm = |name: String| Norm::layer(name, hidden, epsilon, norm_bias);
    let before = |name: String| Norms { before: Some(norm(name)), ..Norms::default() };
    let layer = |(number, near): (usize, &bool)| {
        let name = |part: &str| format!("layers.{number}.{part}");
        Layer {
            attention: AttentionWeights {
                rotary: Some(if *near { nearby } else { everywhere }),
                window: near.then_some(window),
                ..AttentionWeights::new(
                    Linear::new(name("attn.Wqkv"), hidden, 3 * hidden, attention_bias),
                    Linear::new(name("attn.Wo"), hidden, hidden, attention_bias),
                )
            },
            // The embeddings' norm is what the first layer would begin with.
            attention_norms: if number == 0 { Norms::default() } else { before(name("attn_norm")) },
            feed_forward: FeedForward {
                inner: Linear::new(name("mlp.Wi"), hidden, 2 * inner, inner_bias),
                gated: true,
                activation,
                output: Linear::new(name("mlp.Wo"), inner, hidden, inner_bias),
            },
            feed_forward_norms: before(name("mlp_norm")),
        }
    };
    let embedding = Embedding {
        norm: Some(norm("embeddings.norm".into())),
        ..Embedding::new("embeddings.tok_embeddings.weight", hidden)
    };
    let layers = windows.iter().enumerate().map(layer).collect();
    let head = head(config, hidden, purpose, norm("head.norm".into()))?;
    Ok(Plan {
        last_norm: Some(norm("final_norm".into())),
        head,
        ignored: &["head.", "decoder.", "classifier."],
        prefix: "model.",
        ..Plan::new(hidden, embedding, attention, layers)
    })
}

fn head(config: &Config<'_>, hidden: usize, purpose: Purpose, norm: Norm) -> Understood<Option<Head>> {
    let fields = ["classifier_pooling", "classifier_activation", "classifier_bias"];
    let (pool, labels) = match purpose {
        Purpose::Labels(labels) => (pool(config)?, labels),
        Purpose::TokenLabels(labels) => {
            config.ignore(&fields[..1]);
            (HeadPool::Each, labels)
        }
        Purpose::Vocabulary(_) => {
            config.ignore(&fields[..1]);
            return vocabulary::head(config, purpose, || decoder(config, hidden, norm));
        }
        Purpose::Tokens | Purpose::Weights | Purpose::Next(_) => {
            config.ignore(&fields);
            return Ok(None);
        }
    };
    let activation = config.activation(fields[1], "gelu")?;
    let [bias] = config.flags([fields[2]])?;
    Ok(Some(Head {
        pool,
        steps: vec![
            HeadStep::Linear(Linear::new("head.dense", hidden, hidden, bias)),
            HeadStep::Activation(activation),
            HeadStep::Norm(norm),
            HeadStep::Linear(Linear::new("classifier", hidden, labels, true)),
        ],
        vocabulary: None,
    }))
}

/// What gives the logits of the vocabulary. Its layer has the fields of a classifier's.
fn decoder(config: &Config<'_>, hidden: usize, norm: Norm) -> Understood<Decoder> {
    let activation = config.activation("classifier_activation", "gelu")?;
    let [bias] = config.flags(["classifier_bias"])?;
    let has_bias = config.flag("decoder_bias")?.unwrap_or(true);
    let words = "embeddings.tok_embeddings.weight";
    let dense = Linear::new("head.dense", hidden, hidden, bias);
    Ok(Decoder { has_bias, words, ..Decoder::new(dense, activation, norm, "decoder", None) })
}

/// The vector that a sequence's head works on.
fn pool(config: &Config<'_>) -> Understood<HeadPool> {
    match config.text("classifier_pooling")?.unwrap_or("cls") {
        "cls" => Ok(HeadPool::First),
        "mean" => Ok(HeadPool::Mean),
        other => Err(config.unknown("classifier_pooling", &other.into())),
    }
}
