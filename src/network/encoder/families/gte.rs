//! GTE: BERT with rotary positions and gated feed-forward networks. transformers has it as `gte`, Alibaba's own code as `new`.

use super::post_norm::{Sizes, types};
use super::rotary::{of_base, rotary};
use super::vocabulary::{self, Decoder};
use super::{Config, Plan, Purpose, Understood};
use crate::network::encoder::plan::{
    Activation, AttentionWeights, Embedding, FeedForward, Layer, Linear, Part, Rotary,
};

pub(super) fn plan(config: &Config<'_>, family: &str, purpose: Purpose) -> Understood<Plan> {
    let sizes = Sizes::read(config, "gelu")?;
    let attention = sizes.attention(config)?;
    config.expect("position_embedding_type", &["rope".into()])?;
    config.expect("layer_norm_type", &["layer_norm".into()])?;
    config.expect("logn_attention_scale", &[false.into()])?;
    config.expect("logn_attention_clip1", &[false.into()])?;
    config.expect("pack_qkv", &[true.into()])?;
    config.ignore(&["unpad_inputs", "use_memory_efficient_attention"]);
    let rotary = match family {
        "new" => rotary_of_new(config, attention.head_size)?,
        _ => rotary(config, attention.head_size, 160_000.0)?,
    };
    let types = types(config, if family == "new" { 2 } else { 1 })?;
    let embedding = Embedding { types, ..Embedding::of_bert(sizes.hidden, sizes.epsilon) };
    let layers = (0..sizes.layers).map(|number| layer(number, &sizes, rotary)).collect();
    let head = vocabulary::head(config, purpose, || Ok(decoder(family, &sizes)))?;
    let of_labels = |labels| sizes.head("pooler.dense", Activation::Tanh, "classifier", labels);
    Ok(Plan {
        head: head.or_else(|| purpose.head(sizes.hidden, of_labels)),
        ignored: &["embeddings.position_ids", "pooler.", "lm_head.", "classifier."],
        prefix: if family == "new" { "new." } else { "gte." },
        ..Plan::new(sizes.hidden, embedding, attention, layers)
    })
}

/// What gives the logits of the vocabulary. Alibaba's code has the network's own function there, transformers always GELU.
fn decoder(family: &str, sizes: &Sizes) -> Decoder {
    let activation = if family == "new" { sizes.activation } else { Activation::Gelu };
    let dense = Linear::new("lm_head.dense", sizes.hidden, sizes.hidden, true);
    Decoder::new(dense, activation, sizes.norm("lm_head.norm"), "lm_head.decoder", None)
}

fn layer(number: usize, sizes: &Sizes, rotary: Rotary) -> Layer {
    let Sizes { hidden, inner, activation, .. } = *sizes;
    let name = |part: &str| format!("encoder.layer.{number}.{part}");
    let attention = AttentionWeights {
        rotary: Some(rotary),
        ..AttentionWeights::new(
            Linear::new(name("attention.qkv_proj"), hidden, 3 * hidden, true),
            Linear::new(name("attention.o_proj"), hidden, hidden, true),
        )
    };
    // The function is applied to the second half.
    let both = Part::new(&name("mlp.up_gate_proj"), 2 * inner, false);
    let feed_forward = FeedForward {
        inner: Linear::joined(hidden, [both.clone().rows(inner..2 * inner), both.rows(0..inner)]),
        gated: true,
        activation,
        output: Linear::new(name("mlp.down_proj"), inner, hidden, true),
    };
    Layer::post_norm(attention, sizes.norm(name("attn_ln")), feed_forward, sizes.norm(name("mlp_ln")))
}

/// Alibaba's own scaling `ntk` holds at every length: a greater base, and all angles divided.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the network computes in float32")]
fn rotary_of_new(config: &Config<'_>, head_size: usize) -> Understood<Rotary> {
    let base = config.number("rope_theta")?.unwrap_or(10_000.0);
    let Some(scaling) = config.object("rope_scaling")? else { return of_base(config, head_size, base) };
    let scaling = Config::new(&scaling);
    scaling.expect("type", &["ntk".into()])?;
    // A factor that shortens texts leaves the angles alone in that code.
    let factor = scaling.number("factor")?.filter(|factor| *factor > 1.0);
    let factor = factor.ok_or_else(|| scaling.refuse("has \"rope_scaling\" without a \"factor\" above 1"))?;
    scaling.finish()?;
    let plain = of_base(config, head_size, base * factor)?;
    let divisor = f64::from(factor).powf(2.0 / head_size as f64) as f32;
    Ok(Rotary { divisor, ..plain })
}
