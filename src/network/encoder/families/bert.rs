//! BERT and those that are built like it: RoBERTa, XLM-RoBERTa, CamemBERT, ELECTRA.

use super::{Config, Plan, Purpose, Understood};
use crate::network::encoder::plan::{
    Activation, Attention, AttentionWeights, Bias, Embedding, FeedForward, Head, HeadPool, HeadStep, Layer, Linear,
    Norm, Norms, Part, PlaceCount, Places,
};

pub(super) fn plan(config: &Config<'_>, family: &str, purpose: Purpose) -> Understood<Plan> {
    let hidden = config.size("hidden_size")?;
    let heads = config.size("num_attention_heads")?;
    let inner = config.size("intermediate_size")?;
    let count = config.size("num_hidden_layers")?;
    let epsilon = config.number("layer_norm_eps")?.unwrap_or(1e-12);
    let activation = config.activation("hidden_act", "gelu")?;
    let types = config.size_where_given("type_vocab_size")?.unwrap_or(2);
    config.expect("position_embedding_type", &["absolute".into()])?;
    config.size("max_position_embeddings")?;
    let of_roberta = matches!(family, "roberta" | "xlm-roberta" | "camembert");
    // transformers counts positions from behind the padding id, which its configurations all leave at 1.
    let count_places = if of_roberta {
        PlaceCount::BehindPadding(config.count("pad_token_id")?.unwrap_or(1))
    } else {
        PlaceCount::All
    };
    let width = match family {
        "electra" => config.size_where_given("embedding_size")?.unwrap_or(128),
        "bert" => {
            config.expect("embedding_size", &[hidden.into()])?;
            hidden
        }
        _ => hidden,
    };
    let head_size = head_size(config, hidden, heads)?;
    let layer = |number: usize| {
        let name = |part: &str| format!("encoder.layer.{number}.{part}");
        let part = |part: &str| Part::new(&name(&format!("attention.self.{part}")), hidden, true);
        let norm = |part: &str| Norms { sum: Some(Norm::layer(name(part), hidden, epsilon, true)), ..Norms::default() };
        Layer {
            attention: AttentionWeights {
                inputs: Linear::joined(hidden, ["query", "key", "value"].map(part)),
                head_norms: None,
                rotary: None,
                window: None,
                output: Linear::new(name("attention.output.dense"), hidden, hidden, true),
            },
            attention_norms: norm("attention.output.LayerNorm"),
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
        Purpose::Labels(labels) => Some(head(family, hidden, labels)),
    };
    Ok(Plan {
        hidden,
        embedding: Embedding {
            words: "embeddings.word_embeddings.weight".into(),
            width,
            scale: 1.0,
            positions: Some(Places { table: "embeddings.position_embeddings.weight".into(), count: count_places }),
            types: (types > 0).then(|| "embeddings.token_type_embeddings.weight".into()),
            all_of_first_type: false,
            norm: Some(Norm::layer("embeddings.LayerNorm", width, epsilon, true)),
            projection: (width != hidden).then(|| Linear::new("embeddings_project", width, hidden, true)),
        },
        attention: Attention::of_heads(heads, head_size),
        layers: (0..count).map(layer).collect(),
        last_norm: None,
        head,
        ignored: &[
            "embeddings.position_ids",
            "pooler.",
            "cls.",
            "lm_head.",
            "discriminator_predictions.",
            "generator_",
        ],
        prefix: match family {
            "bert" => "bert.",
            "electra" => "electra.",
            _ => "roberta.",
        },
    })
}

/// The size of a head, where they fill the hidden size.
pub(super) fn head_size(config: &Config<'_>, hidden: usize, heads: usize) -> Understood<usize> {
    if !hidden.is_multiple_of(heads) {
        return Err(config.unknown("num_attention_heads", &heads.into()));
    }
    Ok(hidden / heads)
}

impl Attention {
    /// Plain attention: each head sees all tokens, and has keys and values of its own.
    #[allow(clippy::cast_precision_loss, reason = "heads are small")]
    pub(super) fn of_heads(heads: usize, head_size: usize) -> Self {
        let scale = 1.0 / (head_size as f32).sqrt();
        Attention { heads, key_heads: heads, head_size, scale, causal: false, bias: Bias::None }
    }
}

fn head(family: &str, hidden: usize, labels: usize) -> Head {
    // BERT's pooler belongs to the network, the head of the others does not.
    let (dense, activation, last) = match family {
        "bert" => ("bert.pooler.dense", Activation::Tanh, "classifier"),
        "electra" => ("classifier.dense", Activation::Gelu, "classifier.out_proj"),
        _ => ("classifier.dense", Activation::Tanh, "classifier.out_proj"),
    };
    Head {
        pool: HeadPool::First,
        steps: vec![
            HeadStep::Linear(Linear::new(dense, hidden, hidden, true)),
            HeadStep::Activation(activation),
            HeadStep::Linear(Linear::new(last, hidden, labels, true)),
        ],
    }
}
