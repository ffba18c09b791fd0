//! What NVIDIA's own libraries say: whether there is a driver, which GPUs there are, and how much of their memory is free. All of it
//! is optional: a machine without them is a machine without such a GPU.
//!
//! NVML is the library behind `nvidia-smi`; its functions and structures are those of `nvml.h`, and `cudaMemGetInfo` is CUDA's.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::Mutex;

use libloading::{Library, Symbol};

/// A GPU of NVIDIA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// As NVIDIA calls it.
    pub name: String,
    /// The driver's version.
    pub driver: String,
    /// The newest CUDA that the driver runs, such as `13.0`.
    pub cuda: String,
    /// Bytes.
    pub memory: u64,
    /// Bytes that are free.
    pub free: u64,
}

#[cfg(windows)]
const DRIVER: &str = "nvcuda.dll";
#[cfg(not(windows))]
const DRIVER: &str = "libcuda.so.1";
#[cfg(windows)]
const NVML: &str = "nvml.dll";
#[cfg(not(windows))]
const NVML: &str = "libnvidia-ml.so.1";

/// Opens a library by its name, wherever the system's loader finds it.
#[allow(unsafe_code, reason = "a library is opened")]
fn open(name: &str) -> Result<Library, String> {
    // On Windows from the system's folder alone: the working folder must not decide which native code runs.
    #[cfg(windows)]
    let opened = {
        use libloading::os::windows::{LOAD_LIBRARY_SEARCH_SYSTEM32, Library as Windows};
        // SAFETY: as below.
        unsafe { Windows::load_with_flags(name, LOAD_LIBRARY_SEARCH_SYSTEM32) }.map(Library::from)
    };
    // SAFETY: opening runs the library's initialisers. The names are those of NVIDIA's driver, which every program that uses a GPU opens.
    #[cfg(not(windows))]
    let opened = unsafe { Library::new(name) };
    opened.map_err(|error| said(&error))
}

/// What the system's loader says of a library.
pub(super) fn said(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Whether NVIDIA's driver is there.
///
/// # Errors
/// What the system's loader says.
pub(super) fn present() -> Result<(), String> {
    if cfg!(target_os = "macos") {
        return Err("NVIDIA has no driver for macOS".into());
    }
    // Not closed again: a driver does not like it, and it is wanted next.
    open(DRIVER).map(std::mem::forget).map_err(|error| {
        let is_missing =
            error.contains("No such file") || error.contains("not be found") || error.contains("not found");
        let what = if is_missing { "is not there" } else { "cannot be opened" };
        format!("NVIDIA's driver {what} ({error})")
    })
}

/// NVIDIA's GPUs, in the order of NVML.
pub(super) fn gpus() -> Vec<Gpu> {
    // NVML counts its users, but is not asked by two threads at a time here.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock();
    if cfg!(target_os = "macos") {
        return Vec::new();
    }
    open(NVML).ok().and_then(|library| read(&library)).unwrap_or_default()
}

#[repr(C)]
#[derive(Default)]
struct Memory {
    total: u64,
    free: u64,
    used: u64,
}

#[allow(unsafe_code, reason = "functions of NVML are called")]
fn read(library: &Library) -> Option<Vec<Gpu>> {
    type Plain = unsafe extern "C" fn() -> c_int;
    type Count = unsafe extern "C" fn(*mut c_uint) -> c_int;
    type Integer = unsafe extern "C" fn(*mut c_int) -> c_int;
    type Handle = unsafe extern "C" fn(c_uint, *mut *mut c_void) -> c_int;
    type Text = unsafe extern "C" fn(*mut c_char, c_uint) -> c_int;
    type TextOf = unsafe extern "C" fn(*mut c_void, *mut c_char, c_uint) -> c_int;
    type MemoryOf = unsafe extern "C" fn(*mut c_void, *mut Memory) -> c_int;
    // SAFETY: the signatures are those of nvml.h for these names. Every pointer is to a variable that lives through its call, texts are
    // given with their length, and handles are used between `init` and `shutdown` only. 0 is success for each.
    unsafe {
        let init: Symbol<'_, Plain> = library.get(b"nvmlInit_v2\0").ok()?;
        let shutdown: Symbol<'_, Plain> = library.get(b"nvmlShutdown\0").ok()?;
        let count: Symbol<'_, Count> = library.get(b"nvmlDeviceGetCount_v2\0").ok()?;
        let handle: Symbol<'_, Handle> = library.get(b"nvmlDeviceGetHandleByIndex_v2\0").ok()?;
        let name: Symbol<'_, TextOf> = library.get(b"nvmlDeviceGetName\0").ok()?;
        let memory: Symbol<'_, MemoryOf> = library.get(b"nvmlDeviceGetMemoryInfo\0").ok()?;
        let driver: Symbol<'_, Text> = library.get(b"nvmlSystemGetDriverVersion\0").ok()?;
        let cuda: Symbol<'_, Integer> = library.get(b"nvmlSystemGetCudaDriverVersion_v2\0").ok()?;
        if init() != 0 {
            return None;
        }
        let (mut devices, mut version, mut text) = (0, 0, [0 as c_char; 96]);
        let room = 96;
        let driver = if driver(text.as_mut_ptr(), room) == 0 { shown(&text) } else { String::new() };
        let cuda = if cuda(&raw mut version) == 0 {
            format!("{}.{}", version / 1000, version % 1000 / 10)
        } else {
            String::new()
        };
        let found = if count(&raw mut devices) == 0 { devices } else { 0 };
        let gpus = (0..found).filter_map(|index| {
            let (mut device, mut bytes, mut text) = (std::ptr::null_mut(), Memory::default(), [0 as c_char; 96]);
            if handle(index, &raw mut device) != 0 || memory(device, &raw mut bytes) != 0 {
                return None;
            }
            let name = if name(device, text.as_mut_ptr(), room) == 0 { shown(&text) } else { String::new() };
            Some(Gpu { name, driver: driver.clone(), cuda: cuda.clone(), memory: bytes.total, free: bytes.free })
        });
        let gpus = gpus.collect();
        shutdown();
        Some(gpus)
    }
}

/// A text that C has written into an array of zeros.
fn shown(text: &[c_char]) -> String {
    let bytes: Vec<u8> = text.iter().map(|byte| byte.to_ne_bytes()[0]).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Free and all bytes of the GPU that CUDA calls `device`, by the CUDA runtime that a provider has opened under this name. Not by NVML,
/// whose numbers are others than CUDA's.
#[allow(unsafe_code, reason = "functions of CUDA's runtime are called")]
pub(super) fn cuda_memory(runtime: &str, device: u32) -> Result<(u64, u64), String> {
    type SetDevice = unsafe extern "C" fn(c_int) -> c_int;
    type MemGetInfo = unsafe extern "C" fn(*mut usize, *mut usize) -> c_int;
    type ErrorText = unsafe extern "C" fn(c_int) -> *const c_char;
    let library = open(runtime)?;
    let (mut free, mut total) = (0_usize, 0_usize);
    let device = c_int::try_from(device).unwrap_or(c_int::MAX);
    // SAFETY: the signatures are those of cuda_runtime_api.h for these names; both pointers are to variables that live through the call;
    // the text of an error is static.
    let said = unsafe {
        let missing = |error: libloading::Error| said(&error);
        let set_device: Symbol<'_, SetDevice> = library.get(b"cudaSetDevice\0").map_err(missing)?;
        let memory: Symbol<'_, MemGetInfo> = library.get(b"cudaMemGetInfo\0").map_err(missing)?;
        let text: Symbol<'_, ErrorText> = library.get(b"cudaGetErrorString\0").map_err(missing)?;
        let mut status = set_device(device);
        if status == 0 {
            status = memory(&raw mut free, &raw mut total);
        }
        if status == 0 { None } else { Some(CStr::from_ptr(text(status)).to_string_lossy().into_owned()) }
    };
    // The provider has it open too; to close it here changes nothing.
    drop(library);
    match said {
        None => Ok((free as u64, total as u64)),
        Some(error) if error.contains("insufficient") => {
            let newest = gpus().first().map_or_else(String::new, |gpu| format!(" runs CUDA {} at most, and", gpu.cuda));
            let wanted = runtime.rsplit('.').next().unwrap_or_default();
            Err(format!("NVIDIA's driver{newest} is too old for CUDA {wanted}. Install a newer one ({error})"))
        }
        Some(error) => Err(format!(
            "CUDA says of device {device}: {error}. Look with nvidia-smi which GPUs there are; CUDA_VISIBLE_DEVICES may hide some"
        )),
    }
}
