//! The classes that `lib/model.js` holds: a loaded model, its load, and a ticket to cancel with. What a model can be asked is in
//! `calls.rs`.

use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::{Env, Object, Uint32Array};
use napi_derive::napi;
use serde_json::json;

use super::options::LoadOptions;
use super::outcome::{CountOutcome, Download, LoadOutcome, count, promise};
use super::requests::RowsOf;
use crate::engine::{self, Engine};
use crate::error::{Error, Result};
use crate::network::{OutputKind, graph::runtime_version};
use crate::options::{Product, Task};
use crate::products::{embedder, sparse};
use crate::registry::{self, Holding, Loaded, Wait};
use crate::spec::{EngineKind, HeadSpec, SparseSpec, SparseWay};

/// Loads a model, or shares the one that is loaded with equal options. `wait` belongs to this call alone.
#[napi(catch_unwind, ts_return_type = "Promise<LoadOutcome>")]
pub fn load<'env>(env: &'env Env, options: LoadOptions, wait: &LoadWait) -> napi::Result<Object<'env>> {
    let (model, source) = (options.model.clone(), options.source.clone());
    let (reply, promise) = promise(env, move |result: Result<Loaded>| {
        LoadOutcome::from(result.map(|loaded| Model { loaded: Mutex::new(Some(loaded)), model, source }))
    })?;
    match options.resolve() {
        Ok((origin, options)) => registry::get_or_load(origin, options, wait.inner.clone(), reply),
        Err(error) => reply.send(Err(error)),
    }
    Ok(promise)
}

/// One call's wait for a load.
#[napi]
#[derive(Default)]
pub struct LoadWait {
    pub(super) inner: Arc<Wait>,
}

#[napi]
impl LoadWait {
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        LoadWait::default()
    }

    /// Nobody waits any more. A load that was for this call alone is stopped, and answers with an error.
    #[napi(catch_unwind)]
    pub fn give_up(&self) {
        self.inner.give_up();
    }

    /// The downloads of the load as they stand, in the order in which they began.
    #[napi(catch_unwind)]
    pub fn downloads(&self) -> Vec<Download> {
        self.inner.downloads().into_iter().map(Download::from).collect()
    }
}

/// Node drops what JavaScript holds when an environment ends, as with a terminated worker: nobody waits there any more.
/// While a promise of the load is open, JavaScript holds the wait.
impl Drop for LoadWait {
    fn drop(&mut self) {
        self.inner.give_up();
    }
}

/// Cancels the work of the requests that carry it.
#[napi]
#[derive(Default)]
pub struct Ticket {
    pub(super) inner: engine::Ticket,
}

#[napi]
impl Ticket {
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        Ticket::default()
    }

    /// Ends the work: what has not run will not.
    #[napi(catch_unwind)]
    pub fn cancel(&self) {
        self.inner.cancel();
    }
}

/// As for [`LoadWait`]: a call whose environment has ended is not computed. `underSignal` of `lib/call.js` holds the
/// ticket until its call has settled.
impl Drop for Ticket {
    fn drop(&mut self) {
        self.inner.cancel();
    }
}

/// What the user should read, and the code of its kind.
#[napi(object, object_from_js = false)]
pub struct Warning {
    pub code: String,
    pub text: String,
}

/// A handle on a loaded model.
#[napi]
pub struct Model {
    loaded: Mutex<Option<Loaded>>,
    model: String,
    source: String,
}

#[napi]
impl Model {
    fn loaded(&self) -> Result<Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Error::Disposed)
    }

    pub(super) fn engine(&self) -> Result<Arc<Engine>> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.as_ref().map(|loaded| loaded.holding.engine.clone()).ok_or(Error::Disposed)
    }

    /// `ModelInfo` as JSON, or an empty string once the handle is disposed.
    #[napi(catch_unwind)]
    pub fn info(&self) -> String {
        self.loaded().map(|loaded| self.describe(&loaded).to_string()).unwrap_or_default()
    }

    /// What the user should read about the load.
    #[napi(getter, catch_unwind)]
    pub fn warnings(&self) -> Vec<Warning> {
        let Ok(Loaded { holding, hub, .. }) = self.loaded() else { return Vec::new() };
        let of_hub = hub.map(|hub| hub.warnings).unwrap_or_default();
        of_hub
            .into_iter()
            .map(|text| Warning { code: "VECRANK_HUB".into(), text })
            .chain(
                holding
                    .engine
                    .network()
                    .warnings()
                    .iter()
                    .map(|text| Warning { code: "VECRANK_DEVICE".into(), text: text.clone() }),
            )
            .collect()
    }

    /// Whether a new load would give this model: whether the files of its folder are those that were read.
    #[napi(catch_unwind)]
    pub fn is_current(&self) -> bool {
        self.loaded().is_ok_and(|loaded| loaded.is_current())
    }

    fn describe(&self, Loaded { holding, hub, .. }: &Loaded) -> serde_json::Value {
        let engine = &holding.engine;
        let spec = &engine.spec;
        let (pooling, normalize) = match &spec.head {
            HeadSpec::Embedding(head) if engine.output_kind() == OutputKind::Tokens => {
                let names: Vec<_> = head.pooling.iter().map(|pooling| pooling.as_str()).collect();
                (if let [name] = names.as_slice() { json!(name) } else { json!(names) }, json!(head.normalize))
            }
            HeadSpec::Embedding(head) => (json!(null), json!(head.normalize)),
            _ => (json!(null), json!(null)),
        };
        let network = engine.network();
        let by_graph = network.kind() == EngineKind::Graph;
        let passed_over = network.passed_over().iter();
        json!({
            "model": self.model,
            "source": self.source,
            "path": engine.options.path,
            "commit": hub.as_ref().map(|hub| &hub.commit),
            "base": hub.as_ref().and_then(|hub| hub.base.as_ref()).map(|(model, commit)| json!({ "model": model, "commit": commit })),
            "locked": hub.as_ref().is_some_and(|hub| hub.locked),
            "file": engine.file().relative,
            "dtype": engine.file().dtype.map(|dtype| dtype.as_str()),
            "kind": engine.options.product.as_str(),
            "dimensions": match engine.options.product {
                Product::Embedder => embedder::dimensions(engine).ok(),
                Product::SparseEmbedder => sparse::dimensions(engine),
                Product::Backbone | Product::LateEmbedder => Some(engine.width),
                _ => None,
            },
            "labels": match &spec.head {
                HeadSpec::Labels(head) => Some(&head.names),
                _ => None,
            },
            "sparse": of_sparse(engine),
            "maxLength": spec.max_length.default,
            "pooling": pooling,
            "normalize": normalize,
            "prompts": spec.prompts,
            "requested": network.requested().as_str(),
            "device": network.device(),
            "provider": network.provider(),
            "passedOver": passed_over
                .map(|passed| json!({ "device": passed.device, "reason": passed.reason }))
                .collect::<Vec<_>>(),
            "nodes": network.nodes(),
            "deviceMemory": network.device_memory().map(|memory| json!({ "limit": memory.limit, "used": memory.used })),
            "engine": network.kind().as_str(),
            "instructions": network.instructions(),
            "onnxruntime": by_graph.then(runtime_version),
            "assumed": spec.assumed,
        })
    }

    /// UTF-16 units of each text to pass first. What follows is asked for where it is needed.
    #[napi(catch_unwind)]
    pub fn prefix(&self, max_length: Option<u32>) -> u32 {
        let units = self.engine().and_then(|engine| engine.prefix_units(max_length.map(|length| length as usize)));
        // A limit that does not fit is refused when the request comes.
        units.map_or(u32::MAX, count)
    }

    /// How many of `wanted` tokens the network has positions for.
    #[napi(catch_unwind)]
    pub fn within(&self, wanted: u32) -> u32 {
        let positions = self.engine().ok().and_then(|engine| engine.spec.max_length.positions);
        positions.map_or(wanted, |positions| wanted.min(count(positions)))
    }

    /// Counts the tokens of whole texts, special tokens included.
    #[napi(catch_unwind, ts_return_type = "Promise<CountOutcome>")]
    pub fn count<'env>(
        &self,
        env: &'env Env,
        texts: Vec<String>,
        ticket: &Ticket,
        rows: RowsOf,
    ) -> napi::Result<Object<'env>> {
        let (reply, promise) =
            promise(env, |counts: Result<Vec<u32>>| CountOutcome::from(counts.map(Uint32Array::new)))?;
        match self.engine() {
            Ok(engine) => engine.count(texts, ticket.inner.clone(), rows.into(), reply),
            Err(error) => reply.send(Err(error)),
        }
        Ok(promise)
    }

    /// Ends this handle at once. The session goes with its last holder, on another thread: freeing weights takes time, and the
    /// promise is fulfilled after it.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn dispose<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let (reply, promise) = promise(env, |_: Result<()>| ())?;
        release(self.loaded.lock().unwrap_or_else(PoisonError::into_inner).take(), || reply.send(Ok(())));
        Ok(promise)
    }
}

/// How a sparse embedder makes its vectors, by what a text is used as.
fn of_sparse(engine: &Arc<Engine>) -> Option<serde_json::Value> {
    let HeadSpec::Sparse(SparseSpec { max_active, .. }) = &engine.spec.head else { return None };
    let way = |task| {
        let engine = engine.of_task(task).ok()?;
        let HeadSpec::Sparse(head) = &engine.spec.head else { return None };
        let pooling = match head.way {
            SparseWay::Splade(pooling) => Some(pooling),
            SparseWay::Weights { .. } => None,
        };
        Some(json!({
            "pooling": pooling.map(|pooling| pooling.strategy.as_str()),
            "activation": pooling.map(|pooling| pooling.activation.as_str()),
            "maxLength": engine.spec.max_length.default,
            "file": engine.file().relative,
        }))
    };
    Some(json!({
        "maxActive": max_active,
        "embed": way(None),
        "embedQuery": way(Some(Task::Query)),
        "embedDocument": way(Some(Task::Document)),
    }))
}

impl Drop for Model {
    fn drop(&mut self) {
        release(self.loaded.get_mut().unwrap_or_else(PoisonError::into_inner).take(), || {});
    }
}

/// Gives a model up. `done` is called when its session is freed, or at once where others hold it.
fn release(loaded: Option<Loaded>, done: impl FnOnce() + Send + 'static) {
    // At once: the next load of an equal model is a new one.
    let Some(Holding { engine, .. }) = loaded.and_then(|loaded| Arc::into_inner(loaded.holding)) else { return done() };
    // Where no thread can be had, the closure is dropped here, and the engine with it.
    let _ = std::thread::Builder::new().name("vecrank-release".into()).spawn(move || {
        drop(engine);
        done();
    });
}
