//! Which ONNX Runtime the process opens: one, for the process's life, whatever devices its models ask for. So it is chosen by what the
//! machine has and not by the first model: a GPU build that is found runs graphs on the CPU as well.
//!
//! `places.rs` knows where one may lie, `description.rs` what such a folder says of itself, `cuda.rs` the libraries that a CUDA build needs besides, `elf.rs` how a library names them.

pub(super) mod cuda;
mod description;
mod elf;
mod places;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use once_cell::sync::OnceCell;

pub(super) use self::description::Description;
pub(super) use self::elf::is_whole;
pub(super) use self::places::added_plugin;

use crate::error::{Error, Result};
use crate::options::Device;

/// What the loader of the addon knows of its surroundings. Nothing is looked at before a graph is needed.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// ONNX Runtime's library as it was shipped, or as `VECRANK_ONNXRUNTIME` names it; absolute.
    pub library: PathBuf,
    /// Whether the user named it, so that no other is looked for.
    pub is_chosen: bool,
    /// Folders of installed packages that carry an ONNX Runtime for GPUs.
    pub packages: Vec<PathBuf>,
    /// The folder of what `vecrank runtime add` unpacked.
    pub runtimes: Option<PathBuf>,
    /// Where files may be kept that can be made again.
    pub cache: Option<PathBuf>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// Environment variables: those of [`VARIABLES`] that are set.
    pub variables: BTreeMap<String, String>,
}

/// The environment variables that are read.
pub const VARIABLES: [&str; 6] =
    ["VECRANK_ORT_DIR", "VECRANK_LOG", "CUDA_PATH", "CUDA_HOME", "VIRTUAL_ENV", "CONDA_PREFIX"];

static SURROUNDINGS: OnceCell<Surroundings> = OnceCell::new();

/// Says what the surroundings are. The first call wins.
pub(super) fn set(surroundings: Surroundings) -> bool {
    SURROUNDINGS.set(surroundings).is_ok()
}

/// The surroundings.
pub(super) fn surroundings() -> Result<&'static Surroundings> {
    SURROUNDINGS.get().ok_or_else(|| Error::Runtime {
        message: "ONNX Runtime's library was not named. Call `set_library` first".into(),
        source: None,
    })
}

impl Surroundings {
    /// A variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// An ONNX Runtime that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Runtime {
    /// Its library, absolute.
    pub library: PathBuf,
    /// The devices that its files say it has, beside the CPU.
    pub devices: Vec<Device>,
    /// Where it was found, in words.
    pub place: String,
}

impl Runtime {
    /// The folder of its libraries.
    pub fn folder(&self) -> &Path {
        self.library.parent().unwrap_or(Path::new("/"))
    }
}

/// Those that could be opened, the best first, and why others were not taken. `has_nvidia` says whether there is a driver that a CUDA build
/// could use. The last one was shipped with the package; there is only one where the user has named it.
///
/// # Errors
/// [`Error::Runtime`] where `VECRANK_ORT_DIR` names a folder without one.
pub(super) fn candidates(surroundings: &Surroundings, has_nvidia: bool) -> Result<(Vec<Runtime>, Vec<String>)> {
    let given = |place: &str| Runtime {
        library: surroundings.library.clone(),
        devices: places::devices_of(surroundings.library.parent().unwrap_or(Path::new("/"))),
        place: place.into(),
    };
    let mut notes = Vec::new();
    if surroundings.is_chosen {
        return Ok((vec![given("VECRANK_ONNXRUNTIME")], notes));
    }
    if let Some(folder) = surroundings.variable("VECRANK_ORT_DIR") {
        return places::named(Path::new(folder)).map(|runtime| (vec![runtime], notes));
    }
    let is_of_use = |runtime: &Runtime| {
        let of_nvidia = [Device::Cuda, Device::TensorRt];
        runtime.devices.iter().any(|device| has_nvidia || !of_nvidia.contains(device))
    };
    // The places are read only where something in them could be used: what a server without a GPU starts with stays what it was.
    let found =
        if has_nvidia || cfg!(windows) { places::all(surroundings, has_nvidia, &mut notes) } else { Vec::new() };
    let candidates = found.into_iter().filter(is_of_use).chain([given("the package")]).collect();
    Ok((candidates, notes))
}
