//! A session of ONNX Runtime, opened for a provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::SessionBuilder;

use super::provider::Provider;
use super::report;
use super::weights::Weights;
use crate::options::DType;
use crate::spec::NetworkFile;

/// What all sessions have, and the provider.
pub(super) fn builder(
    environment: &Environment,
    provider: &dyn Provider,
    graph: Option<&NetworkFile>,
) -> ort::Result<SessionBuilder> {
    let (record, on) = report::RECORD_NODES;
    let builder = Session::builder(environment)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        // Spinning keeps cores busy between runs; the memory pattern grows with every new shape.
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .with_memory_pattern(false)?
        .with_config_entry(record, on)?;
    provider.register(builder, graph)
}

/// Opens a graph.
pub(super) fn open(
    environment: &Environment,
    graph: &NetworkFile,
    weights: &[Weights<'_>],
    provider: &dyn Provider,
) -> ort::Result<Session> {
    let mut builder = builder(environment, provider, Some(graph))?;
    if graph.dtype.is_none_or(|dtype| !matches!(dtype, DType::Fp32 | DType::Fp16)) && !has_vnni() {
        // Without VNNI, x86's 8-bit products saturate in 16 bits; this trades some speed for right sums.
        builder = builder.with_precise_qmm()?;
    }
    for (name, bytes) in weights {
        builder = builder.with_external_initializer_file_in_memory(name, Arc::clone(bytes))?;
    }
    if !weights.is_empty() {
        // No second copy of them: `Graph` keeps the bytes for as long as the session.
        builder = builder.with_config_entry("session.use_external_initializer_file_buffers_directly", "1")?;
    }
    builder.commit_from_file(&graph.path)
}

/// How many of the nodes are on the provider's device, and how many there are.
pub(super) fn on_device(nodes: &BTreeMap<String, usize>, provider: &dyn Provider) -> (usize, usize) {
    let own = provider.name();
    let names = std::iter::once(own.as_str()).chain(provider.companions().iter().copied());
    (names.filter_map(|name| nodes.get(name)).sum(), nodes.values().sum())
}

#[cfg(target_arch = "x86_64")]
fn has_vnni() -> bool {
    // Two names: clippy 1.96 looks into the macros and would have one expression written out longer.
    let avx512 = std::is_x86_feature_detected!("avx512vnni");
    let avx = std::is_x86_feature_detected!("avxvnni");
    avx512 || avx
}

#[cfg(not(target_arch = "x86_64"))]
fn has_vnni() -> bool {
    true
}
