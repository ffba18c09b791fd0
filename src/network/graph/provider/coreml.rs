//! Apple's processors, by Core ML. Only by name: on graphs of BERT's kind it gains nothing over the CPU.

use ort::ep;
use ort::ep::coreml::ModelFormat;
use ort::session::builder::SessionBuilder;

use super::{Provider, cache_folder};
use crate::spec::NetworkFile;

#[derive(Debug)]
pub(super) struct CoreMl;

impl Provider for CoreMl {
    fn name(&self) -> String {
        "CoreMLExecutionProvider".into()
    }

    fn prepare(&self) -> Result<(), String> {
        if cfg!(target_os = "macos") { Ok(()) } else { Err("Core ML is a part of macOS. Use another device".into()) }
    }

    fn register(&self, builder: SessionBuilder, graph: Option<&NetworkFile>) -> ort::Result<SessionBuilder> {
        // The older format knows few of the operators.
        let mut provider = ep::CoreML::default().with_model_format(ModelFormat::MLProgram);
        // Core ML compiles a model each time otherwise.
        if let Some(folder) = graph.and_then(|graph| cache_folder("coreml", graph)) {
            provider = provider.with_model_cache_dir(folder);
        }
        Ok(builder.with_execution_providers([provider.build().error_on_failure()])?)
    }

    /// `dtype: 'auto'` stays what it is on the CPU: where Core ML runs a graph is its own choice.
    fn prefers_half(&self) -> bool {
        false
    }
}
