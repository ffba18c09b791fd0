//! Token ids equal the reference's, for every embedder and reranker of the fixtures.

use super::zoo;

use vecrank::options::Product;
use vecrank::tokenizer::{Limit, Part};

#[allow(clippy::cast_possible_truncation, reason = "token ids are below 2^32")]
fn ids(value: &serde_json::Value) -> Option<Vec<u32>> {
    Some(value.as_array()?.iter().map(|id| id.as_u64().unwrap() as u32).collect())
}

/// The rows of one prompt, `{"prompt": …, "input_ids": [[…], …]}`; a group that is the `same_as` another has none.
fn rows(group: &serde_json::Value) -> Vec<(String, usize, Vec<u32>)> {
    let prompt = group["prompt"].as_str().unwrap_or("");
    let rows = group["input_ids"].as_array().cloned().unwrap_or_default();
    rows.iter().enumerate().filter_map(|(row, value)| Some((prompt.to_owned(), row, ids(value)?))).collect()
}

#[test]
fn embedders() {
    let mut compared = 0;
    for (folder, golden) in zoo::repositories("embedder") {
        let spec = zoo::spec(&folder, Product::Embedder);
        let tokenizer = zoo::tokenizer(&spec);
        let texts = golden["texts"].as_array().unwrap();
        let rows: Vec<_> = golden["tokens"].as_object().unwrap().values().flat_map(rows).collect();
        assert!(!rows.is_empty(), "{}: no token ids found in the golden file", zoo::name(&folder));
        for (prompt, row, ids) in rows {
            let text = Part::whole(format!("{prompt}{}", texts[row]["text"].as_str().unwrap()));
            let limit = Limit { tokens: spec.max_length.default, truncation: spec.tokenizer.truncation };
            let found = zoo::row(&tokenizer, text, limit);
            assert_eq!(found.ids, ids, "{}: prompt {prompt:?}, text {}", zoo::name(&folder), texts[row]["id"]);
            compared += 1;
        }
    }
    assert!(compared > 1000, "only {compared} rows were compared");
}

#[test]
fn rerankers() {
    let mut compared = 0;
    for (folder, golden) in zoo::repositories("reranker") {
        let spec = zoo::spec(&folder, Product::Reranker);
        let tokenizer = zoo::tokenizer(&spec);
        let pairs = golden["pairs"].as_array().unwrap();
        let rows = rows(&golden["tokens"]);
        assert!(!rows.is_empty(), "{}: no token ids found in the golden file", zoo::name(&folder));
        for (prompt, row, ids) in rows {
            let pair = &pairs[row];
            let first = Part::whole(format!("{prompt}{}", pair["query"].as_str().unwrap()));
            let second = Part::whole(pair["document"].as_str().unwrap());
            let limit = Limit { tokens: spec.max_length.default, truncation: spec.tokenizer.truncation };
            let found = zoo::pair(&tokenizer, first, second, limit);
            assert_eq!(found.ids, ids, "{}: pair {}", zoo::name(&folder), pair["id"]);
            compared += 1;
        }
    }
    assert!(compared > 50, "only {compared} rows were compared");
}
