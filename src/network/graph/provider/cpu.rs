//! The processor.
//!
//! ONNX Runtime gives it to every session, and it is registered all the same: `ort` sets a policy on each session that has no provider,
//! by which ONNX Runtime may choose another one that it knows (Core ML on macOS; any plugin that was registered for another model).

use ort::session::builder::SessionBuilder;

use super::{Provider, RunTokens};
use crate::network::graph::environment;
use crate::spec::NetworkFile;

#[derive(Debug)]
pub(super) struct Cpu;

impl Provider for Cpu {
    fn name(&self) -> String {
        "CPUExecutionProvider".into()
    }

    fn prepare(&self) -> Result<(), String> {
        Ok(())
    }

    fn register(&self, builder: SessionBuilder, _: Option<&NetworkFile>) -> ort::Result<SessionBuilder> {
        // Not by `ep::CPU`, which registers nothing and turns the arena off.
        let environment = environment::get().map_err(|error| ort::Error::new(error.to_string()))?;
        let own = self.name();
        let _devices = environment::devices_lock();
        let device = environment.devices().filter(|device| device.ep().is_ok_and(|name| name == own)).take(1);
        Ok(builder.with_devices(device, None)?)
    }

    /// ONNX Runtime documents `Run` as safe from several threads here.
    fn is_shared(&self) -> bool {
        true
    }

    fn is_gpu(&self) -> bool {
        false
    }

    fn prefers_half(&self) -> bool {
        false
    }

    /// Small batches win: padding and cache misses cost more than they save (docs/performance.md).
    fn run_tokens(&self) -> RunTokens {
        RunTokens::Fixed(256)
    }
}
