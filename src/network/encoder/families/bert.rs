//! BERT and those that are built like it: RoBERTa, XLM-RoBERTa, CamemBERT, ELECTRA.

use super::post_norm::{Names, Sizes, positions, types};
use super::vocabulary::{self, Decoder};
use super::{Config, Plan, Purpose, Understood};
use crate::network::encoder::plan::{Activation, Embedding, Linear, Norm};

const LAYER: Names = Names {
    queries_keys_values: ["attention.self.query", "attention.self.key", "attention.self.value"],
    attention_output: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    inner: "intermediate.dense",
    output: "output.dense",
    norm: "output.LayerNorm",
};

pub(super) fn plan(config: &Config<'_>, family: &str, purpose: Purpose) -> Understood<Plan> {
    let sizes = Sizes::read(config, "gelu")?;
    let Sizes { hidden, epsilon, .. } = sizes;
    config.expect("position_embedding_type", &["absolute".into()])?;
    // TinyBERT's, which transformers does not read.
    config.expect("emb_size", &[hidden.into()])?;
    config.expect("cell", &[serde_json::json!({})])?;
    config.expect("structure", &[serde_json::json!([])])?;
    config.ignore(&["pre_trained", "training"]);
    let width = match family {
        "electra" => config.size_where_given("embedding_size")?.unwrap_or(128),
        "bert" => {
            config.expect("embedding_size", &[hidden.into()])?;
            hidden
        }
        _ => hidden,
    };
    let of_roberta = matches!(family, "roberta" | "xlm-roberta" | "camembert");
    // transformers' configurations all have the id 1 where nothing is said.
    let padding = if of_roberta { Some(config.id("pad_token_id")?.unwrap_or(1)) } else { None };
    let embedding = Embedding {
        positions: positions(padding),
        types: types(config, 2)?,
        projection: (width != hidden).then(|| Linear::new("embeddings_project", width, hidden, true)),
        ..Embedding::of_bert(width, epsilon)
    };
    let layers = (0..sizes.layers).map(|number| LAYER.layer(&format!("encoder.layer.{number}"), &sizes)).collect();
    let (first, activation, last) = match family {
        "bert" => ("pooler.dense", Activation::Tanh, "classifier"),
        "electra" => ("classifier.dense", Activation::Gelu, "classifier.out_proj"),
        _ => ("classifier.dense", Activation::Tanh, "classifier.out_proj"),
    };
    let vocabulary = vocabulary::head(config, purpose, || Ok(decoder(family, &sizes, width)))?;
    Ok(Plan {
        head: vocabulary.or_else(|| purpose.head(hidden, |labels| sizes.head(first, activation, last, labels))),
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
        ..Plan::new(hidden, embedding, sizes.attention(config)?, layers)
    })
}

/// What gives the logits of the vocabulary.
fn decoder(family: &str, sizes: &Sizes, width: usize) -> Decoder {
    let dense = |name: &str| Linear::new(name, sizes.hidden, width, true);
    let norm = |name: &str| Norm::layer(name, width, sizes.epsilon, true);
    match family {
        "bert" => Decoder::new(
            dense("cls.predictions.transform.dense"),
            sizes.activation,
            norm("cls.predictions.transform.LayerNorm"),
            "cls.predictions.decoder",
            Some("cls.predictions.bias"),
        ),
        "electra" => Decoder::new(
            dense("generator_predictions.dense"),
            Activation::Gelu,
            norm("generator_predictions.LayerNorm"),
            "generator_lm_head",
            None,
        ),
        _ => Decoder::new(
            dense("lm_head.dense"),
            Activation::Gelu,
            norm("lm_head.layer_norm"),
            "lm_head.decoder",
            Some("lm_head.bias"),
        ),
    }
}
