//! Jina's BERT (jina-embeddings-v2): a slope for each head instead of positions, and gated feed-forward networks. One kind of it
//! has norms of queries and keys.

use super::post_norm::{Sizes, types};
use super::{Config, Plan, Purpose, Understood};
use crate::network::encoder::plan::{
    Activation, Attention, AttentionWeights, Bias, Embedding, FeedForward, Layer, Linear, Norms, Part,
};

pub(super) fn plan(config: &Config<'_>, purpose: Purpose) -> Understood<Plan> {
    purpose.expect_tokens(config)?;
    let sizes = Sizes::read(config, "gelu")?;
    config.expect("position_embedding_type", &["alibi".into()])?;
    config.expect("feed_forward_type", &["geglu".into()])?;
    config.expect("hidden_act", &["gelu".into()])?;
    config.ignore(&["attn_implementation", "emb_pooler"]);
    // Nothing else in the configuration tells the two kinds apart. Where it says nothing either, tensors will be missing.
    let with_norms = config.value("auto_map").is_some_and(|map| map.to_string().contains("qk-post-norm"));
    let embedding = Embedding { types: types(config, 2)?, ..Embedding::of_bert(sizes.hidden, sizes.epsilon) };
    let attention = Attention { bias: Bias::Alibi, ..sizes.attention(config)? };
    let layers = (0..sizes.layers).map(|number| layer(number, &sizes, with_norms)).collect();
    Ok(Plan {
        ignored: &["embeddings.position_ids", "pooler.", "cls."],
        prefix: "bert.",
        ..Plan::new(sizes.hidden, embedding, attention, layers)
    })
}

fn layer(number: usize, sizes: &Sizes, with_norms: bool) -> Layer {
    let Sizes { hidden, inner, .. } = *sizes;
    let name = |part: &str| format!("encoder.layer.{number}.{part}");
    let inputs =
        ["query", "key", "value"].map(|part| Part::new(&name(&format!("attention.self.{part}")), hidden, true));
    let attention = AttentionWeights::new(
        Linear::joined(hidden, inputs),
        Linear::new(name("attention.output.dense"), hidden, hidden, true),
    );
    let norm = |part: &str| sizes.norm(name(part));
    let feed_forward = |inputs: Linear, output: &str| FeedForward {
        inner: inputs,
        gated: true,
        activation: Activation::Gelu,
        output: Linear::new(name(output), inner, hidden, true),
    };
    if !with_norms {
        let both = Linear::new(name("mlp.gated_layers"), hidden, 2 * inner, false);
        let feed_forward = feed_forward(both, "mlp.wo");
        return Layer::post_norm(attention, norm("attention.output.LayerNorm"), feed_forward, norm("mlp.layernorm"));
    }
    // The function is applied to the second half.
    let both = Part::new(&name("mlp.up_gated_layer"), 2 * inner, false);
    let both = Linear::joined(hidden, [both.clone().rows(inner..2 * inner), both.rows(0..inner)]);
    let norms = (norm("attention.self.layer_norm_q"), norm("attention.self.layer_norm_k"));
    let attention = AttentionWeights { norms: Some(norms), ..attention };
    let feed_forward = feed_forward(both, "mlp.down_layer");
    let layer = Layer::post_norm(attention, norm("layer_norm_1"), feed_forward, norm("layer_norm_2"));
    let inside = Some(norm("attention.output.LayerNorm"));
    Layer { attention_norms: Norms { inside, ..layer.attention_norms }, ..layer }
}
