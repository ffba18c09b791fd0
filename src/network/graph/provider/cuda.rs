//! NVIDIA's GPUs, by CUDA: an ONNX Runtime that was built with it, NVIDIA's driver, and the libraries of CUDA.

use std::path::PathBuf;

use once_cell::sync::OnceCell;
use ort::ep::{self, ArenaExtendStrategy};
use ort::memory::AllocationDevice;
use ort::session::Session;
use ort::session::builder::SessionBuilder;

use super::{DeviceMemory, Provider, runtime_has};
use crate::network::graph::runtime::{cuda, surroundings};
use crate::network::graph::{driver, environment, report};
use crate::options::{Device, LoadOptions};
use crate::spec::NetworkFile;

/// The part of the free memory that a model may use where no limit is given.
const PART: (u64, u64) = (3, 4);

#[derive(Debug)]
pub(super) struct Cuda {
    device: u32,
    given_limit: Option<u64>,
    limit: OnceCell<u64>,
}

impl Cuda {
    pub fn new(options: &LoadOptions) -> Self {
        Cuda { device: options.device_id.unwrap_or(0), given_limit: options.gpu_memory_limit, limit: OnceCell::new() }
    }

    /// Bytes that the session may use, measured once.
    pub fn limit(&self) -> u64 {
        *self.limit.get_or_init(|| {
            self.given_limit.unwrap_or_else(|| {
                let memory = runtime_library().and_then(|runtime| driver::cuda_memory(&runtime, self.device));
                memory.map_or(0, |(free, _)| free / PART.1 * PART.0)
            })
        })
    }

    pub fn device(&self) -> u32 {
        self.device
    }
}

/// What CUDA's providers need, for a device of them.
pub(super) fn ready(device: Device, provider: &str) -> Result<(), String> {
    driver::present().map_err(|error| format!("{error}. Install it, or use another device"))?;
    // Not the package `vecrank-cuda-…`, before it is published: nobody else's must be installed by that name.
    let advice = "Add one with it: `npx vecrank runtime add` with the wheel of onnxruntime-gpu, or set VECRANK_ORT_DIR to a folder with its \
                  libraries";
    runtime_has(device, advice)?;
    let (runtime, _) = environment::runtime().map_err(|error| error.to_string())?;
    let surroundings = surroundings().map_err(|error| error.to_string())?;
    cuda::preload(&runtime.folder().join(library_name(provider)), surroundings)
}

fn library_name(provider: &str) -> String {
    if cfg!(windows) {
        format!("onnxruntime_providers_{provider}.dll")
    } else {
        format!("libonnxruntime_providers_{provider}.so")
    }
}

/// The library of a provider beside ONNX Runtime's, where it is.
pub(super) fn provider_library(provider: &str) -> Option<PathBuf> {
    let (runtime, _) = environment::runtime().ok()?;
    Some(runtime.folder().join(library_name(provider))).filter(|library| library.is_file())
}

/// The name of the CUDA runtime that the provider uses.
fn runtime_library() -> Result<String, String> {
    let (runtime, _) = environment::runtime().map_err(|error| error.to_string())?;
    cuda::runtime_of(&runtime.folder().join(library_name("cuda")))
        .ok_or_else(|| "the provider names no runtime of CUDA".to_owned())
}

impl Provider for Cuda {
    fn name(&self) -> String {
        "CUDAExecutionProvider".into()
    }

    fn library(&self) -> Option<PathBuf> {
        provider_library("cuda")
    }

    fn prepare(&self) -> Result<(), String> {
        ready(Device::Cuda, "cuda")?;
        // Asked here, so that a wrong number of a device is said in plain words. Windows names its runtime otherwise.
        if cfg!(windows) { Ok(()) } else { driver::cuda_memory(&runtime_library()?, self.device).map(drop) }
    }

    fn register(&self, builder: SessionBuilder, _: Option<&NetworkFile>) -> ort::Result<SessionBuilder> {
        let mut provider = ep::CUDA::default()
            .with_device_id(i32::try_from(self.device).unwrap_or(i32::MAX))
            // As much as is asked for and no more, or the limit is reached by rounding up.
            .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested)
            // fp32 means fp32: the reference computes without TF32 too.
            .with_tf32(false);
        if self.limit() > 0 {
            provider = provider.with_memory_limit(usize::try_from(self.limit()).unwrap_or(usize::MAX));
        }
        Ok(builder.with_execution_providers([provider.build().error_on_failure()])?)
    }

    fn has_limit(&self) -> bool {
        true
    }

    fn memory(&self, session: &Session) -> Option<DeviceMemory> {
        let used = report::arena_bytes(session, AllocationDevice::CUDA, self.device)?;
        // It is not known on Windows, where nothing bounds the arena but what the user says.
        Some(DeviceMemory { limit: self.limit(), used }).filter(|memory| memory.limit > 0)
    }
}
