//! ONNX Runtime itself: one library, opened once from an absolute path, and one environment for the process's life.
//!
//! A second environment cannot be made, not even after the first one is gone; so it is never dropped. The library is
//! checked against its pinned digest before it is opened, because opening it runs its code.

use std::ffi::CStr;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use once_cell::sync::OnceCell;
use ort::environment::Environment;
use ort::logging::LogLevel;

use super::driver;
use super::runtime::{self, Runtime, Surroundings};
use crate::digest;
use crate::error::{Error, Result, Source, shown};

/// Versions and digests of the libraries that we ship; `scripts/onnxruntime.mjs` fetches by the same file.
const PINS: &str = include_str!("../../../scripts/onnxruntime.json");

static RUNTIME: OnceCell<(Runtime, Vec<String>)> = OnceCell::new();
static ENVIRONMENT: OnceCell<Environment> = OnceCell::new();
/// What the opened library says of itself.
static VERSION: OnceCell<String> = OnceCell::new();
/// Held while the environment is made, so that it is tried by one thread at a time.
static MAKING: Mutex<()> = Mutex::new(());

/// Says what the surroundings are. The first call wins; nothing is opened yet.
pub fn set_surroundings(surroundings: Surroundings) {
    if runtime::set(surroundings) {
        forbid_telemetry();
    }
}

/// Says where ONNX Runtime's library lies, and that no other is looked for.
pub fn set_library(path: &Path) {
    set_surroundings(Surroundings { library: path.to_path_buf(), is_chosen: true, ..Surroundings::default() });
}

/// The version of ONNX Runtime that runs, such as `1.31.1`; before the first model, the one that is pinned.
#[must_use]
pub fn runtime_version() -> String {
    let pinned = || pins().get("version").and_then(|version| version.as_str()).unwrap_or("unknown").to_owned();
    VERSION.get().cloned().unwrap_or_else(pinned)
}

/// The ONNX Runtime of the process, opened or not, and why others were not taken. Chosen once: what is installed later counts from the
/// next start on.
pub(super) fn runtime() -> Result<&'static (Runtime, Vec<String>)> {
    RUNTIME.get_or_try_init(|| {
        let (candidates, mut notes) = runtime::candidates(runtime::surroundings()?, driver::present().is_ok())?;
        let last = candidates.len().saturating_sub(1);
        for (number, candidate) in candidates.into_iter().enumerate() {
            // One that was merely found and cannot be opened must not take the graphs of the CPU along. The last one was named or shipped:
            // what is wrong with it is said when it is opened.
            match if number == last { Ok(()) } else { version_that_serves(&candidate.library).map(drop) } {
                Ok(()) => return Ok((candidate, notes)),
                Err(error) => notes.push(format!("{} ({}): {error}", candidate.library.display(), candidate.place)),
            }
        }
        Err(Error::Internal("there was no ONNX Runtime to choose from".into()))
    })
}

/// Held while the environment's devices are listed or become more: ONNX Runtime hands out its own list, which a plugin lengthens.
pub(super) fn devices_lock() -> MutexGuard<'static, ()> {
    static DEVICES: Mutex<()> = Mutex::new(());
    DEVICES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The process's environment. A failure is tried again on the next call.
pub(super) fn get() -> Result<&'static Environment> {
    let _one_at_a_time = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    ENVIRONMENT.get_or_try_init(make)
}

fn make() -> Result<Environment> {
    let (runtime, _) = runtime()?;
    let library = runtime.library.as_path();
    if !library.is_absolute() {
        return Err(Error::InvalidArgument(format!(
            "Expected an absolute path for ONNX Runtime's library but received {}",
            library.display()
        )));
    }
    let version = version_that_serves(library)?;
    let builder = ort::init_from(library).map_err(|error| unopened(library, error.to_string().into()))?;
    VERSION.get_or_init(|| version);
    builder
        .with_name("vecrank")
        .with_telemetry(false)
        .with_logger(Arc::new(log))
        .build()
        .map_err(|error| Error::runtime("ONNX Runtime's environment could not be made", error.to_string()))
        .inspect(|environment| environment.set_log_level(wanted_level().unwrap_or(LogLevel::Error)))
}

/// Whether the ONNX Runtime that a variable names serves. One that was shipped or found is looked at when it is needed.
///
/// # Errors
/// [`Error::Runtime`] where it does not.
pub(in crate::network) fn check_named() -> Result<()> {
    let surroundings = runtime::surroundings()?;
    let (runtime, _) = runtime()?;
    let is_named = surroundings.is_chosen || surroundings.variable("VECRANK_ORT_DIR").is_some();
    if is_named && ENVIRONMENT.get().is_none() { version_that_serves(&runtime.library).map(drop) } else { Ok(()) }
}

/// The version of a library that is whole, can be opened and is new enough.
fn version_that_serves(library: &Path) -> Result<String> {
    check_digest(library)?;
    if !runtime::is_whole(library) {
        let message = format!("{} is damaged: the file is cut. Install or add it again", library.display());
        return Err(Error::Runtime { message, source: None });
    }
    let version = version_of(library).map_err(|error| unopened(library, error))?;
    check_version(library, &version)?;
    Ok(version)
}

/// The least level of messages that the user wants to see, by `VECRANK_LOG`: `error`, `warning`, `info` or `verbose`.
fn wanted_level() -> Option<LogLevel> {
    match runtime::surroundings().ok()?.variable("VECRANK_LOG")? {
        "error" => Some(LogLevel::Error),
        "warn" | "warning" => Some(LogLevel::Warning),
        "info" => Some(LogLevel::Info),
        // An unknown word was meant to show something.
        _ => Some(LogLevel::Verbose),
    }
}

/// Messages of ONNX Runtime and its providers. Its own logger would write them to the standard error of the user's server; failures
/// come back as errors anyway.
fn log(level: LogLevel, _category: &str, _id: &str, location: &str, message: &str) {
    if wanted_level().is_some_and(|wanted| level >= wanted) {
        let word = format!("{level:?}").to_lowercase();
        // Not `eprintln!`, which panics where nobody reads.
        let _ = writeln!(std::io::stderr(), "vecrank: onnxruntime {word}: {message} ({location})");
    }
}

/// Microsoft's builds upload usage data unless told not to; the variable is read when the environment is made.
#[allow(unsafe_code, reason = "std::env::set_var")]
fn forbid_telemetry() {
    if std::env::var_os("ORT_DISABLE_TELEMETRY").is_none() {
        // SAFETY: set_var races with getenv in other threads. This runs once in the process, on the thread that loads
        // the addon, as an assignment to process.env in JavaScript would; no thread of ours or of ONNX Runtime runs yet.
        unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
    }
}

/// What a library says its version is. Opening it runs its code: its digest has been checked where there is one.
#[allow(unsafe_code, reason = "three calls into the library")]
fn version_of(library: &Path) -> std::result::Result<String, Source> {
    type GetApiBase = unsafe extern "C" fn() -> *const ort::sys::OrtApiBase;
    // SAFETY: opening runs the library's initialisers, which is what the user asks for with a path to ONNX Runtime. The
    // symbol has had this signature in every version of ONNX Runtime; it and `GetVersionString` take nothing and give
    // pointers to static data, read here while the library is open.
    unsafe {
        let library = libloading::Library::new(library)?;
        let get: libloading::Symbol<'_, GetApiBase> =
            library.get(b"OrtGetApiBase\0").map_err(|_| "it has no OrtGetApiBase, so it is not ONNX Runtime")?;
        let Some(base) = get().as_ref() else { return Ok("unknown".into()) };
        Ok(CStr::from_ptr((base.GetVersionString)()).to_string_lossy().into_owned())
    }
}

/// What the system says stands in the message itself: it names the library that is missing.
fn unopened(library: &Path, error: Source) -> Error {
    let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    let message = format!(
        "ONNX Runtime could not be opened from {}: {reason}. Install it again, or set VECRANK_ONNXRUNTIME to the absolute \
         path of ONNX Runtime's library, version 1.{} or newer",
        library.display(),
        ort::MINOR_VERSION
    );
    Error::runtime(message, error)
}

/// `ort` would refuse an older one as well, in words about itself.
fn check_version(library: &Path, version: &str) -> Result<()> {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if (major, minor) >= (1, ort::MINOR_VERSION) {
        return Ok(());
    }
    Err(Error::Runtime {
        message: format!(
            "ONNX Runtime at {} is version {}; vecrank needs 1.{} or newer. Install a newer one, or name it with VECRANK_ONNXRUNTIME",
            library.display(),
            shown(version),
            ort::MINOR_VERSION
        ),
        source: None,
    })
}

fn pins() -> serde_json::Value {
    serde_json::from_str(PINS).unwrap_or_default()
}

/// A library by the name that we ship must be the one that we ship. One that the user names otherwise is the user's.
fn check_digest(library: &Path) -> Result<()> {
    let platform = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "linux-x64-gnu",
        ("linux", "aarch64") => "linux-arm64-gnu",
        ("macos", "aarch64") => "darwin-arm64",
        ("windows", "x86_64") => "win32-x64-msvc",
        ("windows", "aarch64") => "win32-arm64-msvc",
        _ => return Ok(()),
    };
    let pins = pins();
    let pin = |key: &str| pins.pointer(&format!("/platforms/{platform}/{key}")).and_then(|value| value.as_str());
    let name = library.file_name().and_then(|name| name.to_str());
    if pin("file").is_none() || name != pin("file") {
        return Ok(());
    }
    let found = sha256(library).map_err(|source| Error::Runtime {
        message: format!("ONNX Runtime's library could not be read at {}. Reinstall vecrank", library.display()),
        source: Some(source.into()),
    })?;
    let expected = pin("sha256").unwrap_or_default();
    if found != expected {
        return Err(Error::Corrupt {
            message: format!(
                "{} is damaged: expected the SHA-256 {expected} but found {found}. Reinstall vecrank",
                library.display()
            ),
        });
    }
    Ok(())
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let digests = digest::file(path, false, &|| false)?;
    Ok(digests.map(|digests| digests.sha256).unwrap_or_default())
}
