//! Functions without a model.

use napi::bindgen_prelude::{Env, Float32Array, Float64Array, Object, Uint32Array};
use napi_derive::napi;

use serde_json::json;

use super::options::Surroundings;
use super::outcome::{OrderOutcome, Ordered, count, promise};
use super::store::on_thread;
use crate::error::{Error, Result};
use crate::network::encoder::Level;
use crate::network::graph;
use crate::options::available_threads;
use crate::similarity;

/// Says where ONNX Runtime and its providers may be. The first call wins; nothing is opened or looked for yet.
#[napi(catch_unwind)]
pub fn initialize(surroundings: Surroundings) {
    graph::set_surroundings(surroundings.into());
}

/// The environment variables that `initialize` wants to know.
#[napi(catch_unwind)]
pub fn device_variables() -> Vec<&'static str> {
    graph::VARIABLES.to_vec()
}

/// What the machine has to run graphs with, as JSON: `{instructions, features, allowed, gpus, providers, onnxruntime}`.
#[napi(catch_unwind, ts_return_type = "Promise<JsonOutcome>")]
pub fn hardware(env: &Env) -> napi::Result<Object<'_>> {
    on_thread(env, || Ok(described(&graph::hardware())))
}

fn described(hardware: &graph::Hardware) -> serde_json::Value {
    let gpu = |gpu: &graph::Gpu| json!({ "vendor": "NVIDIA", "name": gpu.name, "driver": gpu.driver, "cuda": gpu.cuda, "memory": gpu.memory, "free": gpu.free });
    let runtime = &hardware.runtime;
    let provider = |one: &graph::Available| {
        json!({ "device": one.device.as_str(), "available": one.reason.is_none(), "reason": one.reason, "provider": one.provider,
            "library": one.library, "version": one.version })
    };
    json!({
        "instructions": Level::available().next().map(Level::as_str),
        "features": Level::features(),
        "allowed": available_threads(),
        "gpus": hardware.gpus.iter().map(gpu).collect::<Vec<_>>(),
        "providers": hardware.providers.iter().map(provider).collect::<Vec<_>>(),
        "onnxruntime": {
            "version": runtime.version,
            "path": runtime.path,
            "sha256": runtime.sha256,
            "place": runtime.place,
            "passedOver": runtime.passed_over,
            "error": runtime.error,
        },
    })
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
