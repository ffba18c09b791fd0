//! Logits of the vocabulary are torch's, and so are the weights that are pooled of them in fewer bits.

use super::super::engine::set_library;
use super::{numbers, rows_of, zoo};

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vecrank::engine::{Answer, Engine, Ticket};
use vecrank::options::{DType, EngineOption, LoadOptions, Product, SparseOptions, Truncation};
use vecrank::products::{Ragged, network, sparse};
use vecrank::reply::pair;
use vecrank::tokenizer::{Limit, Part, TokenRow};

/// How far a logit may be from torch's, as a part of the greatest.
const LOGIT_BOUND: f32 = 1e-5;
/// How near weights in fewer bits are, at least.
const BF16_COSINE: f64 = 0.99;
const Q8_COSINE: f64 = 0.97;

fn goldens(collection: &str) -> Vec<(PathBuf, serde_json::Value)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(zoo::root().join(collection)).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(folder.join("golden.json")) else { continue };
        found.push((folder, serde_json::from_slice(&bytes).unwrap()));
    }
    found
}

fn load(folder: &Path, product: Product, engine: EngineOption, dtype: DType) -> Arc<Engine> {
    let options = LoadOptions { engine, dtype, threads: 2, ..LoadOptions::new(product, folder) };
    Arc::new(Engine::load(options).unwrap_or_else(|error| panic!("{}: {error}", zoo::name(folder))))
}

fn answer(wait: impl FnOnce() -> Result<Answer<Ragged>, vecrank::Error>) -> Ragged {
    match wait().unwrap() {
        Answer::Done(ragged) => ragged,
        Answer::Short(_) => panic!("whole texts were called short"),
    }
}

/// The logits of each token of a row.
fn logits(engine: &Arc<Engine>, ids: Vec<u32>) -> Vec<Vec<f32>> {
    let (reply, wait) = pair();
    let count = ids.len();
    let row = TokenRow { type_ids: vec![0; count], ids, truncated: false, unseen: 0 };
    network::forward(engine, vec![row], Ticket::default(), rows_of("texts"), reply);
    let values = answer(wait).values;
    values.chunks(values.len() / count).map(<[f32]>::to_vec).collect()
}

#[test]
#[allow(clippy::cast_possible_truncation, reason = "token ids are below 2^32")]
fn every_familys_logits_are_the_reference() {
    let found = goldens("tests/fixtures/vocabulary");
    assert!(found.len() >= 8, "there are only {} repositories", found.len());
    for (folder, golden) in found {
        let engine = load(&folder, Product::MaskedLm, EngineOption::Encoder, DType::Fp32);
        assert_eq!(engine.network().kind().as_str(), "encoder");
        for text in golden["texts"].as_array().unwrap() {
            let ids: Vec<u32> =
                text["input_ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
            let rows = logits(&engine, ids);
            for (place, expected) in text["logits"].as_object().unwrap() {
                let expected = numbers(expected).unwrap();
                let row = &rows[place.parse::<usize>().unwrap()];
                assert_eq!(row.len(), expected.len(), "{}", zoo::name(&folder));
                let greatest = expected.iter().fold(0.0_f32, |greatest, number| greatest.max(number.abs()));
                let furthest = row.iter().zip(&expected).fold(0.0_f32, |far, (a, b)| far.max((a - b).abs()));
                assert!(
                    furthest <= LOGIT_BOUND * greatest,
                    "{} {} at {place}: {furthest:e} of {greatest} from torch's",
                    zoo::name(&folder),
                    text["id"]
                );
            }
        }
    }
}

/// The probabilities at the places of a token, in the order of the text.
fn at_masks(engine: &Arc<Engine>, text: &str, mask: &str) -> Vec<Vec<f32>> {
    let tokenizer = zoo::tokenizer(&zoo::spec(&engine.options.path, Product::MaskedLm));
    let limit = Limit { tokens: engine.spec.max_length.default, truncation: Truncation::Right };
    let TokenRow { ids, truncated, .. } = zoo::row(&tokenizer, Part::whole(text), limit);
    // The reference cuts nothing here, and the network has no more positions.
    if truncated {
        return Vec::new();
    }
    let places: Vec<bool> = engine.names(&ids).iter().map(|name| name == mask).collect();
    let rows = logits(engine, ids).into_iter().zip(places).filter(|(_, is_mask)| *is_mask);
    rows.map(|(row, _)| {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f32> = row.iter().map(|logit| (logit - largest).exp()).collect();
        let total: f32 = powers.iter().sum();
        powers.iter().map(|power| power / total).collect()
    })
    .collect()
}

#[test]
#[allow(clippy::cast_possible_truncation, reason = "probabilities")]
fn masked_tokens_are_filled_as_by_the_reference() {
    set_library();
    let mut compared = 0;
    for (folder, golden) in goldens("tests/fixtures/beyond") {
        let Some(cases) = golden["fill_mask"].as_array() else { continue };
        for engine in [EngineOption::Encoder, EngineOption::Graph] {
            let engine = load(&folder, Product::MaskedLm, engine, DType::Fp32);
            let plain =
                cases.iter().filter(|case| case["options"].as_object().is_some_and(|options| options.is_empty()));
            for case in plain {
                let Some(text) = case["inputs"].as_str() else { continue };
                let Some(results) = case["result"].as_array() else { continue };
                let mask = if text.contains("<mask>") { "<mask>" } else { "[MASK]" };
                let found = at_masks(&engine, text, mask);
                if found.is_empty() {
                    continue;
                }
                // Of several masks there are several lists.
                let lists = if results[0].is_array() { results.clone() } else { vec![case["result"].clone()] };
                assert_eq!(found.len(), lists.len(), "{} {text}", zoo::name(&folder));
                for (probabilities, expected) in found.iter().zip(&lists) {
                    for token in expected.as_array().unwrap() {
                        let (id, score) = (token["token"].as_u64().unwrap() as usize, token["score"].as_f64().unwrap());
                        let off = (probabilities[id] - score as f32).abs();
                        assert!(off < 1e-4, "{} {text}: token {id} is off by {off}", zoo::name(&folder));
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 50, "only {compared} tokens were compared");
}

/// A text's weights, all of the vocabulary.
fn weights(engine: &Arc<Engine>, text: &str) -> Vec<f32> {
    let (reply, wait) = pair();
    let texts = vec![Part::whole(text)];
    let options = SparseOptions { max_active: Some(usize::MAX), ..SparseOptions::default() };
    sparse::embed(engine, texts, options, Ticket::default(), rows_of("texts"), reply);
    let row = answer(wait);
    let mut weights = vec![0.0; sparse::dimensions(engine).unwrap()];
    row.indices.iter().zip(&row.values).for_each(|(index, value)| weights[*index as usize] = *value);
    weights
}

#[test]
fn weights_in_fewer_bits_are_near() {
    for (folder, golden) in goldens("tests/fixtures/beyond") {
        if golden["kind"] != "sparse" || !folder.join("1_SpladePooling").is_dir() {
            continue;
        }
        let load = |dtype| load(&folder, Product::SparseEmbedder, EngineOption::Encoder, dtype);
        let exact = load(DType::Fp32);
        for (dtype, least) in [(DType::Bf16, BF16_COSINE), (DType::Q8, Q8_COSINE)] {
            let shorter = load(dtype);
            for text in ["hello world", "How many people live in the capital of Germany?"] {
                let (a, b) = (weights(&exact, text), weights(&shorter, text));
                // Untrained networks may give a text no weight at all.
                if a.iter().all(|weight| *weight == 0.0) {
                    continue;
                }
                let cosine = super::cosine(&a, &b);
                assert!(a != b, "{}: {} computes what fp32 does", zoo::name(&folder), dtype.as_str());
                assert!(cosine >= least, "{} {} {text}: cosine {cosine}", zoo::name(&folder), dtype.as_str());
            }
        }
    }
}
