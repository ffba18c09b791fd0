//! What a session says of itself: which provider has how many nodes, and how much memory its arena holds. The safe crate does not
//! have these functions of ONNX Runtime's interface.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};
use std::ptr;

use ort::AsPointer;
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::Session;

/// The setting of a session that keeps the record that [`nodes`] reads.
pub(super) const RECORD_NODES: (&str, &str) = ("session.record_ep_graph_assignment_info", "1");

/// How many nodes of the graph each provider has, after ONNX Runtime's optimisations. The session was made with [`RECORD_NODES`].
#[allow(unsafe_code, reason = "functions of ONNX Runtime's interface are called")]
pub(super) fn nodes(session: &Session) -> ort::Result<BTreeMap<String, usize>> {
    let api = ort::api();
    let mut counts = BTreeMap::new();
    let (mut parts, mut length) = (ptr::null(), 0);
    // SAFETY: the session lives; both pointers are to variables that live through the call. What they are set to belongs to the session
    // and lives as long as it does.
    unsafe {
        ort::Error::result_from_status((api.Session_GetEpGraphAssignmentInfo)(
            session.ptr(),
            &raw mut parts,
            &raw mut length,
        ))?;
    }
    for at in 0..length {
        let (mut name, mut nodes, mut count) = (ptr::null::<c_char>(), ptr::null(), 0);
        // SAFETY: `at` is within the array that the call above gave; names are texts of the session that end with a zero.
        let name = unsafe {
            let part = *parts.add(at);
            ort::Error::result_from_status((api.EpAssignedSubgraph_GetEpName)(part, &raw mut name))?;
            ort::Error::result_from_status((api.EpAssignedSubgraph_GetNodes)(part, &raw mut nodes, &raw mut count))?;
            CStr::from_ptr(name).to_string_lossy().into_owned()
        };
        *counts.entry(name).or_insert(0) += count;
    }
    Ok(counts)
}

/// Bytes of a GPU that the session's arena holds; `None` where it keeps no count.
#[allow(unsafe_code, reason = "functions of ONNX Runtime's interface are called")]
pub(super) fn arena_bytes(session: &Session, device: AllocationDevice, id: u32) -> Option<u64> {
    let id = i32::try_from(id).ok()?;
    let info = MemoryInfo::new(device, id, AllocatorType::Device, MemoryType::Default).ok()?;
    let allocator = Allocator::new(session, info).ok()?;
    let api = ort::api();
    let mut pairs = ptr::null_mut();
    // SAFETY: the allocator lives; `pairs` is set to a table that is ours and is given back below. Texts in it live as long as it does.
    unsafe {
        ort::Error::result_from_status((api.AllocatorGetStats)(allocator.ptr(), &raw mut pairs)).ok()?;
        let text = (api.GetKeyValue)(pairs, c"TotalAllocated".as_ptr());
        let bytes =
            if text.is_null() { None } else { CStr::from_ptr(text).to_str().ok().and_then(|text| text.parse().ok()) };
        (api.ReleaseKeyValuePairs)(pairs);
        bytes
    }
}
