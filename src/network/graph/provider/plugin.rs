//! Plugin providers: libraries of others that ONNX Runtime opens, such as those of OpenVINO and WebGPU.
//!
//! A library is registered once in the process and stays; it brings devices, and a session gets one of them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use once_cell::sync::OnceCell;
use ort::environment::Environment;
use ort::memory::DeviceType;
use ort::session::builder::SessionBuilder;

use super::{Provider, RunTokens};
use crate::error::shown;
use crate::network::graph::environment;
use crate::network::graph::runtime::{Description, added_plugin, is_whole, surroundings};
use crate::options::{DType, Device, LoadOptions, Plugin};
use crate::spec::NetworkFile;

/// The provider that needs to be told which numbers it computes in.
const OPENVINO: &str = "OpenVINOExecutionProvider";

/// Libraries that are registered, with the places of their devices among all of the environment.
static REGISTERED: Mutex<BTreeMap<PathBuf, Range<usize>>> = Mutex::new(BTreeMap::new());

#[derive(Debug)]
pub(super) struct PluginProvider {
    plugin: Plugin,
    device_id: Option<u32>,
    threads: usize,
    chosen: OnceCell<Chosen>,
}

/// One device of a library.
#[derive(Debug, Clone)]
struct Chosen {
    provider: String,
    /// Its place among all devices of the environment, which only ever become more.
    at: usize,
    kind: DeviceType,
}

/// Who made the processor, as ONNX Runtime knows it: `AuthenticAMD`.
fn processor(environment: &Environment) -> Option<&str> {
    let hardware = environment
        .devices()
        .map(|device| device.hardware_device())
        .find(|hardware| hardware.ty() == DeviceType::CPU)?;
    hardware.vendor().ok()
}

/// A library opened, and named no device. OpenVINO could compute on any processor, but its plugin passes over hardware that is not Intel's
/// (`OpenVINOEpPluginFactory::GetSupportedDevices`).
fn nothing_to_use(library: &Path, processor: Option<&str>) -> String {
    let is_openvino = library.file_name().is_some_and(|name| name.to_string_lossy().contains("openvino"));
    let reason = match processor {
        Some(maker) if is_openvino && !maker.contains("Intel") => {
            format!(
                "OpenVINO takes processors and GPUs of Intel only; the processor here is of {maker}, and a GPU of Intel with its driver was not found"
            )
        }
        _ => "Its GPU, or the driver of that, is missing".into(),
    };
    format!("{} is there, but it found no device that it can use. {reason}", library.display())
}

impl PluginProvider {
    pub fn new(plugin: Plugin, options: &LoadOptions) -> Self {
        PluginProvider { plugin, device_id: options.device_id, threads: options.threads, chosen: OnceCell::new() }
    }

    /// The library that was given, or else one that `vecrank runtime add` unpacked.
    fn found(&self) -> Result<PathBuf, String> {
        let given = &self.plugin.path;
        if !given.as_os_str().is_empty() {
            return if given.is_file() {
                Ok(given.clone())
            } else {
                Err(format!("its library {} is not there", given.display()))
            };
        }
        let surroundings = surroundings().map_err(|error| error.to_string())?;
        let device = self.plugin.name.parse().unwrap_or(Device::Auto);
        added_plugin(surroundings, device).ok_or_else(|| {
            format!(
                "its plugin was not found. Add the wheel of onnxruntime-ep-{} with `npx vecrank runtime add`, or name its library: \
                 `providers: [{{ name: '{}', path: '/…' }}]`",
                self.plugin.name, self.plugin.name
            )
        })
    }

    fn choose(&self) -> Result<Chosen, String> {
        let library = self.found()?;
        let environment = environment::get().map_err(|error| error.to_string())?;
        let _devices = environment::devices_lock();
        let own = registered(environment, &library)?;
        let devices: Vec<(usize, String, DeviceType)> = environment
            .devices()
            .enumerate()
            .filter(|(at, _)| own.contains(at))
            .map(|(at, device)| (at, device.ep().unwrap_or_default().to_owned(), device.hardware_device().ty()))
            .collect();
        // Of several names the plain one: OpenVINO's other one stands for its own automatic choice.
        let Some(provider) = devices.iter().map(|(_, name, _)| name).min_by_key(|name| name.len()).cloned() else {
            return Err(nothing_to_use(&library, processor(environment)));
        };
        let mut devices: Vec<(usize, DeviceType)> =
            devices.iter().filter(|(_, name, _)| *name == provider).map(|(at, _, kind)| (*at, *kind)).collect();
        devices.sort_by_key(|(at, kind)| (rank(*kind), *at));
        let wanted = self.device_id.unwrap_or(0) as usize;
        let &(at, kind) = devices.get(wanted).ok_or_else(|| {
            let found: Vec<_> = devices.iter().map(|(_, kind)| word(*kind)).collect();
            format!("it has no device {wanted}: it found {} ({})", devices.len(), found.join(", "))
        })?;
        Ok(Chosen { provider, at, kind })
    }

    fn chosen(&self) -> Result<&Chosen, String> {
        self.chosen.get_or_try_init(|| self.choose())
    }

    /// What the user says, and what OpenVINO needs to compute what was asked for: by default it takes bf16 or fp16 where the
    /// processor has them, and vectors of fp32 would differ by 1e-2.
    fn options(&self, chosen: &Chosen, dtype: Option<DType>) -> BTreeMap<String, String> {
        let mut options = self.plugin.options.clone();
        if chosen.provider == OPENVINO && !options.contains_key("load_config") {
            let mut settings = serde_json::Map::new();
            if dtype != Some(DType::Fp16) && dtype != Some(DType::Q4f16) {
                settings.insert("INFERENCE_PRECISION_HINT".into(), "f32".into());
            }
            if chosen.kind == DeviceType::CPU {
                settings.insert("INFERENCE_NUM_THREADS".into(), self.threads.into());
            }
            let config = serde_json::json!({ word(chosen.kind): settings });
            options.insert("load_config".into(), config.to_string());
        }
        options
    }
}

/// The places of a library's devices; it is registered if it is not yet. The list of devices is locked.
fn registered(environment: &Environment, library: &Path) -> Result<Range<usize>, String> {
    let damaged = |reason: String| format!("its library {} is damaged: {reason}. Add it again", library.display());
    if !is_whole(library) {
        return Err(damaged("the file is cut".into()));
    }
    if let Some(folder) = library.parent()
        && let Some(description) = Description::of(folder).map_err(damaged)?
    {
        description.check().map_err(damaged)?;
    }
    let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(own) = registered.get(library) {
        return Ok(own.clone());
    }
    let before = environment.devices().count();
    let name = format!("vecrank.{}", registered.len());
    environment.register_ep_library(name, library).map_err(|error| {
        let said = error.message().trim_end_matches(['.', '\n']);
        format!("ONNX Runtime does not take {} as a provider: {said}. Name the library of a plugin", library.display())
    })?;
    let own = before..environment.devices().count();
    registered.insert(library.to_path_buf(), own.clone());
    Ok(own)
}

/// A GPU is what most ask a plugin for.
fn rank(kind: DeviceType) -> u8 {
    match kind {
        DeviceType::GPU => 0,
        DeviceType::CPU => 1,
        _ => 2,
    }
}

fn word(kind: DeviceType) -> &'static str {
    match kind {
        DeviceType::GPU => "GPU",
        DeviceType::CPU => "CPU",
        _ => "NPU",
    }
}

impl Provider for PluginProvider {
    fn name(&self) -> String {
        self.chosen.get().map_or_else(|| self.plugin.name.clone(), |chosen| chosen.provider.clone())
    }

    fn prepare(&self) -> Result<(), String> {
        self.chosen().map(drop)
    }

    fn library(&self) -> Option<PathBuf> {
        self.found().ok()
    }

    /// What `vecrank runtime add` noted beside it.
    fn version(&self) -> Option<String> {
        let noted = Description::of(self.found().ok()?.parent()?).ok().flatten()?;
        Some(noted.version).filter(|version| !version.is_empty())
    }

    fn register(&self, builder: SessionBuilder, graph: Option<&NetworkFile>) -> ort::Result<SessionBuilder> {
        let chosen = self.chosen().map_err(ort::Error::new)?;
        let environment = environment::get().map_err(|error| ort::Error::new(error.to_string()))?;
        let options = self.options(chosen, graph.and_then(|graph| graph.dtype));
        let options: Vec<(String, String)> =
            options.into_iter().map(|(key, value)| (format!("{}.{key}", chosen.provider), value)).collect();
        for (_, value) in &options {
            if value.contains('\0') {
                return Err(ort::Error::new(format!("an option has a zero in it: {}", shown(value))));
            }
        }
        let _devices = environment::devices_lock();
        let device = environment.devices().enumerate().filter(|(at, _)| *at == chosen.at).map(|(_, device)| device);
        Ok(builder.with_devices(device, Some(&options))?)
    }

    fn is_gpu(&self) -> bool {
        self.chosen.get().is_some_and(|chosen| chosen.kind == DeviceType::GPU)
    }

    fn prefers_half(&self) -> bool {
        self.is_gpu()
    }

    /// On a processor as there: padding costs more than large batches save.
    fn run_tokens(&self) -> RunTokens {
        match self.chosen.get() {
            Some(chosen) if chosen.kind != DeviceType::CPU => RunTokens::Measured,
            _ => RunTokens::Fixed(512),
        }
    }
}
