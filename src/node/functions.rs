//! Functions without a model.

use std::path::Path;

use napi::bindgen_prelude::{Env, Float32Array, Float64Array, Object, Uint32Array};
use napi_derive::napi;

use super::outcome::{OrderOutcome, Ordered, count, promise};
use crate::error::{Error, Result};
use crate::network::graph;
use crate::similarity;

/// Says where ONNX Runtime's library lies, by absolute path. The first call wins; nothing is opened yet.
#[napi(catch_unwind)]
pub fn initialize(library: String) {
    graph::set_library(Path::new(&library));
}

/// The version of this build, so that packages of different versions are not mixed.
#[napi(catch_unwind)]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Cosine of the angle between two vectors of one length; 0 where one is zero.
#[napi(catch_unwind)]
pub fn cosine_similarity(a: Float32Array, b: Float32Array) -> f64 {
    similarity::cosine_similarity(&a, &b)
}

/// Sum of products of two vectors of one length.
#[napi(catch_unwind)]
pub fn dot(a: Float32Array, b: Float32Array) -> f64 {
    similarity::dot(&a, &b)
}

/// The nearest rows.
#[napi(object, object_from_js = false)]
pub struct Nearest {
    /// Which rows.
    pub indices: Uint32Array,
    /// Their cosine similarities.
    pub scores: Float64Array,
}

/// The `k` rows of a block of vectors with the highest cosine similarity to `query`, best first.
#[napi(catch_unwind)]
pub fn top_k(query: Float32Array, vectors: Float32Array, k: u32) -> Nearest {
    let nearest = similarity::top_k(&query, &vectors, k as usize);
    Nearest {
        indices: Uint32Array::new(nearest.iter().map(|(row, _)| count(*row)).collect()),
        scores: Float64Array::new(nearest.iter().map(|(_, score)| *score).collect()),
    }
}

/// Scores from the best to the worst, at most `top_k` of them (-1: all); ties keep their order.
#[napi(catch_unwind, ts_return_type = "Promise<OrderOutcome>")]
pub fn order<'env>(env: &'env Env, scores: Float32Array, top_k: i32) -> napi::Result<Object<'env>> {
    let (reply, promise) = promise(env, |result: Result<Vec<(usize, f32)>>| {
        OrderOutcome::from(result.map(|ordered| Ordered {
            indices: Uint32Array::new(ordered.iter().map(|(index, _)| count(*index)).collect()),
            scores: Float32Array::new(ordered.iter().map(|(_, score)| *score).collect()),
        }))
    })?;
    let scores = scores.to_vec();
    let keep = usize::try_from(top_k).unwrap_or(usize::MAX);
    let sorter = std::thread::Builder::new().name("vecrank-order".into()).spawn(move || {
        let ordered = similarity::order(&scores, keep).into_iter().map(|index| (index, scores[index])).collect();
        reply.send(Ok(ordered));
    });
    // A thread that could not be had has dropped the reply, which answered with an error.
    drop(sorter.map_err(|error| Error::runtime("A thread to sort scores could not be started", error)));
    Ok(promise)
}
