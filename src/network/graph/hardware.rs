//! What this machine has to run graphs with: its GPUs, the providers that work, and ONNX Runtime itself.

use std::path::PathBuf;

use super::driver::{self, Gpu};
use super::{environment, platform, probe, provider};
use crate::digest;
use crate::options::{Device, LoadOptions, Product};

/// What a machine has.
#[derive(Debug, Clone)]
pub struct Hardware {
    /// GPUs of NVIDIA. Others are known to their systems' own tools.
    pub gpus: Vec<Gpu>,
    /// Every device that can be asked for by name.
    pub providers: Vec<Available>,
    /// ONNX Runtime.
    pub runtime: OnnxRuntime,
}

/// A device, and whether it works here.
#[derive(Debug, Clone)]
pub struct Available {
    /// Its name.
    pub device: Device,
    /// Why it does not work; `None` where a graph was run on it.
    pub reason: Option<String>,
    /// What ONNX Runtime calls its provider.
    pub provider: String,
    /// The library that has it, where there is one.
    pub library: Option<PathBuf>,
    /// That library's version, where it is known.
    pub version: Option<String>,
}

/// The ONNX Runtime of the process.
#[derive(Debug, Clone)]
pub struct OnnxRuntime {
    /// Its version.
    pub version: String,
    /// Its library.
    pub path: Option<PathBuf>,
    /// The library's SHA-256.
    pub sha256: Option<String>,
    /// Where it was found.
    pub place: Option<String>,
    /// Others that were found and not taken, and why.
    pub passed_over: Vec<String>,
    /// Why it cannot be opened, if so.
    pub error: Option<String>,
}

/// Looks at everything, and runs a small graph on each device. Takes as long as the devices need to start.
#[must_use]
pub fn hardware() -> Hardware {
    let options = LoadOptions::new(Product::Embedder, PathBuf::new());
    let error = environment::get().err().map(|error| error.to_string());
    let of_cpu = provider::cpu().library();
    let providers = platform::all().iter().map(|device| {
        let provider = provider::of(*device, &options);
        let reason = probe::works(&*provider).err();
        let library = provider.library();
        // What cannot be had here has no library here.
        let is_here = reason.is_none() || library != of_cpu;
        Available {
            device: *device,
            reason,
            provider: provider.name(),
            library: library.filter(|_| is_here),
            version: provider.version().filter(|_| is_here),
        }
    });
    let providers = providers.collect();
    let runtime = environment::runtime().ok();
    let path = runtime.map(|(runtime, _)| runtime.library.clone());
    let digests = path.as_ref().and_then(|path| digest::file(path, false, &|| false).ok().flatten());
    Hardware {
        gpus: driver::gpus(),
        providers,
        runtime: OnnxRuntime {
            version: environment::runtime_version(),
            path,
            sha256: digests.map(|digests| digests.sha256),
            place: runtime.map(|(runtime, _)| runtime.place.clone()),
            passed_over: runtime.map(|(_, notes)| notes.clone()).unwrap_or_default(),
            error,
        },
    }
}
