//! The libraries of NVIDIA that a provider needs: found in the usual places and opened before it, so that no search path of the
//! environment has to be set. What is missing is said by name, with the version that lies there instead.

use std::path::{Path, PathBuf};

use super::{Surroundings, elf, places};
use crate::network::graph::driver::said;

/// A library that neither the system's loader nor a look into the usual places finds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Missing {
    name: String,
    /// One of the same name and another version.
    other: Option<PathBuf>,
    /// What the system says of one that was found and cannot be opened.
    broken: Option<String>,
}

/// Libraries that providers open when an operator needs them, for CUDA 13 and for 12.
const LATER: [&str; 3] = ["libcudnn.so.9", "libnvrtc.so.13", "libcufft.so.12"];
const LATER_12: [&str; 3] = ["libcudnn.so.9", "libnvrtc.so.12", "libcufft.so.11"];

/// Opens what `provider` needs. Libraries stay open: the provider finds them by their names.
///
/// # Errors
/// What is missing, in words.
pub(in crate::network::graph) fn preload(provider: &Path, surroundings: &Surroundings) -> Result<(), String> {
    // Windows' loader looks beside the library and into PATH; what it does not find ONNX Runtime reports.
    if cfg!(windows) {
        return Ok(());
    }
    let damaged =
        || format!("{} is damaged: it is cut, or no library at all. Install or add it again", provider.display());
    let needed = elf::needed(provider).filter(|_| elf::is_whole(provider)).ok_or_else(damaged)?;
    let folders = folders(provider, surroundings);
    let mut left: Vec<String> = needed.into_iter().filter(|name| !opens(Path::new(name))).collect();
    // A library may need another of the list: rounds, as long as one helps.
    loop {
        let before = left.len();
        left.retain(|name| !places_of(&folders, name).iter().any(|path| opens(path)));
        if left.is_empty() {
            // What an operator may open later by its name alone: found here now, or perhaps not needed.
            let later = if runtime_of(provider).is_some_and(|name| name.ends_with(".12")) { LATER_12 } else { LATER };
            for name in later.iter().filter(|name| !opens(Path::new(name))) {
                let _ = places_of(&folders, name).iter().any(|path| opens(path));
            }
            return Ok(());
        }
        if left.len() == before {
            break;
        }
    }
    let missing: Vec<Missing> = left.iter().map(|name| look(&folders, name)).collect();
    Err(explained(provider, &missing, &folders))
}

/// The name of CUDA's runtime among what a provider needs.
pub(in crate::network::graph) fn runtime_of(provider: &Path) -> Option<String> {
    elf::needed(provider)?.into_iter().find(|name| name.starts_with("libcudart."))
}

fn opens(library: &Path) -> bool {
    opened(library).is_ok()
}

fn opened(library: &Path) -> Result<(), String> {
    if !elf::is_whole(library) {
        return Err(format!("{}: the file is cut", library.display()));
    }
    ort::util::preload_dylib(library).map_err(|error| said(&error))
}

fn places_of(folders: &[PathBuf], name: &str) -> Vec<PathBuf> {
    folders.iter().map(|folder| folder.join(name)).filter(|path| path.is_file()).collect()
}

fn look(folders: &[PathBuf], name: &str) -> Missing {
    let found = places_of(folders, name).into_iter().next();
    let broken = found.and_then(|path| opened(&path).err());
    let (stem, version) = stem_and_version(name);
    let is_other = |other: &str| {
        let (other_stem, other_version) = stem_and_version(other);
        other_stem == stem && other_version != version && !other_version.is_empty()
    };
    let others = folders.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten());
    let other = others
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_other));
    Missing { name: name.to_owned(), other, broken }
}

/// `("libcublas", "13")` of `libcublas.so.13`; of `libcublas.so.13.0.2` the major version too.
fn stem_and_version(name: &str) -> (&str, &str) {
    let (stem, version) = name.split_once(".so").unwrap_or((name, ""));
    (stem, version.trim_start_matches('.').split('.').next().unwrap_or(""))
}

fn advice_for(library: &str, cuda: &str) -> String {
    let (_, version) = stem_and_version(library);
    match library {
        _ if library.starts_with("libcuda.") => "Install NVIDIA's driver".into(),
        _ if library.starts_with("libnvinfer") || library.starts_with("libnvonnxparser") => {
            format!("Install TensorRT {version}, or use `device: 'cuda'`")
        }
        _ if library.starts_with("libcudnn") => format!(
            "Install cuDNN {version} for CUDA {cuda} (the system's package, or `pip install nvidia-cudnn-cu{cuda}` in an active environment)"
        ),
        _ => format!(
            "Install CUDA {cuda} (the system's package, or `pip install nvidia-cuda-runtime nvidia-cublas nvidia-curand nvidia-cufft \
             nvidia-cuda-nvrtc` in an active environment), or set CUDA_PATH to its folder"
        ),
    }
}

fn explained(provider: &Path, missing: &[Missing], folders: &[PathBuf]) -> String {
    let parts: Vec<String> = missing
        .iter()
        .map(|Missing { name, other, broken }| match (broken, other) {
            (Some(reason), _) => format!("{name} cannot be opened ({reason})"),
            (None, Some(other)) => {
                let (_, found) = stem_and_version(other.file_name().and_then(|name| name.to_str()).unwrap_or_default());
                let (_, wanted) = stem_and_version(name);
                format!(
                    "{name} is missing; {} is there, but version {found} does not serve in place of {wanted}",
                    other.display()
                )
            }
            (None, None) => format!("{name} is missing"),
        })
        .collect();
    let runtime = runtime_of(provider).unwrap_or_default();
    let major = runtime.rsplit('.').next().unwrap_or_default();
    let mut advice: Vec<String> = Vec::new();
    for advised in missing.iter().map(|missing| advice_for(&missing.name, major)) {
        if !advice.contains(&advised) {
            advice.push(advised);
        }
    }
    let advice = advice.join(". ");
    let name = provider.file_name().unwrap_or_default().to_string_lossy();
    let looked: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let looked = if looked.is_empty() { "no folder of CUDA".into() } else { looked.join(", ") };
    format!(
        "{name} needs libraries that cannot be used: {}. {advice}. Looked at the system's libraries and {looked}",
        parts.join("; ")
    )
}

/// The folders that exist of those where CUDA's libraries lie.
fn folders(provider: &Path, surroundings: &Surroundings) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = provider.parent().map(Path::to_path_buf).into_iter().collect();
    let named = ["CUDA_PATH", "CUDA_HOME"].into_iter().filter_map(|name| surroundings.variable(name));
    let named = named.map(PathBuf::from).filter(|folder| folder.is_absolute());
    let usual = std::fs::read_dir("/usr/local").into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let is_cuda = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("cuda"));
    let mut usual: Vec<PathBuf> = usual.filter(is_cuda).collect();
    usual.sort();
    for folder in named.chain(usual.into_iter().rev()) {
        found.extend(["lib64", "lib", "targets/x86_64-linux/lib"].map(|inside| folder.join(inside)));
        found.push(folder);
    }
    // The wheels `nvidia-*`: nvidia/cublas/lib of CUDA 12, nvidia/cu13/lib of CUDA 13.
    for python in places::python_folders(surroundings) {
        let wheels = std::fs::read_dir(python.join("nvidia")).into_iter().flatten();
        let mut wheels: Vec<PathBuf> = wheels.filter_map(|entry| Some(entry.ok()?.path().join("lib"))).collect();
        wheels.sort();
        found.extend(wheels);
        found.push(python.join("tensorrt_libs"));
    }
    found.retain(|folder| folder.is_dir());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart_by_their_major_number() {
        assert_eq!(stem_and_version("libcublas.so.13"), ("libcublas", "13"));
        assert_eq!(stem_and_version("libcublas.so.12.8.4"), ("libcublas", "12"));
        assert_eq!(stem_and_version("libcublas.so"), ("libcublas", ""));
        assert_ne!(stem_and_version("libcublasLt.so.13").0, stem_and_version("libcublas.so.13").0);
    }
}
