//! The base of a conversion: the repository that its card names and that lends it the small files which say how to pool.
//!
//! A base need not be had. What is not known is never passed over: it is an error, or a warning that says what was left open.

use std::sync::Arc;

use super::Request;
use super::card::{self, Base};
use super::name::{ModelId, Revision};
use super::pins::{LockFile, Pins};
use super::presence::Presence;
use super::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::files::Source;

/// What a base is wanted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lends {
    /// Nothing that it may lend is read.
    Nothing,
    /// Its files must be here in the end.
    Needed,
    /// A load that can do without it, with a warning. Holds the options that would decide what it may say and are not given.
    Open(Vec<&'static str>),
}

/// The commit of the base, where there is one that says how to pool.
pub(super) fn find(model: &Snapshot, lock: Option<&LockFile>, lends: &Lends) -> Result<Option<Arc<Snapshot>>> {
    if *lends == Lends::Nothing {
        return Ok(None);
    }
    let id = match (card::base(model)?, lends) {
        (Base::None, _) => return Ok(None),
        (Base::Named(id), _) => id,
        (Base::Hidden(id), _) => {
            warn_of_hidden(model, &id, lends, None);
            return Ok(None);
        }
        (Base::Unread, Lends::Open(_)) => {
            warn_of_absent(model, "its card (README.md), which may name a base,", lends);
            return Ok(None);
        }
        // Says that the card is missing.
        (Base::Unread, _) => return model.locate("README.md").map(|_| None),
    };
    let Request { id: borrower, revision, .. } = &model.request;
    let request = Request {
        id,
        revision: Revision::parse("main")?,
        borrower: Some((borrower.clone(), revision.clone())),
        ..model.request.clone()
    };
    let pins = lock.and_then(|lock| lock.pins(&request.id, &request.revision).cloned());
    match (lock, pins) {
        // A lock file that was made when the base lent nothing pins no base.
        (Some(_), None) => Ok(None),
        // One that pins it decides.
        (_, Some(pins)) => open(model, &request, Some(pins)),
        (None, None) => match open(model, &request, None) {
            Err(error @ (Error::ModelNotFound(_) | Error::Unauthorized(_))) => {
                warn_of_hidden(model, &request.id, lends, Some(&error));
                card::note_useless(model, Some(&request.id));
                Ok(None)
            }
            Err(Error::Offline(_)) if is_unknown(model, &request) && matches!(lends, Lends::Open(_)) => {
                warn_of_absent(model, &format!("{}, which its card names as its base,", request.id), lends);
                Ok(None)
            }
            Err(Error::Download { message, source }) => Err(Error::Download {
                message: format!(
                    "{borrower} lacks the files that say how to pool, and those of {}, which its card names as its base, could \
                     not be had. {message}",
                    request.id
                ),
                source,
            }),
            found => found,
        },
    }
}

/// Opens the base and reads the first of its files: a repository whose files are closed may show its list to everybody.
fn open(model: &Snapshot, request: &Request, pins: Option<Pins>) -> Result<Option<Arc<Snapshot>>> {
    let base = Snapshot::open(request.clone(), pins, model.network.clone(), model.loading.clone())?;
    if base.locate("modules.json")?.is_some() {
        card::note_useful(model);
        return Ok(Some(Arc::new(base)));
    }
    if matches!(base.presence("modules.json"), Presence::Unknown) {
        return Err(super::snapshot::nothing_cached(request));
    }
    card::note_useless(model, None);
    Ok(None)
}

/// Whether the cache does not even tell if the base says how to pool.
fn is_unknown(model: &Snapshot, request: &Request) -> bool {
    let base = Snapshot::open(request.clone(), None, model.network.clone(), model.loading.clone());
    !base.is_ok_and(|base| !matches!(base.presence("modules.json"), Presence::Unknown))
}

fn warn_of_absent(model: &Snapshot, what: &str, lends: &Lends) {
    model.loading.warn(format!(
        "{} was loaded without {what} as that is not in the cache {} and the network may not be used. {} Run `{}` where there is \
         a network",
        model.request.id,
        model.request.settings.cache.display(),
        left_open(lends),
        model.request.command()
    ));
}

fn warn_of_hidden(model: &Snapshot, base: &ModelId, lends: &Lends, error: Option<&Error>) {
    let why = error.map(|error| format!(" {error}")).unwrap_or_default();
    model.loading.warn(format!(
        "{} was loaded without {base}, which its card names as its base, as the files of that cannot be read. {} Once they can be, \
         load the model with `refresh`, or run `{}`.{why}",
        model.request.id,
        left_open(lends),
        model.request.command()
    ));
}

/// What a base might have said.
fn left_open(lends: &Lends) -> String {
    let Lends::Open(options) = lends else { return "It is not known how to pool.".to_owned() };
    let Some((last, before)) = options.split_last() else {
        // No option says that.
        return "The options decide all but whether further layers follow pooling, which would give other vectors."
            .to_owned();
    };
    let list = if before.is_empty() { (*last).to_owned() } else { format!("{} and {last}", before.join(", ")) };
    format!(
        "What it may say of {list}, and of layers behind pooling, is not known, which may give other vectors: set {} to what its \
         card says.",
        if before.is_empty() { "that option" } else { "those options" }
    )
}
