//! Graphs as exporters wrote them, and such graphs with one thing changed.

mod edit;
mod hostile;
mod reading;
mod refusing;
mod storing;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use half::{bf16, f16};

use super::{OnnxWeights, Refusal, Step};
use crate::network::encoder::weights::{Numbers, Tensor};

fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(path("tests/fixtures").join(name)).expect("a fixture")
}

fn read(file: &[u8]) -> Result<OnnxWeights<'_>, Refusal> {
    OnnxWeights::read(file, &|_| None)
}

/// The steps of the only output.
fn steps(file: &[u8]) -> Vec<Step> {
    let found = read(file).expect("weights");
    let [output] = found.outputs.as_slice() else { panic!("more outputs than one") };
    output.steps.clone().expect("steps")
}

/// Why the file is refused.
fn refusal(file: &[u8]) -> String {
    match read(file) {
        Ok(found) => panic!("it is not refused: {:?}", found.outputs),
        Err(refusal) => refusal.reason,
    }
}

/// The numbers of a tensor, row by row of its shape.
fn floats(tensor: &Tensor<'_>) -> Vec<f32> {
    let count: usize = tensor.shape.iter().product();
    let each = count / tensor.shape[0];
    let place = |at: usize| if tensor.transposed { at % each * tensor.shape[0] + at / each } else { at };
    let number = |at: usize| {
        let place = place(at);
        match &tensor.numbers {
            Numbers::F32(bytes) => f32::from_le_bytes(*bytes[place * 4..].first_chunk().expect("a number")),
            Numbers::F16(bytes) => f16::from_le_bytes(*bytes[place * 2..].first_chunk().expect("a number")).to_f32(),
            Numbers::Bf16(bytes) => bf16::from_le_bytes(*bytes[place * 2..].first_chunk().expect("a number")).to_f32(),
            Numbers::Int8 { bytes, signed, scales, zeros } => {
                let whole = if *signed { bytes[place].cast_signed().into() } else { i32::from(bytes[place]) };
                let own = |count: usize| if count == 1 { 0 } else { at / each };
                (whole - zeros[own(zeros.len())]) as f32 * scales[own(scales.len())]
            }
        }
    };
    (0..count).map(number).collect()
}

/// The tensors of a safetensors file of 32-bit floats.
fn safetensors(file: &[u8]) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let length = u64::from_le_bytes(*file.first_chunk().expect("a length"));
    let (header, data) = file[8..].split_at(usize::try_from(length).expect("a length"));
    let header: BTreeMap<String, serde_json::Value> = serde_json::from_slice(header).expect("a header");
    let sizes = |value: &serde_json::Value| -> Vec<usize> { serde_json::from_value(value.clone()).expect("sizes") };
    let tensors = header.into_iter().filter(|(name, _)| name != "__metadata__").map(|(name, about)| {
        let at = sizes(&about["data_offsets"]);
        let floats = data[at[0]..at[1]].chunks_exact(4);
        let floats = floats.map(|bytes| f32::from_le_bytes(*bytes.first_chunk().expect("a number")));
        (name, (sizes(&about["shape"]), floats.collect()))
    });
    tensors.collect()
}
