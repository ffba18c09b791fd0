//! Any GPU on Windows, by DirectML. ONNX Runtime asks for no memory pattern, sequential execution and one run at a time, which all
//! sessions here have.

use ort::ep;
use ort::session::builder::SessionBuilder;

use super::{Provider, runtime_has};
use crate::options::{Device, LoadOptions};
use crate::spec::NetworkFile;

#[derive(Debug)]
pub(super) struct DirectMl {
    device: u32,
}

impl DirectMl {
    pub fn new(options: &LoadOptions) -> Self {
        DirectMl { device: options.device_id.unwrap_or(0) }
    }
}

impl Provider for DirectMl {
    fn name(&self) -> String {
        "DmlExecutionProvider".into()
    }

    fn prepare(&self) -> Result<(), String> {
        if !cfg!(windows) {
            return Err("DirectML is a part of Windows. Use another device".into());
        }
        let advice = "Add one with it: `npx vecrank runtime add` with the tarball of onnxruntime-node or the wheel of onnxruntime-directml";
        runtime_has(Device::Dml, advice)
    }

    fn register(&self, builder: SessionBuilder, _: Option<&NetworkFile>) -> ort::Result<SessionBuilder> {
        let device = i32::try_from(self.device).unwrap_or(i32::MAX);
        let provider = ep::DirectML::default().with_device_id(device).build().error_on_failure();
        Ok(builder.with_execution_providers([provider])?)
    }
}
