//! NomicBERT: BERT with rotary positions and gated feed-forward networks, without biases.

use super::post_norm::{Sizes, types};
use super::rotary::{of_base, rotary};
use super::vocabulary::{self, Decoder};
use super::{Config, Plan, Purpose, Understood};
use crate::network::encoder::plan::{
    Activation, AttentionWeights, Embedding, FeedForward, Layer, Linear, Part, Rotary,
};

pub(super) fn plan(config: &Config<'_>, purpose: Purpose) -> Understood<Plan> {
    let of_hub = config.value("n_embd").is_some();
    let sizes = if of_hub { sizes_of_hub(config)? } else { Sizes::read(config, "silu")? };
    let attention = sizes.attention(config)?;
    let rotary = if of_hub {
        of_base(config, attention.head_size, config.number("rotary_emb_base")?.unwrap_or(10_000.0))?
    } else {
        config.expect("head_dim", &[attention.head_size.into()])?;
        rotary(config, attention.head_size, 1000.0)?
    };
    let embedding = Embedding {
        types: types(config, 2)?,
        norm: Some(sizes.norm("emb_ln")),
        ..Embedding::of_bert(sizes.hidden, sizes.epsilon)
    };
    let layers = (0..sizes.layers).map(|number| layer(number, &sizes, rotary)).collect();
    let head = vocabulary::head(config, purpose, || Ok(decoder(&sizes, !of_hub)))?;
    let of_labels = |labels| sizes.head("pooler.dense", Activation::Tanh, "classifier", labels);
    Ok(Plan {
        head: head.or_else(|| purpose.head(sizes.hidden, of_labels)),
        ignored: &["pooler.", "cls.", "classifier."],
        prefix: "nomic_bert.",
        ..Plan::new(sizes.hidden, embedding, attention, layers)
    })
}

/// What gives the logits of the vocabulary. The models on the Hub have no biases there, as in their layers (`mlp_fc1_bias`).
fn decoder(sizes: &Sizes, has_bias: bool) -> Decoder {
    let dense = Linear::new("cls.predictions.transform.dense", sizes.hidden, sizes.hidden, has_bias);
    let norm = sizes.norm("cls.predictions.transform.layer_norm");
    let bias_beside = has_bias.then_some("cls.predictions.bias");
    Decoder { has_bias, ..Decoder::new(dense, sizes.activation, norm, "cls.predictions.decoder", bias_beside) }
}

fn layer(number: usize, sizes: &Sizes, rotary: Rotary) -> Layer {
    let Sizes { hidden, inner, activation, .. } = *sizes;
    let name = |part: &str| format!("encoder.layers.{number}.{part}");
    let attention = AttentionWeights {
        rotary: Some(rotary),
        ..AttentionWeights::new(
            Linear::new(name("attn.Wqkv"), hidden, 3 * hidden, false),
            Linear::new(name("attn.out_proj"), hidden, hidden, false),
        )
    };
    let feed_forward = FeedForward {
        inner: Linear::joined(hidden, ["mlp.fc12", "mlp.fc11"].map(|part| Part::new(&name(part), inner, false))),
        gated: true,
        activation,
        output: Linear::new(name("mlp.fc2"), inner, hidden, false),
    };
    Layer::post_norm(attention, sizes.norm(name("norm1")), feed_forward, sizes.norm(name("norm2")))
}

/// The configuration of the models on the Hub, whose names are GPT-2's and flash-attn's.
fn sizes_of_hub(config: &Config<'_>) -> Understood<Sizes> {
    config.expect("activation_function", &["swiglu".into()])?;
    for key in [
        "causal",
        "last_layer_subset",
        "mlp_fc1_bias",
        "mlp_fc2_bias",
        "parallel_block",
        "prenorm",
        "qkv_proj_bias",
        "rotary_emb_interleaved",
        "scale_attn_by_inverse_layer_idx",
        "use_rms_norm",
    ] {
        config.expect(key, &[false.into()])?;
    }
    config.expect("scale_attn_weights", &[true.into()])?;
    config.expect("rotary_emb_fraction", &[1.into(), 1.0.into()])?;
    config.expect("rotary_emb_scale_base", &[])?;
    config.expect("rotary_scaling_factor", &[])?;
    config.ignore(&[
        "attn_pdrop",
        "dense_seq_output",
        "embd_pdrop",
        "fused_bias_fc",
        "fused_dropout_add_ln",
        "max_trained_positions",
        "n_positions",
        "pad_vocab_size_multiple",
        "parallel_block_tied_norm",
        "reorder_and_upcast_attn",
        "resid_pdrop",
        "use_flash_attn",
        "use_xentropy",
    ]);
    let hidden = config.size("n_embd")?;
    Ok(Sizes {
        hidden,
        heads: config.size("n_head")?,
        inner: config.size_where_given("n_inner")?.unwrap_or(4 * hidden),
        layers: config.layers("n_layer")?,
        activation: Activation::Silu,
        epsilon: config.epsilon("layer_norm_epsilon", 1e-5)?,
    })
}
