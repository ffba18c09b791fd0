//! Vectors and logits are torch's.

use super::super::engine::set_library;
use super::{Repository, cosine, embeddings, load, repositories, taken, vectors, zoo};

use std::sync::Arc;

use vecrank::engine::Engine;
use vecrank::files::ModelFolder;
use vecrank::network::{Network, Placement};
use vecrank::options::{DType, EngineOption, LoadOptions, Product, Prompt};
use vecrank::tokenizer::{Limit, Part};

/// How far a vector's number may be from torch's, for vectors whose greatest number is 1 or less. Seen: 2.4e-6.
const VECTOR_BOUND: f32 = 2e-5;
/// Likewise a logit. Seen: 2e-5, where two labels are subtracted.
const LOGIT_BOUND: f32 = 5e-5;
/// How near vectors in bf16 are, at least.
const BF16_COSINE: f64 = 0.9995;
/// Likewise of `albert-groups`, which makes much of small differences: with torch's products of numbers rounded to bf16 one of its
/// texts has a cosine of 0.9991, where all others of all repositories have 0.9998 and more.
const ALBERT_GROUPS_COSINE: f64 = 0.995;
/// How near vectors in 8 bits are, at least.
const Q8_COSINE: f64 = 0.99;
/// How far scores may be off, as a part of the greatest score: the heads of random weights make much of small differences.
const BF16_SCORE: f32 = 0.05;
const Q8_SCORE: f32 = 0.15;

/// What torch gives for a pair as a score: the logit, or the second less the first.
fn score(logits: &[f32]) -> f32 {
    match logits {
        [logit] => *logit,
        [first, second] => second - first,
        _ => panic!("a reranker has one label or two"),
    }
}

/// The greatest distance of a number from torch's, and the greatest number of torch's.
fn distance(repository: &Repository, found: &[Vec<f32>]) -> (f32, f32) {
    let (mut furthest, mut greatest) = (0.0_f32, 0.0_f32);
    for (row, expected) in repository.expected().into_iter().enumerate() {
        let Some(expected) = expected else { continue };
        let expected = if repository.product() == Product::Reranker { vec![score(&expected)] } else { expected };
        assert_eq!(found[row].len(), expected.len(), "{}: numbers of row {row}", repository.name);
        for (found, expected) in found[row].iter().zip(&expected) {
            furthest = furthest.max((found - expected).abs());
            greatest = greatest.max(expected.abs());
        }
    }
    assert!(greatest > 0.0, "{}: nothing was compared", repository.name);
    (furthest, greatest)
}

/// The least cosine with torch's vectors.
fn angle(repository: &Repository, found: &[Vec<f32>]) -> f64 {
    let expected = repository.expected();
    let rows = found.iter().zip(&expected).filter_map(|(found, expected)| Some(cosine(found, expected.as_ref()?)));
    rows.fold(1.0, f64::min)
}

#[test]
fn fp32_is_the_reference() {
    let mut far = Vec::new();
    for repository in taken() {
        let engine = repository.load(DType::Fp32);
        assert_eq!(engine.network().kind().as_str(), "encoder");
        let found = repository.alone(&engine);
        let (furthest, greatest) = distance(&repository, &found);
        let bound = if repository.product() == Product::Embedder { VECTOR_BOUND } else { LOGIT_BOUND };
        eprintln!("fp32 {}: {furthest:.1e} of {greatest:.1}", repository.name);
        if furthest.is_nan() || furthest > bound * greatest.max(1.0) {
            far.push(format!("{}: {furthest:e} from torch's", repository.name));
        }
    }
    assert!(far.is_empty(), "{far:#?}");
}

#[test]
fn shorter_numbers_are_near() {
    let mut far = Vec::new();
    for (dtype, least, most) in [(DType::Bf16, BF16_COSINE, BF16_SCORE), (DType::Q8, Q8_COSINE, Q8_SCORE)] {
        for repository in taken() {
            let engine = repository.load(dtype);
            let found = repository.alone(&engine);
            let (furthest, greatest) = distance(&repository, &found);
            assert!(furthest > 0.0, "{}: {} computes what fp32 does", repository.name, dtype.as_str());
            if repository.product() == Product::Reranker {
                let part = furthest / greatest;
                eprintln!("{} {}: {part:.3}", dtype.as_str(), repository.name);
                if part.is_nan() || part > most {
                    far.push(format!("{} {}: scores are off by {part}", dtype.as_str(), repository.name));
                }
                continue;
            }
            let angle = angle(&repository, &found);
            eprintln!("{} {}: cosine {angle:.6}", dtype.as_str(), repository.name);
            let is_touchy = dtype == DType::Bf16 && repository.name.ends_with("/albert-groups");
            let least = if is_touchy { ALBERT_GROUPS_COSINE } else { least };
            if angle.is_nan() || angle < least {
                far.push(format!("{} {}: cosine {angle}", dtype.as_str(), repository.name));
            }
        }
    }
    assert!(far.is_empty(), "{far:#?}");
}

#[test]
#[allow(clippy::cast_possible_truncation, reason = "token ids are below 2^32")]
fn tokens_are_the_reference() {
    for repository in taken() {
        let options = LoadOptions {
            engine: EngineOption::Encoder,
            dtype: DType::Fp32,
            ..LoadOptions::new(repository.product(), &repository.folder)
        };
        let spec = Network::spec(&ModelFolder::open(&repository.folder).unwrap(), &options, &Placement::cpu()).unwrap();
        let tokenizer = zoo::tokenizer(&spec);
        let limit = Limit { tokens: spec.max_length.default, truncation: spec.tokenizer.truncation };
        let group = match repository.product() {
            Product::Embedder => &repository.golden["tokens"]["encode"],
            _ => &repository.golden["tokens"],
        };
        let prompt = group["prompt"].as_str().unwrap_or("");
        let ids = group["input_ids"].as_array().unwrap();
        for (row, ids) in ids.iter().enumerate() {
            let Some(ids) = ids.as_array() else { continue };
            let ids: Vec<u32> = ids.iter().map(|id| id.as_u64().unwrap() as u32).collect();
            let found = match repository.product() {
                Product::Embedder => {
                    let text = format!("{prompt}{}", repository.texts()[row]);
                    zoo::row(&tokenizer, Part::whole(text), limit)
                }
                Product::TokenClassifier => zoo::row(&tokenizer, Part::whole(repository.texts()[row].as_str()), limit),
                _ => {
                    let [query, document] = &repository.pairs()[row];
                    let query = Part::whole(format!("{prompt}{query}"));
                    zoo::pair(&tokenizer, query, Part::whole(document.as_str()), limit)
                }
            };
            assert_eq!(found.ids, ids, "{}: row {row}", repository.name);
        }
    }
}

#[test]
fn calls_count_the_tokens_that_ran() {
    let repository = taken().into_iter().find(|repository| repository.name.ends_with("/bert")).unwrap();
    let engine = repository.load(DType::Fp32);
    let ids = repository.golden["tokens"]["encode"]["input_ids"].as_array().unwrap();
    let tokens: usize = ids.iter().map(|row| row.as_array().unwrap().len()).sum();
    assert_eq!(embeddings(&engine, repository.texts(), repository.prompt()).unwrap().tokens, tokens);
}

#[test]
fn what_the_encoder_does_not_know_is_refused_by_name() {
    let reasons = [
        ("bert-relative", "relative_key_query"),
        ("weights-int32", "encoder.layer.1.output.dense.weight"),
        ("weights-missing-tensor", "encoder.layer.1.attention.output.dense.bias"),
        ("weights-unknown-tensor", "encoder.layer.0.secret.weight"),
    ];
    let refused: Vec<_> = repositories().into_iter().filter(Repository::is_refused).collect();
    assert_eq!(refused.len(), reasons.len());
    for (repository, (name, reason)) in refused.iter().zip(reasons) {
        assert!(repository.name.ends_with(name));
        let error = load(&repository.folder, repository.product(), DType::Fp32, 1).unwrap_err();
        assert_eq!(error.code(), "ERR_MODEL_UNSUPPORTED", "{name}: {error}");
        assert!(error.to_string().contains(reason), "{name}: {error}");
    }
}

/// Texts may spell special tokens. RoBERTa and MPNet do not count those of padding among the positions.
#[test]
fn both_engines_give_the_same_vectors_of_the_same_weights() {
    set_library();
    let mut compared = 0;
    for encoder in taken() {
        let folder = zoo::root().join(format!("{}-onnx", encoder.name));
        if !folder.exists() || encoder.product() != Product::Embedder {
            continue;
        }
        let options = LoadOptions { dtype: DType::Fp32, ..LoadOptions::new(encoder.product(), &folder) };
        let graph = Arc::new(Engine::load(LoadOptions { engine: EngineOption::Graph, ..options }).unwrap());
        let own = encoder.load(DType::Fp32);
        for text in
            ["a <pad> b", "<pad><pad> the river <pad>", "[PAD] a [MASK] b", "</s> a <s>", "<mask>", "[CLS][SEP]"]
        {
            let [expected, found] =
                [&graph, &own].map(|engine| vectors(engine, vec![text.into()], Prompt::Default).unwrap().remove(0));
            for (expected, found) in expected.iter().zip(&found) {
                let apart = (expected - found).abs();
                assert!(apart <= VECTOR_BOUND * expected.abs().max(1.0), "{}: {text}: {apart:e}", encoder.name);
            }
            compared += 1;
        }
    }
    assert!(compared >= 40, "only {compared} vectors were compared");
}
