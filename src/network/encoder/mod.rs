//! A transformer encoder of our own, for processors. It knows families of models by their plans, reads their weights from
//! safetensors or from the initialisers of an ONNX file, and runs texts of any lengths together without padding.
//!
//! A row of numbers never depends on the rows beside it: products, norms and scales of 8-bit numbers are a row's own, and sums
//! have one order. So a text has one vector, alone or in any batch, with any number of threads.
//!
//! ```text
//! config, families → plan        what the network computes
//! weights → table, layer, head   what it computes with
//! attention, positions, kernel   how
//! ```

mod attention;
mod buffers;
mod bytes;
mod config;
mod expected;
mod families;
mod head;
mod kernel;
mod layer;
mod plan;
mod positions;
mod table;
mod weights;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::ArrayView2;

pub use self::kernel::Level;
pub use self::kernel::{Gang, Team};

use self::attention::Texts;
use self::buffers::Buffers;
use self::bytes::Bytes;
use self::config::{Refusal, Understood};
use self::families::Purpose;
use self::head::LoadedHead;
use self::kernel::{Format, Kernels, Panels};
use self::layer::{LoadedLayer, Run};
use self::plan::{Bias, Plan, Rotary};
use self::positions::Positions;
use self::table::Table;
use self::weights::onnx::OnnxWeights;
use self::weights::{LoadedNorm, Tensor, Weights};
use super::{OutputKind, RunOutput, TokenVectors};
use crate::error::{Error, Result};
use crate::files::Object;
use crate::options::{DType, Product, available_threads};
use crate::spec::{HeadSpec, ModelSpec, NetworkFile};
use crate::tokenizer::TokenRow;

/// Tokens that run together. From 96 to 384 makes no difference beyond noise.
pub(super) const GROUP_TOKENS: usize = 256;

/// A loaded encoder.
#[derive(Debug)]
pub struct Encoder {
    plan: Plan,
    kernels: Kernels,
    format: Format,
    words: Table,
    places: Option<Table>,
    types: Option<Table>,
    embedding_norm: Option<LoadedNorm>,
    projection: Option<Panels>,
    layers: Vec<LoadedLayer>,
    last_norm: Option<LoadedNorm>,
    head: Option<LoadedHead>,
    relative: Option<Table>,
    /// Those of the layers, each once.
    rotary: Vec<Rotary>,
    positions: Mutex<Arc<Positions>>,
    buffers: Mutex<Vec<Buffers>>,
}

/// Why the encoder does not know a model by its `config.json`, if it does not: the beginning of a sentence.
#[must_use]
pub fn refuses(config: &Object, product: Product) -> Option<String> {
    let purpose = match product {
        Product::Embedder => Purpose::Tokens,
        Product::Reranker => Purpose::Labels(1),
    };
    match families::plan(config, purpose) {
        Ok(_) => None,
        Err(Refusal::Unknown(reason)) => Some(reason),
        Err(Refusal::Broken(error)) => Some(error.to_string()),
    }
}

/// Which rows of these lengths run together: longest first, up to so many tokens.
#[must_use]
pub fn groups(lengths: &[usize]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).filter(|row| lengths[*row] > 0).collect();
    order.sort_by_key(|row| (std::cmp::Reverse(lengths[*row]), *row));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut tokens = 0;
    for row in order {
        tokens += lengths[row];
        match groups.last_mut() {
            Some(group) if tokens <= GROUP_TOKENS => group.push(row),
            _ => {
                tokens = lengths[row];
                groups.push(vec![row]);
            }
        }
    }
    groups
}

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
            let purpose = match &spec.head {
                HeadSpec::Embedding(_) => Purpose::Tokens,
                HeadSpec::Score(head) => Purpose::Labels(weights::labels(tensors).unwrap_or(head.labels)),
            };
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
        let OnnxWeights { tensors, buffers, inputs, outputs } = graph;
        let mut plan = plan(&tensors)?;
        let weights = Weights::new(&file.relative, tensors, &plan)?;
        let graph = OnnxWeights { tensors: BTreeMap::new(), buffers, inputs, outputs };
        let same = |found: &str, name: &str| weights.is(found, name);
        let uses_types = expected::graph_uses_types(&file.relative, &plan, &graph, &same)?;
        plan.embedding.all_of_first_type |= !uses_types;
        Encoder::new(plan, &weights, format, level)
    }

    fn new(plan: Plan, weights: &Weights<'_>, format: Format, level: Level) -> Understood<Self> {
        let width = plan.embedding.width;
        let embedding = &plan.embedding;
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
            words: weights.table(&embedding.words, width)?,
            places: embedding.positions.as_ref().map(|of| weights.table(&of.tensor, width)).transpose()?,
            types: embedding.types.as_ref().map(|name| weights.table(name, width)).transpose()?,
            embedding_norm: embedding.norm.as_ref().map(|norm| weights.norm(norm)).transpose()?,
            projection: embedding
                .projection
                .as_ref()
                .map(|linear| weights.linear(linear, Format::Float))
                .transpose()?,
            layers: on_all_cores(&plan.layers, |layer| LoadedLayer::new(layer, format, weights))?,
            last_norm: plan.last_norm.as_ref().map(|norm| weights.norm(norm)).transpose()?,
            head: plan.head.as_ref().map(|head| LoadedHead::new(head, weights)).transpose()?,
            relative,
            rotary,
            positions: Mutex::default(),
            buffers: Mutex::default(),
            plan,
        };
        weights.finish(&encoder.plan)?;
        Ok(encoder)
    }

    /// What a run gives.
    #[must_use]
    pub fn output_kind(&self) -> OutputKind {
        if self.head.is_some() { OutputKind::Logits } else { OutputKind::Tokens }
    }

    /// The instruction set that is used.
    #[must_use]
    pub fn level(&self) -> Level {
        self.kernels.level
    }

    /// Runs rows of tokens together and gives the result to `read`. Safe from several threads at once.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the tokenizer gives a token, or a text has a position, that the network has no vector for; those
    /// of `read`.
    pub fn run(
        &self,
        rows: &[&TokenRow],
        gang: Gang<'_>,
        read: &mut dyn FnMut(&RunOutput<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut end = 0;
        let span = |row: &&TokenRow| {
            let start = end;
            end += row.ids.len();
            start..end
        };
        let texts: Vec<Range<usize>> = rows.iter().map(span).collect();
        let longest = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        let positions = self.positions(longest);
        let mut buffers = self.take_buffers();
        let hidden = self.plan.hidden;
        self.embed(rows, gang, &mut buffers)?;
        let run = Run {
            kernels: &self.kernels,
            gang,
            texts: Texts(&texts),
            attention: &self.plan.attention,
            positions: &positions,
            hidden,
        };
        for layer in &self.plan.order {
            self.layers[*layer].run(run, &mut buffers);
        }
        if let Some(norm) = &self.last_norm {
            norm.apply_rows(&self.kernels, gang, &mut buffers.states);
        }
        let wrong = |error: ndarray::ShapeError| Error::Internal(error.to_string());
        let result = match &self.head {
            Some(head) => {
                let logits = head.run(&self.kernels, &buffers.states, hidden, &texts);
                read(&RunOutput::Rows(logits.view()))
            }
            None => {
                let hidden = ArrayView2::from_shape((end, hidden), &buffers.states).map_err(wrong)?;
                read(&RunOutput::Tokens(TokenVectors { hidden, spans: &texts }))
            }
        };
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
        result
    }

    /// Writes the vectors that the first layer gets to `buffers.states`.
    fn embed(&self, rows: &[&TokenRow], gang: Gang<'_>, buffers: &mut Buffers) -> Result<()> {
        let (width, hidden) = (self.plan.embedding.width, self.plan.hidden);
        let tokens: usize = rows.iter().map(|row| row.ids.len()).sum();
        let padding = self.plan.embedding.positions.as_ref().and_then(|places| places.padding);
        let into = if self.projection.is_some() { &mut buffers.branch } else { &mut buffers.states };
        into.resize(tokens * width);
        let mut added = vec![0.0; width];
        let mut places = into.chunks_exact_mut(width);
        for row in rows {
            let mut next = padding.map_or(0, |padding| padding as usize + 1);
            for (id, kind) in row.ids.iter().zip(&row.type_ids) {
                let Some(vector) = places.next() else { break };
                read(&self.words, *id as usize, vector, "token")?;
                if self.plan.embedding.scale != 1.0 {
                    vector.iter_mut().for_each(|number| *number *= self.plan.embedding.scale);
                }
                if let Some(types) = &self.types {
                    let kind = if self.plan.embedding.all_of_first_type { 0 } else { *kind as usize };
                    read(types, kind, &mut added, "token type")?;
                    self.kernels.add(vector, &added);
                }
                if let Some(table) = &self.places {
                    let place = if padding == Some(*id) { *id as usize } else { next };
                    next += usize::from(padding != Some(*id));
                    read(table, place, &mut added, "position")?;
                    self.kernels.add(vector, &added);
                }
                if let Some(norm) = &self.embedding_norm {
                    norm.apply(&self.kernels, vector);
                }
            }
        }
        if let Some(projection) = &self.projection {
            let mut operand = kernel::Operand::new(Format::Float);
            operand.fill(&self.kernels, gang, &buffers.branch, width, width);
            buffers.states.resize(tokens * hidden);
            kernel::product(&self.kernels, gang, &operand, projection, &mut buffers.states, hidden);
        }
        Ok(())
    }

    fn take_buffers(&self) -> Buffers {
        let kept = self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| Buffers::new(self.format))
    }

    /// Tables for texts of so many tokens.
    fn positions(&self, longest: usize) -> Arc<Positions> {
        let mut positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
        if positions.length < longest {
            let length = longest.next_power_of_two();
            let made = Positions::new(length, &self.rotary, &self.plan.attention, self.relative.as_ref());
            *positions = Arc::new(made);
        }
        positions.clone()
    }

    /// Bytes of weights in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(LoadedLayer::bytes).sum()
    }
}

fn read(table: &Table, row: usize, to: &mut [f32], what: &str) -> Result<()> {
    if row >= table.rows() {
        return Err(Error::invalid_model(format!(
            "A text has the {what} {row}, but the network has vectors for {} only. The model's files do not fit each other: copy or \
             download them again",
            table.rows()
        )));
    }
    table.read(row, to);
    Ok(())
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
