//! The classes that `index.js` holds: a loaded model, a ticket to cancel with, and a call that needs longer texts.

use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::{Env, Object, Uint8Array, Uint32Array};
use napi_derive::napi;
use serde_json::json;

use super::options::{EmbedRequest, LoadOptions, RowsOf, ScoreRequest, parts};
use super::outcome::{
    CountOutcome, Download, EmbedOutcome, EmbedReply, LoadOutcome, ScoreOutcome, ScoreReply, count, promise,
};
use crate::embedder::{self, EmbeddingHead};
use crate::engine::{self, Answer, Engine};
use crate::error::{Error, Result};
use crate::network::{OutputKind, graph::runtime_version};
use crate::options::Product;
use crate::registry::{self, Holding, Loaded, Wait};
use crate::reranker::{self, ScoreHead};
use crate::spec::{EngineKind, HeadSpec};

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
    inner: Arc<Wait>,
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
    inner: engine::Ticket,
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

    fn engine(&self) -> Result<Arc<Engine>> {
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
            HeadSpec::Score(_) => (json!(null), json!(null)),
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
            "kind": match engine.options.product { Product::Embedder => "embedder", Product::Reranker => "reranker" },
            "dimensions": match engine.options.product {
                Product::Embedder => embedder::dimensions(engine).ok(),
                Product::Reranker => None,
            },
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

    /// Embeds texts.
    #[napi(catch_unwind, ts_return_type = "Promise<EmbedOutcome>")]
    pub fn embed<'env>(&self, env: &'env Env, request: EmbedRequest, ticket: &Ticket) -> napi::Result<Object<'env>> {
        let (reply, promise) = promise(env, embed_outcome)?;
        match self.engine().and_then(|engine| Ok((engine, request.resolve()?))) {
            Ok((engine, (texts, options, rows))) => {
                embedder::embed(&engine, texts, options, ticket.inner.clone(), rows, reply);
            }
            Err(error) => reply.send(Err(error)),
        }
        Ok(promise)
    }

    /// Scores pairs.
    #[napi(catch_unwind, ts_return_type = "Promise<ScoreOutcome>")]
    pub fn score<'env>(&self, env: &'env Env, request: ScoreRequest, ticket: &Ticket) -> napi::Result<Object<'env>> {
        let (reply, promise) = promise(env, score_outcome)?;
        match self.engine().and_then(|engine| Ok((engine, request.resolve()?))) {
            Ok((engine, (queries, documents, options, rows))) => {
                reranker::score(&engine, queries, documents, &options, ticket.inner.clone(), rows, reply);
            }
            Err(error) => reply.send(Err(error)),
        }
        Ok(promise)
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

fn embed_outcome(answer: Result<Answer<EmbeddingHead>>) -> EmbedOutcome {
    EmbedOutcome::from(answer.map(|answer| match answer {
        Answer::Done(embeddings) => EmbedReply::from(embeddings),
        Answer::Short(short) => EmbedReply::from(Short { call: Mutex::new(Some(ShortCall::Embed(short))) }),
    }))
}

fn score_outcome(answer: Result<Answer<ScoreHead>>) -> ScoreOutcome {
    ScoreOutcome::from(answer.map(|answer| match answer {
        Answer::Done(scores) => ScoreReply::from(scores),
        Answer::Short(short) => ScoreReply::from(Short { call: Mutex::new(Some(ShortCall::Score(short))) }),
    }))
}

/// A call that needs more of some texts. Nothing has run.
#[napi]
pub struct Short {
    call: Mutex<Option<ShortCall>>,
}

enum ShortCall {
    Embed(Box<engine::Short<EmbeddingHead>>),
    Score(Box<engine::Short<ScoreHead>>),
}

fn indices(rows: &[usize]) -> Uint32Array {
    Uint32Array::new(rows.iter().map(|row| count(*row)).collect())
}

fn resumed_twice() -> Error {
    Error::InvalidArgument("Expected a call that waits for longer texts, but it was gone on with already".into())
}

#[napi]
impl Short {
    fn take(&self) -> Option<ShortCall> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Indices of the texts, or documents, that were too short.
    #[napi(getter, catch_unwind)]
    pub fn texts(&self) -> Uint32Array {
        match &*self.call.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(ShortCall::Embed(short)) => indices(short.texts()),
            Some(ShortCall::Score(short)) => indices(short.texts()),
            None => indices(&[]),
        }
    }

    /// Indices of the queries that were too short.
    #[napi(getter, catch_unwind)]
    pub fn queries(&self) -> Uint32Array {
        match &*self.call.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(ShortCall::Score(short)) => indices(short.queries()),
            _ => indices(&[]),
        }
    }

    /// Goes on with what follows the parts that were passed before, in the order of `texts`.
    #[napi(catch_unwind, ts_return_type = "Promise<EmbedOutcome>")]
    pub fn resume_embed<'env>(
        &self,
        env: &'env Env,
        texts: Vec<String>,
        cut: Uint8Array,
    ) -> napi::Result<Object<'env>> {
        let (reply, promise) = promise(env, embed_outcome)?;
        match self.take() {
            Some(ShortCall::Embed(short)) => short.resume(parts(texts, &cut), Vec::new(), reply),
            _ => reply.send(Err(resumed_twice())),
        }
        Ok(promise)
    }

    /// Likewise, in the order of `queries` and `texts`.
    #[napi(catch_unwind, ts_return_type = "Promise<ScoreOutcome>")]
    pub fn resume_score<'env>(
        &self,
        env: &'env Env,
        queries: Vec<String>,
        queries_cut: Uint8Array,
        documents: Vec<String>,
        documents_cut: Uint8Array,
    ) -> napi::Result<Object<'env>> {
        let (reply, promise) = promise(env, score_outcome)?;
        match self.take() {
            Some(ShortCall::Score(short)) => {
                short.resume(parts(documents, &documents_cut), parts(queries, &queries_cut), reply);
            }
            _ => reply.send(Err(resumed_twice())),
        }
        Ok(promise)
    }
}
