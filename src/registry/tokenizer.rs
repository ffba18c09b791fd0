//! A model's tokenizer without its network. While somebody has one, others get the same: programs load it with every
//! call, and leave what they had to a collector of garbage that does not see how large it is. One whose files were
//! replaced is given to nobody new.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use once_cell::sync::Lazy;

use super::holding::steadily;
use super::{Origin, Wait};
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Seen, one_name};
use crate::hub::{self, Lends};
use crate::loading::Loading;
use crate::options::Truncation;
use crate::panic::caught;
use crate::reply::Reply;
use crate::spec::{templates_of, tokenizer_of};
use crate::template::Templates;
use crate::tokenizer::Tokenizer;

/// Small files beside the tokenizer's own that those read who use one by itself.
const BESIDE: [&str; 3] = ["special_tokens_map.json", "chat_template.jinja", "generation_config.json"];

/// What a model's files say of its tokenizer.
#[derive(Debug)]
pub struct Known {
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// Which end of a longer text is cut.
    pub truncation: Truncation,
    /// The side that `tokenizer.json` pads on; `None` where it does not say.
    pub pads: Option<String>,
    /// The chat templates.
    pub templates: Templates,
    /// What the files looked like when they were read; of a model from the Hub nothing, as its files never change.
    seen: Seen,
}

/// A loaded tokenizer.
#[derive(Debug)]
pub struct LoadedTokenizer {
    /// The tokenizer, which others may have too.
    pub known: Arc<Known>,
    /// The folder of the model's files.
    pub folder: PathBuf,
    /// The commit of a model from the Hub.
    pub commit: Option<String>,
    /// What the user should read.
    pub warnings: Vec<String>,
}

/// The folder of the files, and of a model from the Hub the hashes that a lock file wants of them.
type Key = (PathBuf, Option<String>);

static KNOWN: Lazy<Mutex<HashMap<Key, Weak<Known>>>> = Lazy::new(Mutex::default);

/// Loads a tokenizer on a thread of its own.
pub fn load_tokenizer(origin: Origin, wait: &Wait, reply: Reply<LoadedTokenizer>) {
    let loading = Arc::new(Loading::default());
    wait.follow(&loading);
    wait.stops(&loading);
    let loader = std::thread::Builder::new().name("vecrank-load".into()).stack_size(8 << 20);
    let loader = loader.spawn(move || reply.send(caught(|| load(&origin, &loading))));
    // The closure has dropped the reply, which answered with an error.
    drop(loader.map_err(|error| Error::runtime("A thread to load the tokenizer could not be started", error)));
}

fn load(origin: &Origin, loading: &Arc<Loading>) -> Result<LoadedTokenizer> {
    match origin {
        Origin::Folder(folder) => {
            let folder = one_name(folder);
            let known = shared((folder.clone(), None), &|| {
                let (read, seen) = steadily(&|| ModelFolder::open(&folder), &|| loading.is_stopped(), &read)?;
                Ok(Known { seen, ..read })
            })?;
            Ok(LoadedTokenizer { known, folder, commit: None, warnings: loading.warnings() })
        }
        Origin::Hub(asked) => {
            let opened = hub::open(&asked.resolve()?, None, |_| Ok(Lends::Nothing), loading)?;
            let folder = opened.folder();
            let key = (folder.root().to_owned(), opened.snapshot.pinned());
            let known = shared(key, &|| read(&folder)).map_err(|error| opened.explain(error))?;
            // Another may have had them without these.
            folder.prefetch(&BESIDE)?;
            opened.settle(loading);
            let commit = Some(opened.snapshot.commit.to_string());
            Ok(LoadedTokenizer { known, folder: folder.root().to_owned(), commit, warnings: loading.warnings() })
        }
    }
}

/// The one that somebody has, or a new one. Two that are loaded at the same time may both be new.
fn shared(key: Key, load: &dyn Fn() -> Result<Known>) -> Result<Arc<Known>> {
    let there = lock().get(&key).and_then(Weak::upgrade);
    // The system is asked for the files while nothing is locked.
    if let Some(known) = there.filter(|known| known.seen.changed().is_none()) {
        return Ok(known);
    }
    let known = Arc::new(load()?);
    let mut all = lock();
    all.retain(|_, other| other.strong_count() > 0);
    all.insert(key, Arc::downgrade(&known));
    Ok(known)
}

fn lock() -> std::sync::MutexGuard<'static, HashMap<Key, Weak<Known>>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(folder: &ModelFolder) -> Result<Known> {
    let spec = tokenizer_of(folder)?;
    folder.prefetch(&BESIDE)?;
    let baked = folder.json("tokenizer.json")?;
    let side = baked.as_ref().and_then(|json| json.pointer("/padding/direction")).and_then(serde_json::Value::as_str);
    Ok(Known {
        tokenizer: Tokenizer::load(&spec)?,
        templates: templates_of(folder, &spec)?,
        truncation: spec.truncation,
        pads: side.map(str::to_lowercase),
        seen: folder.seen().clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn loaded(folder: &Path) -> Arc<Known> {
        load(&Origin::Folder(folder.to_owned()), &Arc::default()).expect("a tokenizer").known
    }

    fn copied(name: &str) -> PathBuf {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/zoo/bert-mean");
        let folder = std::env::temp_dir().join(format!("vecrank-tokenizer-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        for file in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
            std::fs::copy(source.join(file), folder.join(file)).expect("copied");
        }
        folder
    }

    #[test]
    fn one_for_all_who_have_it_at_the_same_time_and_none_after_the_last() {
        let folder = copied("shared");
        let first = loaded(&folder);
        assert!(Arc::ptr_eq(&first, &loaded(&folder)));
        let weak = Arc::downgrade(&first);
        drop(first);
        assert!(weak.upgrade().is_none());
        std::fs::remove_dir_all(&folder).expect("removed");
    }

    #[test]
    fn one_whose_files_were_replaced_is_read_anew() {
        let folder = copied("replaced");
        let first = loaded(&folder);
        std::fs::copy(folder.join("tokenizer.json"), folder.join("new")).expect("copied");
        std::fs::rename(folder.join("new"), folder.join("tokenizer.json")).expect("renamed");
        assert!(!Arc::ptr_eq(&first, &loaded(&folder)));
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
