//! `model.safetensors`, whole or in shards.

use std::borrow::Cow;
use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors};

use super::{Numbers, Tensor};
use crate::error::Error;
use crate::files::impostor;
use crate::network::encoder::config::{Refusal, Understood};

/// Adds the tensors of a file to `tensors`. The crate checks that they lie within the file and do not overlap.
pub(in crate::network::encoder) fn read<'file>(
    file: &str,
    bytes: &'file [u8],
    tensors: &mut BTreeMap<String, Tensor<'file>>,
) -> Understood<()> {
    let parsed = SafeTensors::deserialize(bytes).map_err(|source| {
        impostor(file, bytes).unwrap_or_else(|| {
            let message = format!("{file} is not a safetensors file. Copy or download it again");
            Error::invalid_model_because(message, source)
        })
    })?;
    for (name, view) in parsed.tensors() {
        let data = Cow::Borrowed(view.data());
        let numbers = match view.dtype() {
            Dtype::F32 => Numbers::F32(data),
            Dtype::F16 => Numbers::F16(data),
            Dtype::BF16 => Numbers::Bf16(data),
            // Positions and other constants that old versions stored; where a plan asks for it, it is refused.
            _ if name.ends_with("position_ids") => continue,
            other => {
                return Err(Refusal::Unknown(format!(
                    "{file} stores \"{name}\" as {other:?} and not as F32, F16 or BF16"
                )));
            }
        };
        let tensor = Tensor { shape: view.shape().to_vec(), numbers, transposed: false };
        if tensors.insert(name.clone(), tensor).is_some() {
            return Err(Refusal::Broken(Error::invalid_model(format!(
                "{file} has \"{name}\", which another file has too"
            ))));
        }
    }
    Ok(())
}
