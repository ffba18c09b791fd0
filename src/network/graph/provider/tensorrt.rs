//! NVIDIA's GPUs, by TensorRT, which compiles a graph for the very GPU. That takes minutes, so what it made is kept. What it does not
//! take runs by CUDA.

use std::path::PathBuf;

use ort::ep;
use ort::session::Session;
use ort::session::builder::SessionBuilder;

use super::cuda::{Cuda, provider_library, ready};
use super::{DeviceMemory, Provider, RunTokens, cache_folder};
use crate::options::{DType, Device, LoadOptions};
use crate::spec::NetworkFile;

#[derive(Debug)]
pub(super) struct TensorRt {
    cuda: Cuda,
}

impl TensorRt {
    pub fn new(options: &LoadOptions) -> Self {
        TensorRt { cuda: Cuda::new(options) }
    }
}

impl Provider for TensorRt {
    fn name(&self) -> String {
        "TensorrtExecutionProvider".into()
    }

    fn library(&self) -> Option<PathBuf> {
        provider_library("tensorrt")
    }

    fn prepare(&self) -> Result<(), String> {
        ready(Device::TensorRt, "tensorrt")?;
        self.cuda.prepare()
    }

    fn register(&self, builder: SessionBuilder, graph: Option<&NetworkFile>) -> ort::Result<SessionBuilder> {
        let mut provider = ep::TensorRT::default()
            .with_device_id(i32::try_from(self.cuda.device()).unwrap_or(i32::MAX))
            .with_fp16(graph.is_some_and(|graph| graph.dtype == Some(DType::Fp16)));
        if let Some(folder) = graph.and_then(|graph| cache_folder("tensorrt", graph)) {
            provider = provider
                .with_engine_cache(true)
                .with_engine_cache_path(&folder)
                .with_timing_cache(true)
                .with_timing_cache_path(&folder);
        }
        let builder = builder.with_execution_providers([provider.build().error_on_failure()])?;
        self.cuda.register(builder, graph)
    }

    /// Not measured: every new shape may be compiled anew.
    fn run_tokens(&self) -> RunTokens {
        RunTokens::Fixed(4096)
    }

    fn has_limit(&self) -> bool {
        true
    }

    fn memory(&self, session: &Session) -> Option<DeviceMemory> {
        self.cuda.memory(session)
    }

    fn companions(&self) -> &'static [&'static str] {
        &["CUDAExecutionProvider"]
    }
}
