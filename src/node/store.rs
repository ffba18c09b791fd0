//! The Hub's cache: pulling models ahead, and looking after what is there. What the command line calls.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::{Env, Object};
use napi_derive::napi;
use serde_json::{Value, json};

use super::options::{HubModel, HubSettings};
use super::outcome::{Download, JsonOutcome, promise};
use crate::error::{Error, Result};
use crate::hub::store::{self, Cached, Unsound};
use crate::hub::{self, LockFile, ModelId, Settings};
use crate::loading::Loading;
use crate::options::{LoadOptions, Product};
use crate::pull::{Pulled, pull};
use crate::registry::OnHub;

/// The environment variables that [`HubSettings`] may hold, in upper case.
#[napi(catch_unwind)]
pub fn hub_variables() -> Vec<String> {
    hub::VARIABLES.iter().map(|name| (*name).to_owned()).collect()
}

/// Work on the cache that can be watched and stopped.
#[napi]
#[derive(Default)]
pub struct StoreJob {
    loading: Arc<Loading>,
}

/// What to pull.
#[napi(object, object_to_js = false)]
pub struct PullRequest {
    pub model: HubModel,
    /// Absent: what the model's files say it is.
    #[napi(ts_type = "'embedder' | 'reranker'")]
    pub kind: Option<String>,
    pub dtype: Option<String>,
    pub file: Option<String>,
    /// A lock file to pin the model in, absolute.
    pub write_lock: Option<String>,
}

#[napi]
impl StoreJob {
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        StoreJob::default()
    }

    /// Ends the work with an error.
    #[napi(catch_unwind)]
    pub fn stop(&self) {
        self.loading.stop();
    }

    /// The downloads as they stand.
    #[napi(catch_unwind)]
    pub fn downloads(&self) -> Vec<Download> {
        self.loading.files().into_iter().map(Download::from).collect()
    }

    /// Downloads and verifies a model's files: `{kind, parts: [{model, revision, commit, path, files}], warnings}`.
    #[napi(catch_unwind, ts_return_type = "Promise<JsonOutcome>")]
    pub fn pull<'env>(&self, env: &'env Env, request: PullRequest) -> napi::Result<Object<'env>> {
        let loading = self.loading.clone();
        on_thread(env, move || {
            let product: Option<Product> = request.kind.as_deref().map(str::parse).transpose()?;
            let dtype = request.dtype.as_deref().map(str::parse).transpose()?;
            let mut options = LoadOptions::new(Product::Embedder, PathBuf::new());
            options.dtype = dtype.unwrap_or(options.dtype);
            options.file = request.file;
            let model = OnHub::try_from(request.model)?.resolve()?;
            let pulled = pull(&model, product, options, request.write_lock.map(PathBuf::from), &loading)?;
            Ok(described(&pulled, &loading))
        })
    }

    /// The models in the cache: `{folder, models: [{model, path, size, revisions: [{revision, commit}], commits}]}`.
    #[napi(catch_unwind, ts_return_type = "Promise<JsonOutcome>")]
    pub fn list<'env>(&self, env: &'env Env, settings: HubSettings) -> napi::Result<Object<'env>> {
        on_thread(env, move || {
            let settings = Settings::resolve(&settings.try_into()?)?;
            let models: Vec<Value> = store::list(&settings)?.iter().map(model).collect();
            Ok(json!({ "folder": settings.cache, "models": models }))
        })
    }

    /// Hashes every file of the cache, or of one model: `{sound, damaged: [{model, path, reason}]}`.
    #[napi(catch_unwind, ts_return_type = "Promise<JsonOutcome>")]
    pub fn verify<'env>(
        &self,
        env: &'env Env,
        settings: HubSettings,
        id: Option<String>,
    ) -> napi::Result<Object<'env>> {
        let loading = self.loading.clone();
        on_thread(env, move || {
            let settings = Settings::resolve(&settings.try_into()?)?;
            let id = id.map(|id| ModelId::parse(&id)).transpose()?;
            let (sound, damaged) = store::verify(&settings, id.as_ref(), &loading)?;
            let damaged: Vec<Value> = damaged
                .iter()
                .map(|Unsound { id, path, reason }| json!({ "model": id.as_str(), "path": path, "reason": reason }))
                .collect();
            Ok(json!({ "sound": sound, "damaged": damaged }))
        })
    }

    /// Takes a model out of the cache: `{size}`, the bytes that became free.
    #[napi(catch_unwind, ts_return_type = "Promise<JsonOutcome>")]
    pub fn remove<'env>(&self, env: &'env Env, settings: HubSettings, id: String) -> napi::Result<Object<'env>> {
        on_thread(env, move || {
            let settings = Settings::resolve(&settings.try_into()?)?;
            Ok(json!({ "size": store::remove(&settings, &ModelId::parse(&id)?)? }))
        })
    }

    /// The models of a lock file: `[{model, revision, commit, dtypes}]`.
    #[napi(catch_unwind, ts_return_type = "Promise<JsonOutcome>")]
    pub fn locked<'env>(&self, env: &'env Env, path: String) -> napi::Result<Object<'env>> {
        on_thread(env, move || {
            let path = PathBuf::from(path);
            let file = LockFile::read(&path)?
                .ok_or_else(|| Error::FileNotFound(format!("There is no lock file {}", path.display())))?;
            let models = file.models().map(|(model, revision, pins)| {
                json!({ "model": model, "revision": revision, "commit": pins.commit, "dtypes": pins.dtypes,
                        "files": pins.files.keys().collect::<Vec<_>>() })
            });
            Ok(models.collect())
        })
    }
}

fn described(pulled: &Pulled, loading: &Loading) -> Value {
    let parts: Vec<Value> = pulled
        .parts
        .iter()
        .map(|part| {
            json!({ "model": part.model, "revision": part.revision, "commit": part.commit, "path": part.folder,
                    "files": part.files })
        })
        .collect();
    json!({ "kind": pulled.product.as_str(), "parts": parts, "warnings": loading.warnings() })
}

fn model(cached: &Cached) -> Value {
    let revisions: Vec<Value> =
        cached.revisions.iter().map(|(revision, commit)| json!({ "revision": revision, "commit": commit })).collect();
    json!({ "model": cached.id.as_str(), "path": cached.folder, "size": cached.size, "revisions": revisions,
            "commits": cached.commits })
}

/// Does work on a thread of its own, and answers with JSON.
pub(super) fn on_thread<'env>(
    env: &'env Env,
    work: impl FnOnce() -> Result<Value> + Send + 'static,
) -> napi::Result<Object<'env>> {
    let (reply, promise) =
        promise(env, |result: Result<Value>| JsonOutcome::from(result.map(|value| value.to_string())))?;
    // Kept outside of the thread until it runs, so that one that cannot be started still answers.
    let reply = Arc::new(Mutex::new(Some(reply)));
    let for_thread = reply.clone();
    let take = |reply: &Mutex<Option<_>>| reply.lock().unwrap_or_else(PoisonError::into_inner).take();
    let thread = std::thread::Builder::new().name("vecrank-work".into()).stack_size(8 << 20).spawn(move || {
        // A panic drops the reply, which then answers with an error.
        if let Some(reply) = take(&for_thread) {
            reply.send(work());
        }
    });
    if let Err(error) = thread
        && let Some(reply) = take(&reply)
    {
        reply.send(Err(Error::runtime("A thread could not be started", error)));
    }
    Ok(promise)
}
