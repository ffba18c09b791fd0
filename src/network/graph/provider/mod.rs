//! Execution providers: what runs a graph's nodes. One file each says what a provider needs, how a session gets it, whether several
//! runs may go on at once, and how its memory is bounded. Which one is taken is decided in `platform.rs` and `network/placement.rs`,
//! which know nothing of providers.

mod coreml;
mod cpu;
mod cuda;
mod directml;
mod plugin;
mod tensorrt;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use ort::session::Session;
use ort::session::builder::SessionBuilder;

use super::environment;
use super::runtime::surroundings;
use crate::digest::{self, Digest};
use crate::options::{Device, LoadOptions, Plugin};
use crate::spec::NetworkFile;

/// What runs a graph's nodes.
pub(in crate::network) trait Provider: Debug + Send + Sync {
    /// What ONNX Runtime calls it.
    fn name(&self) -> String;

    /// Brings what it needs, and says what of that is missing and what to do. Called before all that follows; may be called again.
    fn prepare(&self) -> Result<(), String>;

    /// Gives it to a session for a graph; `None` for one of ours.
    fn register(&self, builder: SessionBuilder, graph: Option<&NetworkFile>) -> ort::Result<SessionBuilder>;

    /// The library that has it, where it is known; by default ONNX Runtime's own.
    fn library(&self) -> Option<PathBuf> {
        environment::runtime().ok().map(|(runtime, _)| runtime.library.clone())
    }

    /// The version of that library.
    fn version(&self) -> Option<String> {
        self.library().map(|_| environment::runtime_version())
    }

    /// Whether several runs of one session may go on at once.
    fn is_shared(&self) -> bool {
        false
    }

    /// Whether `gpuMemoryLimit` bounds it.
    fn has_limit(&self) -> bool {
        false
    }

    /// Whether it is a GPU that computes.
    fn is_gpu(&self) -> bool {
        true
    }

    /// Whether it computes fp16 as fast as the reference would: `dtype: 'auto'` takes it there.
    fn prefers_half(&self) -> bool {
        true
    }

    /// Tokens of a run.
    fn run_tokens(&self) -> RunTokens {
        RunTokens::Measured
    }

    /// What the session uses of a memory that is bounded.
    fn memory(&self, _: &Session) -> Option<DeviceMemory> {
        None
    }

    /// Other providers of the session, whose nodes are on the device too.
    fn companions(&self) -> &'static [&'static str] {
        &[]
    }
}

/// How many tokens a run has at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::network) enum RunTokens {
    /// So many, padding included.
    Fixed(usize),
    /// As many as are worth while, found out when a model is loaded.
    Measured,
}

/// Memory of a device, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceMemory {
    /// What the model may use.
    pub limit: u64,
    /// What it has taken so far. It is kept for the next runs.
    pub used: u64,
}

/// The provider of the processor.
pub(in crate::network) fn cpu() -> Arc<dyn Provider> {
    Arc::new(cpu::Cpu)
}

/// The provider of a device. Nothing is opened or looked for.
pub(in crate::network) fn of(device: Device, options: &LoadOptions) -> Arc<dyn Provider> {
    if let Some(given) = options.providers.iter().find(|plugin| plugin.name == device.as_str()) {
        return plugin(given.clone(), options);
    }
    match device {
        Device::Cuda => Arc::new(cuda::Cuda::new(options)),
        Device::TensorRt => Arc::new(tensorrt::TensorRt::new(options)),
        Device::Dml => Arc::new(directml::DirectMl::new(options)),
        Device::CoreMl => Arc::new(coreml::CoreMl),
        Device::WebGpu | Device::OpenVino => plugin(nameless(device), options),
        Device::Auto | Device::Gpu | Device::Cpu => cpu(),
    }
}

/// The plugin of a known device whose library is looked for.
fn nameless(device: Device) -> Plugin {
    Plugin { name: device.as_str().to_owned(), path: PathBuf::new(), options: BTreeMap::new() }
}

/// A plugin provider.
pub(in crate::network) fn plugin(plugin: Plugin, options: &LoadOptions) -> Arc<dyn Provider> {
    Arc::new(plugin::PluginProvider::new(plugin, options))
}

/// Whether the ONNX Runtime that the process has or would open was built with a provider, by the files beside it. `advice` says how one
/// with it is installed.
fn runtime_has(device: Device, advice: &str) -> Result<(), String> {
    let (runtime, notes) = environment::runtime().map_err(|error| error.to_string())?;
    if runtime.devices.contains(&device) {
        return Ok(());
    }
    let notes = if notes.is_empty() { String::new() } else { format!(". Passed over: {}", notes.join("; ")) };
    let (place, library) = (&runtime.place, runtime.library.display());
    Err(format!(
        "ONNX Runtime from {place} ({library}) has no provider for it{notes}. {advice}; then start the program again"
    ))
}

/// A folder for what is compiled of a graph and can be made again; `None` where there is none. By the digest of all its bytes: providers know
/// what they compiled by names only, and two models of one family have the same.
fn cache_folder(name: &str, graph: &NetworkFile) -> Option<String> {
    let paths = std::iter::once(&graph.path).chain(graph.weights.iter().map(|(_, path)| path));
    let digests = paths.map(|path| digest::file(path, false, &|| false).ok().flatten().map(|digests| digests.sha256));
    let mut all = Digest::sha256();
    digests.collect::<Option<Vec<_>>>()?.iter().for_each(|digest| all.update(digest.as_bytes()));
    let folder = surroundings().ok()?.cache.as_ref()?.join(name).join(all.finish().sha256);
    std::fs::create_dir_all(&folder).ok()?;
    folder.to_str().map(str::to_owned)
}
