//! Panics that become errors: they never end the user's process.
//!
//! One of ours is a bug and reported as such. One of a crate that reads what somebody crafted says that the file is damaged;
//! Rust's own report of it on stderr ("thread 'vecrank-0' panicked at …") would only alarm, so it is not made.

#![allow(
    clippy::missing_const_for_thread_local,
    reason = "the initialiser is const; on Windows' GNU target clippy 1.96 does not see it through the macro"
)]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::error::{Error, Result, panic_message};

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// The result of `work`, or the words of its panic.
///
/// # Errors
/// The panic's message.
pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    // The hook is this library's own copy of the standard library's: other addons of the process keep theirs.
    HOOK.call_once(|| {
        let report = take_hook();
        set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                report(info);
            }
        }));
    });
    let before = IS_QUIET.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    IS_QUIET.set(before);
    outcome.map_err(|payload| panic_message(payload.as_ref()))
}

/// The result of `work`; a panic is [`Error::Internal`].
///
/// # Errors
/// Those of `work`.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(Error::Internal(panic_message(panic.as_ref()))))
}
