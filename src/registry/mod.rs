//! One loaded model for equal options, in the whole process: across instances, copies of the JavaScript wrapper and
//! worker threads.
//!
//! Two maps of one kind. What was asked for (a folder, or a model of the Hub with its settings) is found out once for all
//! who ask at the same time; the model itself goes by the folder that was found, so that two ways to one commit share a
//! session. A failed load is forgotten; a load that nobody waits for any more is stopped; a model goes when its last
//! holder does. A model whose files were replaced is shared with nobody new.

mod holding;
mod tokenizer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use once_cell::sync::Lazy;

pub use holding::Holding;
pub use tokenizer::{LoadedTokenizer, load_tokenizer};

use self::holding::steadily;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::files::{ModelFolder, one_name};
use crate::hub::{self, Given, Lends, ModelId, Revision, Settings};
use crate::loading::{FileProgress, Loading};
use crate::options::{LoadOptions, Product};
use crate::panic::caught;
use crate::reply::Reply;

/// Where a model is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A folder, absolute.
    Folder(PathBuf),
    /// The Hub.
    Hub(Box<OnHub>),
}

/// A model on the Hub as the user named it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OnHub {
    /// The repository.
    pub id: ModelId,
    /// A branch, a tag or a commit.
    pub revision: Revision,
    /// The user's settings, before defaults.
    pub given: Given,
    /// Ask for the newest commit of a branch that is cached.
    pub refresh: bool,
    /// A lock file.
    pub lock: Option<PathBuf>,
}

impl OnHub {
    /// The request with every default filled in.
    ///
    /// # Errors
    /// Those of [`Settings::resolve`].
    pub fn resolve(&self) -> Result<hub::Request> {
        Ok(hub::Request {
            id: self.id.clone(),
            revision: self.revision.clone(),
            settings: Settings::resolve(&self.given)?,
            refresh: self.refresh,
            lock: self.lock.clone(),
            borrower: None,
        })
    }
}

/// A loaded model and how it was come by.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The model.
    pub holding: Arc<Holding>,
    /// Of a model from the Hub.
    pub hub: Option<Provenance>,
    /// Of a folder, its name as it was asked for.
    pub folder: Option<PathBuf>,
}

impl Loaded {
    /// Whether a new load would give this model: its folder's name stands for the same folder, with the same files.
    #[must_use]
    pub fn is_current(&self) -> bool {
        is_current(&self.holding, self.folder.as_deref())
    }
}

fn is_current(holding: &Holding, folder: Option<&Path>) -> bool {
    folder.is_none_or(|folder| one_name(folder) == holding.engine.options.path) && holding.is_current()
}

/// Which files of the Hub a model consists of.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// The model's commit.
    pub commit: String,
    /// Whether a lock file decided.
    pub locked: bool,
    /// The repository, and its commit, that lends small files.
    pub base: Option<(String, String)>,
    /// What the user should read.
    pub warnings: Vec<String>,
}

/// One caller's wait for a load.
#[derive(Debug, Default)]
pub struct Wait {
    loading: Mutex<Option<Arc<Loading>>>,
    /// Whether that load is for this caller alone.
    alone: AtomicBool,
    over: AtomicBool,
}

impl Wait {
    /// The caller does not wait any more. A load that was for it alone is stopped.
    pub fn give_up(&self) {
        self.over.store(true, Ordering::Release);
        if self.alone.load(Ordering::Acquire)
            && let Some(loading) = &*self.loading.lock().unwrap_or_else(PoisonError::into_inner)
        {
            loading.stop();
        }
        let mut models = models();
        let dead = |slot: &Slot| matches!(slot, Slot::Loading(flight) if flight.is_unwanted());
        let keys: Vec<Key> = models.iter().filter(|(_, slot)| dead(slot)).map(|(key, _)| key.clone()).collect();
        let flights: Vec<Slot> = keys.iter().filter_map(|key| models.remove(key)).collect();
        drop(models);
        for slot in flights {
            let Slot::Loading(flight) = slot else { continue };
            flight.loading.stop();
            flight.waiting.into_iter().for_each(|waiter| waiter.reply.send(Err(Error::Cancelled)));
        }
    }

    /// The downloads of the load that is waited for.
    #[must_use]
    pub fn downloads(&self) -> Vec<FileProgress> {
        let loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        loading.as_ref().map(|loading| loading.files()).unwrap_or_default()
    }

    /// The load is for this caller alone, and ends with its wait.
    fn stops(&self, loading: &Loading) {
        self.alone.store(true, Ordering::Release);
        // Given up before it began.
        if self.over.load(Ordering::Acquire) {
            loading.stop();
        }
    }

    fn follow(&self, loading: &Arc<Loading>) {
        *self.loading.lock().unwrap_or_else(PoisonError::into_inner) = Some(loading.clone());
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Asked(Origin, LoadOptions),
    Model(LoadOptions),
}

enum Slot {
    Loading(Flight),
    Loaded(Weak<Holding>),
}

struct Flight {
    loading: Arc<Loading>,
    /// Somebody beside those who wait needs it: the thread that loads for its own callers.
    held: bool,
    waiting: Vec<Waiter>,
}

struct Waiter {
    reply: Reply<Loaded>,
    wait: Arc<Wait>,
}

impl Flight {
    fn is_unwanted(&self) -> bool {
        !self.held && self.waiting.iter().all(|waiter| waiter.wait.over.load(Ordering::Acquire))
    }
}

static MODELS: Lazy<Mutex<HashMap<Key, Slot>>> = Lazy::new(Mutex::default);

fn models() -> MutexGuard<'static, HashMap<Key, Slot>> {
    MODELS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the model that is loaded with these options, or loads it on a thread of its own. `options.path` and `base` are
/// filled in here.
pub fn get_or_load(origin: Origin, mut options: LoadOptions, wait: Arc<Wait>, reply: Reply<Loaded>) {
    if let Origin::Folder(path) = &origin {
        options.path = one_name(path);
        if let Some(holding) = loaded(&Key::Model(options.clone())) {
            return reply.send(Ok(Loaded { holding, hub: None, folder: Some(path.clone()) }));
        }
    }
    let key = Key::Asked(origin.clone(), options.clone());
    let mut models = models();
    models.retain(|_, slot| !matches!(slot, Slot::Loaded(model) if model.strong_count() == 0));
    if let Some(Slot::Loading(flight)) = models.get_mut(&key) {
        wait.follow(&flight.loading);
        return flight.waiting.push(Waiter { reply, wait });
    }
    let loading = Arc::new(Loading::default());
    wait.follow(&loading);
    let flight = Flight { loading: loading.clone(), held: false, waiting: vec![Waiter { reply, wait }] };
    models.insert(key.clone(), Slot::Loading(flight));
    drop(models);

    let (thread_key, thread_loading) = (key.clone(), loading.clone());
    let loader = std::thread::Builder::new().name("vecrank-load".into()).stack_size(8 << 20).spawn(move || {
        let result = caught(|| load(&origin, options, &thread_loading));
        settle(&thread_key, &thread_loading, result, None);
    });
    if let Err(error) = loader {
        settle(&key, &loading, Err(Error::runtime("A thread to load the model could not be started", error)), None);
    }
}

/// The model that is loaded, unless its files were replaced. The system is asked for them while nothing is locked.
fn loaded(key: &Key) -> Option<Arc<Holding>> {
    let holding = match models().get(key) {
        Some(Slot::Loaded(model)) => model.upgrade()?,
        _ => return None,
    };
    if holding.is_current() {
        return Some(holding);
    }
    let mut models = models();
    if matches!(models.get(key), Some(Slot::Loaded(model)) if std::ptr::eq(model.as_ptr(), Arc::as_ptr(&holding))) {
        models.remove(key);
    }
    None
}

fn load(origin: &Origin, mut options: LoadOptions, loading: &Arc<Loading>) -> Result<Loaded> {
    let asked = match origin {
        Origin::Folder(folder) => {
            let path = options.path.clone();
            let holding = shared(options, &|| ModelFolder::open(&path), loading)?;
            return Ok(Loaded { holding, hub: None, folder: Some(folder.clone()) });
        }
        Origin::Hub(asked) => asked,
    };
    let dtype = options.file.is_none().then(|| options.dtype.as_str());
    let lends = match options.product {
        Product::Embedder => Lends::Open(options.undecided()),
        _ => Lends::Nothing,
    };
    let opened = hub::open(&asked.resolve()?, dtype, |_| Ok(lends), loading)?;
    options.path = opened.snapshot.folder();
    options.base = opened.base.as_ref().map(|base| base.folder());
    let pinned = opened.snapshots().filter_map(|snapshot| snapshot.pinned());
    options.pinned = pinned.reduce(|all, next| all + &next);
    let holding = shared(options, &|| Ok(opened.folder()), loading).map_err(|error| opened.explain(error))?;
    opened.settle(loading);
    let provenance = Provenance {
        commit: opened.snapshot.commit.to_string(),
        locked: opened.snapshot.is_locked(),
        base: opened.base.as_ref().map(|base| (base.request.id.to_string(), base.commit.to_string())),
        warnings: loading.warnings(),
    };
    Ok(Loaded { holding, hub: Some(provenance), folder: None })
}

/// The model of a folder that is known: the one that is loaded or being loaded, or a new one.
fn shared(
    options: LoadOptions,
    folder: &dyn Fn() -> Result<ModelFolder>,
    loading: &Arc<Loading>,
) -> Result<Arc<Holding>> {
    let key = Key::Model(options.clone());
    loop {
        if let Some(holding) = loaded(&key) {
            return Ok(holding);
        }
        let mut models = models();
        let other = match models.get_mut(&key) {
            // Loaded since the look above: looked at again.
            Some(Slot::Loaded(model)) if model.strong_count() > 0 => continue,
            Some(Slot::Loading(flight)) => {
                let (reply, answer) = std::sync::mpsc::channel();
                let reply = Reply::new(move |result| drop(reply.send(result)));
                flight.waiting.push(Waiter { reply, wait: Arc::default() });
                Some(answer)
            }
            _ => None,
        };
        let Some(answer) = other else {
            let flight = Flight { loading: loading.clone(), held: true, waiting: Vec::new() };
            models.insert(key.clone(), Slot::Loading(flight));
            drop(models);
            let load = |folder: &ModelFolder| Engine::load_from(folder, options.clone());
            let result = steadily(folder, &|| loading.is_stopped(), &load);
            let result = result.map(|(engine, seen)| Arc::new(Holding { engine: Arc::new(engine), seen }));
            return share(&key, loading, result);
        };
        drop(models);
        loop {
            match answer.recv_timeout(Duration::from_millis(20)) {
                Ok(Ok(loaded)) => return Ok(loaded.holding),
                // It was stopped because nobody waited for it; here somebody does.
                Ok(Err(error)) if error.is_cancelled() && !loading.is_stopped() => break,
                Ok(Err(error)) => return Err(error),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(_) if loading.is_stopped() => return Err(Error::Cancelled),
                Err(_) => {}
            }
        }
    }
}

/// Keeps a model for later callers, and answers those who wait for it.
fn share(key: &Key, loading: &Arc<Loading>, result: Result<Arc<Holding>>) -> Result<Arc<Holding>> {
    let (answer, kept) = match result {
        Ok(holding) => (Ok(Loaded { holding: holding.clone(), hub: None, folder: None }), Ok(holding)),
        Err(error) => {
            let error = Arc::new(error);
            (Err(Error::Shared(error.clone())), Err(Error::Shared(error)))
        }
    };
    let slot = kept.as_ref().ok().map(|holding| Slot::Loaded(Arc::downgrade(holding)));
    settle(key, loading, answer, slot);
    kept
}

/// Ends a flight, unless it was stopped and another has taken its place.
fn settle(key: &Key, loading: &Arc<Loading>, result: Result<Loaded>, after: Option<Slot>) {
    let mut models = models();
    let is_ours = matches!(models.get(key), Some(Slot::Loading(flight)) if Arc::ptr_eq(&flight.loading, loading));
    if !is_ours {
        return;
    }
    let slot = models.remove(key);
    if let Some(after) = after {
        models.insert(key.clone(), after);
    }
    drop(models);
    let Some(Slot::Loading(flight)) = slot else { return };
    match result {
        Ok(mut loaded) => {
            let mut waiting = flight.waiting;
            let last = waiting.pop();
            for waiter in waiting {
                waiter.reply.send(Ok(loaded.clone()));
                // Said once, however many wait.
                loaded.hub.iter_mut().for_each(|hub| hub.warnings.clear());
            }
            // Nothing is held here once the last one has it: who gives it back at once finds it gone.
            if let Some(waiter) = last {
                waiter.reply.send(Ok(loaded));
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            flight.waiting.into_iter().for_each(|waiter| waiter.reply.send(Err(Error::Shared(error.clone()))));
        }
    }
}
