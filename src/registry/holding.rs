//! A loaded model with the look of its files, so that it is known when they have been replaced.

use std::sync::Arc;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Seen};
use crate::panic::caught;

/// How often a load is begun whose files are replaced while it reads them.
const ATTEMPTS: usize = 3;

/// What the handles on a model share. Calls in flight hold the engine alone: a model is shared as long as it has a handle,
/// and not for the moment longer that its last call takes to end.
#[derive(Debug)]
pub struct Holding {
    /// The model.
    pub engine: Arc<Engine>,
    /// What its files looked like when they were read; of a model from the Hub nothing, as its files never change.
    pub(super) seen: Seen,
}

impl Holding {
    /// Whether the files are still those that were loaded. Asks the system once for each.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.seen.changed().is_none()
    }
}

/// Loads what `folder` opens, and gives with it what the files looked like. The look is taken before a file is read and again
/// when all is loaded: a model of which one half is older than the other is dropped, and so is an error of such a load.
pub(super) fn steadily<T>(
    folder: &dyn Fn() -> Result<ModelFolder>,
    stopped: &dyn Fn() -> bool,
    load: &dyn Fn(&ModelFolder) -> Result<T>,
) -> Result<(T, Seen)> {
    let mut attempt = 1;
    loop {
        let folder = folder()?;
        let result = caught(|| load(&folder));
        let Some(changed) = folder.seen().changed() else {
            return result.map(|loaded| (loaded, folder.seen().clone()));
        };
        if stopped() {
            return Err(Error::Cancelled);
        }
        if attempt == ATTEMPTS {
            return Err(result.err().unwrap_or_else(|| {
                Error::invalid_model(format!(
                    "{} was changed each of the {ATTEMPTS} times that the model was read. Load it when its files are all in place",
                    changed.display()
                ))
            }));
        }
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Loads a folder of two files, which `disturb` may touch after the first of them was read.
    fn load(disturb: &dyn Fn(&Path, usize)) -> (Result<String>, usize) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("vecrank-holding-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&home).expect("a folder");
        for name in ["a.json", "b.json"] {
            std::fs::write(home.join(name), "\"old\"").expect("written");
        }
        let count = Cell::new(0);
        let result = steadily(&|| ModelFolder::open(&home), &|| false, &|folder| {
            count.set(count.get() + 1);
            let a = folder.json("a.json")?;
            disturb(&home, count.get());
            let b = folder.json("b.json")?.ok_or_else(|| Error::FileNotFound("no b.json".into()))?;
            Ok(format!("{} {b}", a.unwrap_or_default()))
        });
        std::fs::remove_dir_all(&home).expect("removed");
        (result.map(|(text, _)| text), count.get())
    }

    fn replace(home: &Path, name: &str) {
        std::fs::write(home.join("new"), "\"new\"").expect("written");
        std::fs::rename(home.join("new"), home.join(name)).expect("renamed");
    }

    #[test]
    fn a_load_whose_files_are_replaced_on_the_way_begins_anew() {
        let (result, count) = load(&|home, attempt| {
            if attempt == 1 {
                replace(home, "a.json");
                replace(home, "b.json");
            }
        });
        assert_eq!((result.expect("loaded").as_str(), count), ("\"new\" \"new\"", 2));
    }

    #[test]
    fn an_error_of_a_half_replaced_folder_is_not_the_last_word() {
        let (result, count) = load(&|home, attempt| {
            if attempt == 1 {
                replace(home, "a.json");
                std::fs::remove_file(home.join("b.json")).expect("removed");
            } else {
                replace(home, "b.json");
            }
        });
        assert_eq!((result.expect("loaded").as_str(), count), ("\"new\" \"new\"", 2));
    }

    #[test]
    fn files_that_never_rest_are_an_error() {
        let (result, count) = load(&|home, _| replace(home, "a.json"));
        assert!(result.expect_err("an error").to_string().contains("a.json"));
        assert_eq!(count, ATTEMPTS);
    }
}
