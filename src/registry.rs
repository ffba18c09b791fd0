//! One loaded model for equal options, in the whole process: across instances, copies of the JavaScript wrapper and
//! worker threads.
//!
//! A load that is under way is shared by all who ask for it; a failed load is forgotten; a model goes when its last
//! holder does.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use once_cell::sync::Lazy;

use crate::engine::Engine;
use crate::error::{Error, Result, panic_message};
use crate::options::LoadOptions;
use crate::reply::Reply;

static MODELS: Lazy<Mutex<HashMap<LoadOptions, Slot>>> = Lazy::new(Mutex::default);

enum Slot {
    Loading(Vec<Reply<Arc<Engine>>>),
    Loaded(Weak<Engine>),
}

fn models() -> MutexGuard<'static, HashMap<LoadOptions, Slot>> {
    MODELS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the model that is loaded with these options, or loads it on a thread of its own.
pub fn get_or_load(mut options: LoadOptions, reply: Reply<Arc<Engine>>) {
    // Two names of one folder are one model.
    if let Ok(path) = std::fs::canonicalize(&options.path) {
        options.path = path;
    }
    let mut models = models();
    models.retain(|_, slot| !matches!(slot, Slot::Loaded(model) if model.strong_count() == 0));
    match models.get_mut(&options) {
        Some(Slot::Loading(waiting)) => return waiting.push(reply),
        Some(Slot::Loaded(model)) => {
            if let Some(model) = model.upgrade() {
                drop(models);
                return reply.send(Ok(model));
            }
        }
        None => {}
    }
    models.insert(options.clone(), Slot::Loading(vec![reply]));
    drop(models);

    let key = options.clone();
    let loader = std::thread::Builder::new().name("vecrank-load".into()).stack_size(8 << 20).spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(|| Engine::load(options.clone())))
            .unwrap_or_else(|panic| Err(Error::Internal(panic_message(panic.as_ref()))));
        settle(&options, result.map(Arc::new));
    });
    if let Err(error) = loader {
        settle(&key, Err(Error::runtime("A thread to load the model could not be started", error)));
    }
}

fn settle(options: &LoadOptions, result: Result<Arc<Engine>>) {
    let mut models = models();
    let slot = match &result {
        Ok(model) => models.insert(options.clone(), Slot::Loaded(Arc::downgrade(model))),
        Err(_) => models.remove(options),
    };
    drop(models);
    let Some(Slot::Loading(waiting)) = slot else { return };
    match result {
        Ok(model) => waiting.into_iter().for_each(|reply| reply.send(Ok(model.clone()))),
        Err(error) => {
            let shared = Arc::new(error);
            waiting.into_iter().for_each(|reply| reply.send(Err(Error::Shared(shared.clone()))));
        }
    }
}
