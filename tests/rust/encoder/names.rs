//! Every tensor of a file and every field of a configuration is used, or known to mean nothing. What is not known is refused by
//! its name, so that no vector is computed from a part of a model.

use super::copies::Copy;
use super::{Repository, bits, load, taken, zoo};

use serde_json::{Value, json};
use vecrank::Error;
use vecrank::options::DType;

/// Beginnings of the names of tensors that no vector and no score depends on.
const UNUSED: &[&str] = &[
    "bert.cls.",
    "bert.embeddings.position_ids",
    "classifier.",
    "cls.",
    "decoder.",
    "head.",
    "lm_head.",
    "new.pooler.",
    "pooler.",
];

fn of_fixtures() -> impl Iterator<Item = Repository> {
    taken().into_iter().filter(|repository| repository.name.starts_with("tests/"))
}

/// What a copy gives for the first texts or pairs, or the error.
fn outcome(repository: &Repository, copy: &Copy) -> Result<Vec<Vec<u32>>, Error> {
    let engine = load(&copy.0, repository.product(), DType::Fp32, 1)?;
    Ok(bits(&repository.numbers(&engine, &[0, 1])?))
}

#[test]
fn every_tensor_is_used_or_known() {
    let mut missed = 0;
    for repository in of_fixtures().filter(|repository| !repository.name.ends_with("sharded")) {
        let copy = Copy::of(&repository.folder);
        let expected = outcome(&repository, &copy).unwrap();
        let tensors = copy.tensors();
        for name in tensors.0.keys() {
            let mut without = tensors.clone();
            without.0.remove(name);
            copy.write("model.safetensors", without.written());
            match outcome(&repository, &copy) {
                Ok(found) => {
                    assert!(found == expected, "{}: without {name} there are other vectors", repository.name);
                    assert!(UNUSED.iter().any(|unused| name.starts_with(unused)), "{}: {name}", repository.name);
                }
                Err(error) => {
                    missed += 1;
                    assert_eq!(error.code(), "ERR_MODEL_UNSUPPORTED", "{}: {name}: {error}", repository.name);
                    // Old files have other names for a norm's tensors.
                    let name = name.replace("gamma", "weight").replace("beta", "bias");
                    let said = error.to_string();
                    let said = said.split('"').nth(1).unwrap();
                    assert!(name.ends_with(said), "{}: {name}: {error}", repository.name);
                }
            }
        }
        let mut more = tensors.clone();
        more.0.insert("encoder.more.weight".into(), tensors.0.values().next().unwrap().clone());
        copy.write("model.safetensors", more.written());
        let error = outcome(&repository, &copy).unwrap_err();
        assert_eq!(error.code(), "ERR_MODEL_UNSUPPORTED");
        assert!(error.to_string().contains("encoder.more.weight"), "{}: {error}", repository.name);
    }
    assert!(missed > 800, "only {missed} tensors were missed");
}

#[test]
fn every_tensor_has_the_shape_that_the_configuration_means() {
    let mut refused = 0;
    for repository in of_fixtures().filter(|repository| !repository.name.ends_with("sharded")) {
        let copy = Copy::of(&repository.folder);
        let tensors = copy.tensors();
        for (name, tensor) in &tensors.0 {
            // Any number of tokens, positions and types may have vectors.
            let is_table = name.contains("embeddings") && tensor.shape.len() == 2 || name.contains("embed_tokens");
            if UNUSED.iter().any(|unused| name.starts_with(unused)) || is_table {
                continue;
            }
            let mut others = tensors.clone();
            let other = others.0.get_mut(name).unwrap();
            other.bytes.truncate(other.bytes.len() / other.shape[0] as usize * (other.shape[0] as usize - 1));
            other.shape[0] -= 1;
            copy.write("model.safetensors", others.written());
            let error = outcome(&repository, &copy).unwrap_err();
            assert_eq!(error.code(), "ERR_MODEL_INVALID", "{}: {name}: {error}", repository.name);
            refused += 1;
        }
    }
    assert!(refused > 700, "only {refused} tensors had another shape");
}

#[test]
fn no_field_changes_a_vector_in_silence() {
    for repository in of_fixtures() {
        let copy = Copy::of(&repository.folder);
        let expected = outcome(&repository, &copy).unwrap();
        let config = copy.config();
        for (key, value) in &config {
            for odd in [json!({ "odd": true }), json!(-1), json!(1e30), json!("odd"), json!([["odd"]])] {
                copy.configure(&json!({ key: odd }));
                match outcome(&repository, &copy) {
                    // A number may mean what it says, however great it is.
                    Ok(_) if odd == 1e30 && value.is_number() => {}
                    Ok(found) => assert!(found == expected, "{}: {key} {odd} gives other vectors", repository.name),
                    Err(error) => {
                        // The id of padding takes from the longest text in some families; then no text may be that short.
                        let codes = ["ERR_MODEL_UNSUPPORTED", "ERR_MODEL_INVALID", "ERR_INVALID_ARG"];
                        assert!(codes.contains(&error.code()), "{}: {key} {odd}: {error}", repository.name);
                    }
                }
            }
            copy.configure(&json!({ key: value }));
        }
        copy.configure(&json!({ "unheard_of": 1 }));
        let error = outcome(&repository, &copy).unwrap_err();
        assert_eq!(error.code(), "ERR_MODEL_UNSUPPORTED");
        assert!(error.to_string().contains("unheard_of"), "{}: {error}", repository.name);
    }
}

#[test]
fn what_a_family_may_have_and_the_encoder_does_not_is_refused_by_name() {
    let yarn = json!({ "rope_type": "yarn", "factor": 4.0 });
    let linear = json!({ "rope_theta": 500.0, "rope_type": "linear", "factor": 2.0 });
    let cases: Vec<(&str, Value, &str)> = vec![
        ("bert", json!({ "model_type": "llama" }), "llama"),
        ("bert", json!({ "model_type": null }), "family"),
        ("bert", json!({ "hidden_act": "mish" }), "mish"),
        ("bert", json!({ "is_decoder": true }), "is_decoder"),
        ("bert", json!({ "pruned_heads": { "0": [1] } }), "pruned_heads"),
        ("bert", json!({ "num_hidden_layers": 1 << 24 }), "num_hidden_layers"),
        ("bert", json!({ "num_attention_heads": 5 }), "num_attention_heads"),
        ("bert", json!({ "quantization_config": { "bits": 4 } }), "quantization_config"),
        ("mpnet", json!({ "relative_attention_num_buckets": 1 }), "relative_attention_num_buckets"),
        ("albert", json!({ "inner_group_num": 1 << 20 }), "inner_group_num"),
        ("albert", json!({ "num_hidden_groups": 4 }), "num_hidden_groups"),
        ("modernbert", json!({ "rope_scaling": yarn }), "rope_scaling"),
        ("modernbert-biases", json!({ "layer_types": ["full_attention"] }), "layer_types"),
        ("modernbert-biases", json!({ "rope_parameters": { "full_attention": linear } }), "linear"),
        ("modernbert-ranker-cls", json!({ "classifier_pooling": "max" }), "classifier_pooling"),
        ("nomic-bert", json!({ "rotary_scaling_factor": 2.0 }), "rotary_scaling_factor"),
        ("nomic-bert", json!({ "rotary_emb_fraction": 0.5 }), "rotary_emb_fraction"),
        ("nomic-bert", json!({ "moe_every_n_layers": 2 }), "moe_every_n_layers"),
        ("nomic-bert", json!({ "prenorm": true }), "prenorm"),
        ("nomic-bert-5", json!({ "rope_parameters": linear }), "linear"),
        ("gte", json!({ "rope_scaling": { "type": "ntk", "factor": 2.0 } }), "rope_scaling"),
        ("gte-new", json!({ "rope_scaling": { "type": "ntk", "factor": 2.0, "mixed_b": 0.5 } }), "mixed_b"),
        ("gte-new", json!({ "rope_scaling": { "type": "dynamic", "factor": 2.0 } }), "dynamic"),
        ("gte-new", json!({ "layer_norm_type": "rms_norm" }), "layer_norm_type"),
        ("gte-new", json!({ "logn_attention_scale": true }), "logn_attention_scale"),
        ("gte-new", json!({ "pack_qkv": false }), "pack_qkv"),
        ("jina-bert-v2", json!({ "feed_forward_type": "original" }), "feed_forward_type"),
        ("jina-bert-v2-qk-norm", json!({ "auto_map": null }), "gated_layers"),
        ("qwen3", json!({ "rope_scaling": yarn }), "rope_scaling"),
        ("qwen3", json!({ "use_sliding_window": true }), "use_sliding_window"),
        ("qwen3", json!({ "num_key_value_heads": 3 }), "num_key_value_heads"),
        ("qwen3", json!({ "head_dim": 5 }), "rotary positions"),
        ("qwen3", json!({ "rope_theta": 0 }), "rotary positions"),
        ("gemma3", json!({ "use_bidirectional_attention": false }), "use_bidirectional_attention"),
        ("gemma3", json!({ "attn_logit_softcapping": 50.0 }), "attn_logit_softcapping"),
    ];
    for (name, patch, reason) in cases {
        let repository = of_fixtures().find(|repository| zoo::name(&repository.folder) == name).unwrap();
        let copy = Copy::of(&repository.folder);
        copy.configure(&patch);
        let error = load(&copy.0, repository.product(), DType::Fp32, 1).unwrap_err();
        assert_eq!(error.code(), "ERR_MODEL_UNSUPPORTED", "{name} {patch}: {error}");
        assert!(error.to_string().contains(reason), "{name} {patch}: {error}");
    }
}
