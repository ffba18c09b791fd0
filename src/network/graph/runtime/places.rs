//! Where an ONNX Runtime for GPUs may lie, in the order in which it is looked for, and how a folder is recognised as one.

use std::path::{Path, PathBuf};

use super::description::Description;
use super::{Runtime, Surroundings};
use crate::error::{Error, Result};
use crate::options::Device;

/// The oldest minor version of ONNX Runtime 1 whose interface is used.
const OLDEST: u32 = ort::MINOR_VERSION;

/// The folder that `VECRANK_ORT_DIR` names.
pub(super) fn named(folder: &Path) -> Result<Runtime> {
    let wrong = |what: &str| Error::Runtime {
        message: format!(
            "VECRANK_ORT_DIR is {}, {what}. Set it to the absolute path of the folder that holds ONNX Runtime's library, version 1.{OLDEST} or newer",
            folder.display()
        ),
        source: None,
    };
    // A relative path would let the working folder decide which native code runs.
    if !folder.is_absolute() {
        return Err(wrong("which is no absolute path"));
    }
    let below =
        [folder.to_path_buf(), folder.join("lib"), folder.join("onnxruntime").join("capi"), folder.join("capi")];
    let found = below.iter().find_map(|folder| library_in(folder).map(|library| (folder, library)));
    let (folder, library) = found.ok_or_else(|| wrong("where no library of ONNX Runtime is"))?;
    Ok(Runtime { library, devices: devices_of(folder), place: "VECRANK_ORT_DIR".into() })
}

/// All that are found, the best place first. `notes` says of others why they were not taken.
pub(super) fn all(surroundings: &Surroundings, has_nvidia: bool, notes: &mut Vec<String>) -> Vec<Runtime> {
    let mut found = Vec::new();
    for package in &surroundings.packages {
        found.extend(described(package, "the installed package", "Install it again", notes));
    }
    let folders = surroundings.runtimes.iter().flat_map(|folder| newest_first(folder));
    let mut added: Vec<Runtime> =
        folders.filter_map(|folder| described(&folder, "`vecrank runtime add`", "Add it again", notes)).collect();
    // One for CUDA, which is looked for where there is NVIDIA's driver, before one for any GPU.
    added.sort_by_key(|runtime| !(has_nvidia && runtime.devices.contains(&Device::Cuda)));
    found.extend(added);
    for folder in python_folders(surroundings) {
        found.extend(distribution(&folder.join("onnxruntime").join("capi"), "a Python environment", notes));
    }
    for folder in system_folders() {
        found.extend(distribution(folder, "the system", notes));
    }
    found
}

/// A folder with a description, as `vecrank runtime add` and the packages with CUDA have it. `again` says how it is had again.
fn described(folder: &Path, place: &str, again: &str, notes: &mut Vec<String>) -> Option<Runtime> {
    let found = Description::of(folder).and_then(|found| found.map(|found| found.check().map(|()| found)).transpose());
    let note = match found {
        Ok(Some(found)) if found.is_runtime() => match too_old(&found.version) {
            None => {
                let place = format!("{place} {}", folder.display());
                return Some(Runtime { library: found.library(), devices: devices_of(folder), place });
            }
            Some(why) => why,
        },
        // A plugin, or a folder of something else.
        Ok(_) => return None,
        Err(reason) => format!("is damaged: {reason}. {again}"),
    };
    notes.push(format!("{} ({place}) {note}", folder.display()));
    None
}

/// A folder with the libraries of a distribution. One without a provider for a GPU is of no use, and is not spoken of.
fn distribution(folder: &Path, place: &str, notes: &mut Vec<String>) -> Option<Runtime> {
    let library = library_in(folder)?;
    let devices = devices_of(folder);
    if devices.is_empty() {
        return None;
    }
    if let Some(why) = too_old(version_in(&library).unwrap_or_default()) {
        notes.push(format!("{} ({place}) {why}", library.display()));
        return None;
    }
    Some(Runtime { library, devices, place: format!("{place} ({})", folder.display()) })
}

/// `1.31.1` of `libonnxruntime.so.1.31.1`.
fn version_in(library: &Path) -> Option<&str> {
    let name = library.file_name()?.to_str()?;
    name.split_once(".so.").map(|(_, version)| version).filter(|version| version.contains('.'))
}

/// An unknown version is looked at when the library is opened.
fn too_old(version: &str) -> Option<String> {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else { return None };
    ((major, minor) < (1, OLDEST)).then(|| format!("is version {version}; 1.{OLDEST} or newer is needed"))
}

/// ONNX Runtime's library of a folder: of several the one whose name says most.
pub(super) fn library_in(folder: &Path) -> Option<PathBuf> {
    let is_library = |name: &str| {
        name == "onnxruntime.dll"
            || (name.starts_with("libonnxruntime.") && name.ends_with(".dylib"))
            || name == "libonnxruntime.so"
            || name
                .strip_prefix("libonnxruntime.so.")
                .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| is_library(name))
        .collect();
    names.sort_by_key(|name| (name.len(), name.clone()));
    names.pop().map(|name| folder.join(name))
}

/// The devices whose providers lie in a folder.
pub(super) fn devices_of(folder: &Path) -> Vec<Device> {
    let files = [
        (Device::TensorRt, ["libonnxruntime_providers_tensorrt.so", "onnxruntime_providers_tensorrt.dll"]),
        (Device::Cuda, ["libonnxruntime_providers_cuda.so", "onnxruntime_providers_cuda.dll"]),
        (Device::Dml, ["DirectML.dll", "directml.dll"]),
    ];
    let has = |names: [&str; 2]| names.iter().any(|name| folder.join(name).is_file());
    files.into_iter().filter_map(|(device, names)| has(names).then_some(device)).collect()
}

/// The folders inside one, by name, and the newest version of a name first.
fn newest_first(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir() && !is_passing(path))
        .collect();
    let key = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (stem, version) = name.rsplit_once('-').unwrap_or((&name, ""));
        let digits = |part: &str| {
            part.split(|letter: char| !letter.is_ascii_digit()).next().and_then(|digits| digits.parse().ok())
        };
        let numbers: Vec<u64> = version.split('.').map(|part| digits(part).unwrap_or(0)).collect();
        (stem.to_owned(), std::cmp::Reverse(numbers))
    };
    folders.sort_by_key(key);
    folders
}

/// What `vecrank runtime add` is about to write, or has left behind when it was killed.
fn is_passing(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Plugin providers that `vecrank runtime add` unpacked: the library of the one for a device.
pub(in crate::network::graph) fn added_plugin(surroundings: &Surroundings, device: Device) -> Option<PathBuf> {
    let folders = surroundings.runtimes.iter().flat_map(|folder| newest_first(folder));
    let described = folders.filter_map(|folder| Description::of(&folder).ok().flatten());
    described
        .filter(|found| found.is_plugin_for(device.as_str()))
        .map(|found| found.library())
        .find(|library| library.is_file())
}

/// The folders in which Python environments keep packages: the active one, then those of the user and of the system.
pub(super) fn python_folders(surroundings: &Surroundings) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let active = ["VIRTUAL_ENV", "CONDA_PREFIX"].map(|name| surroundings.variable(name).map(PathBuf::from));
    let own = surroundings.home.as_ref().map(|home| home.join(".local"));
    let system = ["/usr/local", "/usr"].map(PathBuf::from);
    let prefixes = active.into_iter().chain([own]).flatten().chain(system);
    for prefix in prefixes.filter(|prefix| prefix.is_absolute()) {
        let windows = prefix.join("Lib").join("site-packages");
        if cfg!(windows) && windows.is_dir() {
            found.push(windows);
        }
        let versions =
            std::fs::read_dir(prefix.join("lib")).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let is_python =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python3"));
        let mut versions: Vec<PathBuf> = versions.filter(is_python).collect();
        versions.sort();
        let folders =
            versions.iter().rev().flat_map(|version| ["site-packages", "dist-packages"].map(|name| version.join(name)));
        found.extend(folders.filter(|folder| folder.is_dir()));
    }
    found
}

fn system_folders() -> impl Iterator<Item = &'static Path> {
    ["/usr/local/lib", "/usr/lib", "/usr/lib/x86_64-linux-gnu", "/opt/onnxruntime/lib"].into_iter().map(Path::new)
}

#[cfg(test)]
mod tests {
    use super::super::candidates;
    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("vecrank-places-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).expect("a scratch folder");
            Scratch(folder)
        }

        fn files(&self, folder: &str, names: &[&str]) -> PathBuf {
            let folder = self.0.join(folder);
            std::fs::create_dir_all(&folder).expect("a folder");
            for name in names {
                std::fs::write(folder.join(name), b"x").expect("a file");
            }
            folder
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    const CUDA: &str = "libonnxruntime_providers_cuda.so";

    fn surroundings(shipped: PathBuf) -> Surroundings {
        Surroundings { library: shipped, ..Surroundings::default() }
    }

    /// The one that would be opened, and the notes.
    fn choose(around: &Surroundings, nvidia: bool) -> Result<(Runtime, Vec<String>)> {
        candidates(around, nvidia).map(|(found, notes)| (found.into_iter().next().expect("one at least"), notes))
    }

    #[test]
    fn places_are_tried_in_their_order_and_only_where_there_is_a_driver() {
        let scratch = Scratch::new("order");
        let shipped = scratch.files("shipped", &["libvecrank-onnxruntime.so.1"]).join("libvecrank-onnxruntime.so.1");
        let mut around = surroundings(shipped.clone());
        let place = |around: &Surroundings, nvidia: bool| choose(around, nvidia).expect("a runtime").0;

        let python =
            scratch.files("venv/lib/python3.12/site-packages/onnxruntime/capi", &["libonnxruntime.so.1.31.1", CUDA]);
        around.variables.insert("VIRTUAL_ENV".into(), scratch.0.join("venv").display().to_string());
        assert_eq!(place(&around, false).library, shipped);
        assert_eq!(place(&around, true).library, python.join("libonnxruntime.so.1.31.1"));

        let json = r#"{"kind":"onnxruntime","version":"1.31.1","library":"libonnxruntime.so.1","files":{"libonnxruntime.so.1":{"size":1}}}"#;
        let added = scratch.files("data/onnxruntime-gpu-1.31.1", &["libonnxruntime.so.1", CUDA]);
        std::fs::write(added.join("runtime.json"), json).expect("a description");
        around.runtimes = Some(scratch.0.join("data"));
        assert_eq!(place(&around, true).library, added.join("libonnxruntime.so.1"));

        let package = scratch.files("package", &["libonnxruntime.so.1", CUDA]);
        std::fs::write(package.join("runtime.json"), json).expect("a description");
        around.packages = vec![package.clone()];
        assert_eq!(place(&around, true).library, package.join("libonnxruntime.so.1"));

        let named = scratch.files("named", &["libonnxruntime.so.1.31.1", "libonnxruntime.so", CUDA]);
        around.variables.insert("VECRANK_ORT_DIR".into(), named.display().to_string());
        assert_eq!(place(&around, false).library, named.join("libonnxruntime.so.1.31.1"));
        assert_eq!(place(&around, false).devices, [Device::Cuda]);

        around.is_chosen = true;
        assert_eq!(place(&around, true).library, shipped);
    }

    #[test]
    fn what_is_damaged_or_too_old_is_passed_over_with_a_reason() {
        let scratch = Scratch::new("damaged");
        let shipped = scratch.files("shipped", &["lib.so"]).join("lib.so");
        let mut around = surroundings(shipped.clone());
        let cut = scratch.files("data/onnxruntime-gpu-1.31.1", &["libonnxruntime.so.1", CUDA]);
        let json = r#"{"kind":"onnxruntime","version":"1.31.1","library":"libonnxruntime.so.1","files":{"libonnxruntime.so.1":{"size":7}}}"#;
        std::fs::write(cut.join("runtime.json"), json).expect("a description");
        around.runtimes = Some(scratch.0.join("data"));
        scratch.files("venv/lib/python3.12/site-packages/onnxruntime/capi", &["libonnxruntime.so.1.20.0", CUDA]);
        around.variables.insert("VIRTUAL_ENV".into(), scratch.0.join("venv").display().to_string());
        let (runtime, notes) = choose(&around, true).expect("the shipped one");
        assert_eq!(runtime.library, shipped);
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[0].contains("damaged") && notes[1].contains("1.20.0"), "{notes:?}");
    }

    #[test]
    fn a_named_folder_must_be_absolute_and_hold_a_library() {
        let scratch = Scratch::new("named");
        let empty = scratch.files("empty", &["libonnxruntime_providers_shared.so"]);
        for (folder, word) in [(Path::new("somewhere"), "absolute"), (empty.as_path(), "no library")] {
            let error = named(folder).expect_err("refused");
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn of_two_versions_the_newer_counts() {
        let scratch = Scratch::new("newer");
        for name in ["ort-1.9.0", "ort-1.31.1", "ort-1.4.0"] {
            scratch.files(name, &[]);
        }
        let order: Vec<_> =
            newest_first(&scratch.0).iter().map(|path| path.file_name().map(|name| name.to_owned())).collect();
        assert_eq!(order[0].as_deref().and_then(|name| name.to_str()), Some("ort-1.31.1"));
    }
}
