//! An encoder from a model's files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::bytes::Bytes;
use super::config::{Refusal, Understood};
use super::embedding::LoadedEmbedding;
use super::families::{self, Purpose};
use super::head::LoadedHead;
use super::kernel::{Format, Kernels};
use super::layer::LoadedLayer;
use super::plan::{Bias, Plan, Rotary};
use super::weights::onnx::OnnxWeights;
use super::weights::{self, Tensor, Weights};
use super::{Encoder, Level, expected};
use crate::error::{Error, Result};
use crate::options::{DType, available_threads};
use crate::spec::{ModelSpec, NetworkFile};

impl Encoder {
    /// Reads the weights; the inner error is why the encoder does not take the file, as the beginning of a sentence.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where a file is damaged, [`Error::Disk`] where one cannot be read,
    /// [`Error::InvalidArgument`] where the variable `VECRANK_CPU` names no instruction set of this processor.
    pub fn load(spec: &ModelSpec, file: &NetworkFile) -> Result<std::result::Result<Self, String>> {
        let level = Level::chosen()?;
        match Encoder::read(spec, file, level) {
            Ok(encoder) => Ok(Ok(encoder)),
            Err(Refusal::Unknown(reason)) => Ok(Err(reason)),
            Err(Refusal::Broken(error)) => Err(error),
        }
    }

    fn read(spec: &ModelSpec, file: &NetworkFile, level: Level) -> Understood<Self> {
        // How many labels there are the weights say; whether config.json says the same is looked at afterwards.
        let plan = |tensors: &BTreeMap<String, Tensor<'_>>| {
            let purpose = Purpose::of(&spec.head.wanted(), weights::labels(tensors).unwrap_or(1));
            families::plan(&spec.config, purpose)
        };
        let format = file.dtype.and_then(format_of);
        let format = format.ok_or_else(|| Refusal::Unknown(format!("{} has another number format", file.relative)))?;
        let read = |path: &Path| Bytes::of(path).map_err(|source| Error::unreadable(path, source));
        if file.relative.ends_with(".onnx") {
            return Encoder::of_graph(file, &plan, &read, format, level);
        }
        let own = [(file.relative.clone(), file.path.clone())];
        let parts = if file.weights.is_empty() { &own } else { file.weights.as_slice() };
        let files = parts.iter().map(|(_, path)| read(path)).collect::<Result<Vec<_>>>()?;
        let mut tensors = BTreeMap::new();
        for ((name, _), bytes) in parts.iter().zip(&files) {
            weights::read_safetensors(name, bytes, &mut tensors)?;
        }
        let plan = plan(&tensors)?;
        let weights = Weights::new(&file.relative, tensors, &plan)?;
        Encoder::new(plan, &weights, format, level)
    }

    /// From the initialisers of an ONNX graph that does what the plan says.
    fn of_graph(
        file: &NetworkFile,
        plan: &dyn Fn(&BTreeMap<String, Tensor<'_>>) -> Understood<Plan>,
        read: &dyn Fn(&Path) -> Result<Bytes>,
        format: Format,
        level: Level,
    ) -> Understood<Self> {
        let own = read(&file.path)?;
        let beside: Vec<_> = file.weights.iter().map(|(_, path)| read(path)).collect::<Result<_>>()?;
        let external = |name: &str| {
            let place = file.weights.iter().position(|(known, _)| known == name)?;
            Some(&*beside[place])
        };
        let graph = OnnxWeights::read(&own, &external)
            .map_err(|refusal| Refusal::Unknown(format!("{} is a graph in which {}", file.relative, refusal.reason)))?;
        let mut plan = plan(&graph.tensors)?;
        let weights = Weights::new(&file.relative, graph.tensors, &plan)?;
        let same = |found: &str, name: &str| weights.is(found, name);
        let uses_types = expected::graph_uses_types(&file.relative, &plan, &graph.inputs, &graph.outputs, &same)?;
        plan.embedding.all_of_first_type |= !uses_types;
        Encoder::new(plan, &weights, format, level)
    }

    fn new(plan: Plan, weights: &Weights<'_>, format: Format, level: Level) -> Understood<Self> {
        let relative = match &plan.attention.bias {
            Bias::Relative { tensor, buckets, .. } => Some(weights.table_of(tensor, *buckets, plan.attention.heads)?),
            Bias::None | Bias::Alibi => None,
        };
        let mut rotary: Vec<Rotary> = Vec::new();
        for of_layer in plan.layers.iter().filter_map(|layer| layer.attention.rotary) {
            if !rotary.contains(&of_layer) {
                rotary.push(of_layer);
            }
        }
        let encoder = Encoder {
            kernels: Kernels::of(level),
            format,
            embedding: LoadedEmbedding::new(&plan.embedding, weights)?,
            layers: on_all_cores(&plan.layers, |layer| LoadedLayer::new(layer, format, weights))?,
            last_norm: plan.last_norm.as_ref().map(|norm| weights.norm(norm)).transpose()?,
            head: plan.head.as_ref().map(|head| LoadedHead::new(head, format, weights)).transpose()?,
            relative,
            rotary,
            positions: Mutex::default(),
            buffers: Mutex::default(),
            plan,
        };
        weights.finish(&encoder.plan)?;
        Ok(encoder)
    }
}

fn format_of(dtype: DType) -> Option<Format> {
    match dtype {
        DType::Fp32 | DType::Fp16 => Some(Format::Float),
        DType::Bf16 => Some(Format::Half),
        DType::Q8 | DType::Int8 | DType::Uint8 => Some(Format::Byte),
        _ => None,
    }
}

/// Does `work` for each item, several at a time, and gives the results in the order of the items.
fn on_all_cores<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Understood<R> + Sync) -> Understood<Vec<R>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let some = || {
        while let Some((at, item)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, items.get(at)?)))
        {
            let result = work(item);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..available_threads().min(items.len()) {
            scope.spawn(some);
        }
        some();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
