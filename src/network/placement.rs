//! Where a network may run: the devices that really work here, the best first, and why others were passed over. A device that is asked
//! for by name is that device or an error, unless `fallback` allows the CPU in its place.

use std::sync::Arc;

use super::graph::{self, Provider};
use crate::error::{Error, Result};
use crate::options::{Device, EngineOption, LoadOptions};
use crate::spec::Place;

/// A device that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// Its name.
    pub device: String,
    /// What was missing, and what could be done.
    pub reason: String,
}

/// A device that works.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// Its name: a [`Device`], or a plugin's own.
    pub device: String,
    /// What runs graphs on it.
    pub provider: Arc<dyn Provider>,
}

impl Candidate {
    /// The processor.
    pub fn cpu() -> Self {
        Candidate { device: Device::Cpu.as_str().into(), provider: graph::cpu() }
    }

    pub fn is_cpu(&self) -> bool {
        self.device == Device::Cpu.as_str()
    }
}

/// Where a model may run.
#[derive(Debug, Clone)]
pub struct Placement {
    /// What was asked for.
    pub(super) requested: Device,
    /// Devices that work, the best first; at least one.
    pub(super) candidates: Vec<Candidate>,
    /// Those that do not, each with the number of candidates that come before it.
    pub(super) passed_over: Vec<(usize, PassedOver)>,
    /// The devices that the user named, so that it has to be spoken of where they are not in use.
    pub(super) named: Vec<String>,
}

impl Placement {
    /// The processor, and nothing is tried.
    #[must_use]
    pub fn cpu() -> Self {
        Placement {
            requested: Device::Cpu,
            candidates: vec![Candidate::cpu()],
            passed_over: Vec::new(),
            named: Vec::new(),
        }
    }

    /// The processor, whatever else works: for what is no network.
    #[must_use]
    pub fn on_cpu(self) -> Self {
        Placement { requested: self.requested, ..Placement::cpu() }
    }

    /// The devices that the options allow and that work.
    ///
    /// # Errors
    /// [`Error::Device`] where a device was asked for by name and does not work; [`Error::InvalidArgument`] where the options
    /// contradict each other.
    pub fn find(options: &LoadOptions) -> Result<Self> {
        let requested = options.device;
        if requested == Device::Cpu {
            return Ok(Placement::cpu());
        }
        if options.engine == EngineOption::Encoder && requested != Device::Auto {
            return Err(Error::InvalidArgument(format!(
                "Expected 'auto' or 'cpu' for `device` with `engine: 'encoder'`, which runs on the CPU, but received '{}'",
                requested.as_str()
            )));
        }
        if requested != Device::Auto {
            // What is wrong with a variable that names ONNX Runtime is no fault of the device.
            graph::check_named()?;
        }
        let mut candidates = Vec::new();
        let mut passed_over = Vec::new();
        for Candidate { device, provider } in wanted(options) {
            // The first that works is enough, and to start another one takes time. Who asks for any GPU gets the next one where the first
            // refuses the model.
            if !candidates.is_empty() && requested != Device::Gpu {
                break;
            }
            let works = if options.engine == EngineOption::Encoder {
                Err("the encoder runs on the CPU".to_owned())
            } else {
                graph::works(&*provider).and_then(|()| {
                    let suits = requested != Device::Gpu || provider.is_gpu();
                    if suits { Ok(()) } else { Err("it works here, but on the processor and on no GPU".to_owned()) }
                })
            };
            match works {
                Ok(()) => candidates.push(Candidate { device, provider }),
                Err(reason) => passed_over.push((candidates.len(), PassedOver { device, reason })),
            }
        }
        if requested == Device::Auto || options.fallback {
            candidates.push(Candidate::cpu());
        }
        if candidates.is_empty() {
            return Err(unusable(requested, &passed_over));
        }
        let named = match requested {
            Device::Auto => options.providers.iter().map(|plugin| plugin.name.clone()).collect(),
            _ => passed_over
                .iter()
                .map(|(_, passed)| passed.device.clone())
                .chain([requested.as_str().to_owned()])
                .collect(),
        };
        Ok(Placement { requested, candidates, passed_over, named })
    }

    /// What the choice of files depends on, for each candidate.
    pub(super) fn places(&self) -> Vec<Place> {
        let place = |candidate: &Candidate| {
            if candidate.is_cpu() {
                return Place::CPU;
            }
            Place { has_encoder: false, prefers_half: candidate.provider.prefers_half() }
        };
        self.candidates.iter().map(place).collect()
    }
}

/// The devices to try, without the CPU.
fn wanted(options: &LoadOptions) -> Vec<Candidate> {
    let of =
        |device: Device| Candidate { device: device.as_str().into(), provider: graph::provider_of(device, options) };
    let given = options
        .providers
        .iter()
        .map(|plugin| Candidate { device: plugin.name.clone(), provider: graph::plugin(plugin.clone(), options) });
    let platform = match options.device {
        Device::Auto => graph::order(),
        Device::Gpu => graph::gpus(),
        device => return vec![of(device)],
    };
    let given: Vec<Candidate> = given.collect();
    let is_given = |device: &Device| given.iter().any(|candidate| candidate.device == device.as_str());
    let others: Vec<Candidate> = platform
        .iter()
        .filter(|device| **device != Device::Cpu && !is_given(device))
        .map(|device| of(*device))
        .collect();
    given.into_iter().chain(others).collect()
}

fn unusable(requested: Device, passed_over: &[(usize, PassedOver)]) -> Error {
    let reasons: Vec<String> = passed_over
        .iter()
        .map(
            |(_, PassedOver { device, reason })| {
                if device == requested.as_str() { reason.clone() } else { format!("{device}: {reason}") }
            },
        )
        .collect();
    Error::Device {
        message: format!(
            "The device '{}' cannot be used: {}. `fallback: true` would run the model on the CPU instead; `npx vecrank doctor` shows \
             what this machine has",
            requested.as_str(),
            reasons.join("; ")
        ),
        source: None,
    }
}
