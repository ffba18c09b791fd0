//! One run of a session that other threads run at the same time.
//!
//! ONNX Runtime documents `Run` as safe to call from several threads on the CPU provider. `ort`'s `Session::run` takes
//! `&mut self` because that does not hold for every provider, so this calls the C function itself. `Graph` lets one run at a
//! time go on where the session's provider is not shared, and no `&mut Session` exists after loading.

use std::ffi::CString;
use std::ptr::{self, NonNull};

use ort::AsPointer;
use ort::session::Session;
use ort::value::DynValue;

/// Runs the graph on `inputs` and gives the output of that name.
#[allow(unsafe_code, reason = "the C function is called directly; see the module's words")]
pub(super) fn run(session: &Session, inputs: &[(&str, DynValue)], output: &str) -> ort::Result<DynValue> {
    let c_string = |name: &str| CString::new(name).map_err(|error| ort::Error::new(error.to_string()));
    let names: Vec<CString> = inputs.iter().map(|(name, _)| c_string(name)).collect::<ort::Result<_>>()?;
    let name_pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    let value_pointers: Vec<_> = inputs.iter().map(|(_, value)| value.ptr()).collect();
    let output_name = c_string(output)?;
    let output_names = [output_name.as_ptr()];
    let mut result = ptr::null_mut();

    // SAFETY: every pointer comes from a value that lives to the end of this function; the counts are the lengths of
    // the arrays; the run options may be null; `result` has room for the one output that is asked for. The session is
    // only read: `Run` is safe beside other calls of `Run` on the CPU provider, and with others there are none beside it.
    let status = unsafe {
        (ort::api().Run)(
            session.ptr().cast_mut(),
            ptr::null(),
            name_pointers.as_ptr(),
            value_pointers.as_ptr(),
            inputs.len(),
            output_names.as_ptr(),
            output_names.len(),
            &raw mut result,
        )
    };
    // SAFETY: `status` was returned by the call above and is given away here.
    unsafe { ort::Error::result_from_status(status) }?;
    let result = NonNull::new(result).ok_or_else(|| ort::Error::new("the run gave no output"))?;
    // SAFETY: `result` is a value that the run made and nobody else owns. The session, and with it the allocator,
    // outlives it: `Network::run` drops it before it returns.
    Ok(unsafe { DynValue::from_ptr(result, Some(session.allocator())) })
}
