//! A network that is an ONNX graph: one ONNX Runtime session on the CPU, run from several threads at once. `ort` is used in
//! this folder only.
//!
//! Each run is single-threaded; the workers run many at a time. That is faster than one run on all cores, because a
//! run's small batches keep one core busy and need no waiting for each other (docs/performance.md).

mod batch;
mod environment;
mod frame;
mod inputs;
mod refusal;
mod run;
mod weights;

use std::sync::Arc;

use ndarray::{Array2, Array3, s};
use ort::session::Session;
use ort::value::{DynValue, TensorElementType};

pub use environment::{runtime_version, set_library};

use self::batch::{Batch, plan};
use self::frame::Frame;
use self::inputs::Input;
use self::weights::Weights;
use super::{OutputKind, RunOutput, TokenVectors};
use crate::error::{Error, Result};
use crate::options::{DType, Product};
use crate::spec::{ModelSpec, NetworkFile};
use crate::tokenizer::TokenRow;

/// A loaded graph.
#[derive(Debug)]
pub struct Graph {
    session: Session,
    /// Files of weights that the session reads from memory. Behind it: a field goes after those before it.
    _weights: Vec<Arc<[u8]>>,
    inputs: Vec<Input>,
    frame: Frame,
    pad_id: u32,
    output: OutputName,
    position_offset: usize,
    /// Tokens of a batch, padding included.
    batch_tokens: usize,
    /// The file's name, for messages.
    file: String,
}

/// The graph's output that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OutputName {
    name: String,
    kind: OutputKind,
}

/// A run's result.
enum Output {
    /// `[batch, tokens, hidden]`
    Tokens(Array3<f32>),
    /// `[batch, dimensions]` or `[batch, labels]`
    Rows(Array2<f32>),
}

impl OutputKind {
    fn axes(self) -> usize {
        match self {
            OutputKind::Tokens => 3,
            OutputKind::Sentences | OutputKind::Logits => 2,
        }
    }
}

impl Graph {
    /// Opens the graph.
    ///
    /// # Errors
    /// [`Error::Runtime`] where ONNX Runtime cannot be opened, [`Error::ModelInvalid`] where the file is damaged,
    /// [`Error::ModelUnsupported`] where the graph asks for inputs or has outputs that are not known.
    pub(super) fn load(spec: &ModelSpec, graph: &NetworkFile, product: Product) -> Result<Self> {
        let environment = environment::get()?;
        let weights = weights::in_memory(graph)?;
        let session = open(environment, graph, &weights).map_err(|error| refusal::explain(graph, &error))?;
        let file = graph.relative.clone();
        let (inputs, frame) = inputs::known(&session, &file)?;
        let output = choose_output(&session, product, &file)?;
        Ok(Graph {
            session,
            _weights: weights.into_iter().map(|(_, bytes)| bytes).collect(),
            inputs,
            frame,
            pad_id: spec.tokenizer.pad_id,
            output,
            position_offset: spec.position_offset,
            batch_tokens: match graph.dtype {
                Some(DType::Fp32) | None => 256,
                Some(_) => 384,
            },
            file,
        })
    }

    /// Tokens that every row has, where the graph was exported for one length: shorter rows are padded to it, longer ones do
    /// not fit.
    #[must_use]
    pub fn fixed_length(&self) -> Option<usize> {
        self.frame.length
    }

    /// What a run gives.
    #[must_use]
    pub fn output_kind(&self) -> OutputKind {
        self.output.kind
    }

    /// Rows of similar length that share a run. Small batches win on a CPU: padding and cache misses cost more than they save
    /// (docs/performance.md).
    pub(super) fn plan(&self, lengths: &[usize]) -> Vec<Vec<usize>> {
        plan(lengths, self.batch_tokens)
    }

    /// Runs rows as one batch. Safe from several threads at once.
    ///
    /// # Errors
    /// [`Error::Runtime`] where ONNX Runtime fails, [`Error::ModelInvalid`] where the output's shape is not that of the
    /// batch.
    pub(super) fn run(&self, rows: &[&TokenRow], read: &mut dyn FnMut(&RunOutput<'_>) -> Result<()>) -> Result<()> {
        let batch = Batch::pad(rows, self.pad_id);
        let output = self.run_batch(&batch)?;
        let (hidden, width) = match output {
            Output::Rows(rows) => return read(&RunOutput::Rows(rows.view())),
            Output::Tokens(tokens) => {
                let (rows, width, hidden) = tokens.dim();
                let flat = tokens.into_shape_with_order((rows * width, hidden));
                (flat.map_err(|error| Error::Internal(error.to_string()))?, width)
            }
        };
        let spans = batch.spans.iter().enumerate().map(|(row, span)| row * width + span.start..row * width + span.end);
        let spans: Vec<_> = spans.collect();
        read(&RunOutput::Tokens(TokenVectors { hidden: hidden.view(), spans: &spans }))
    }

    fn run_batch(&self, batch: &Batch) -> Result<Output> {
        let Some(pieces) = self.frame.pieces(batch, self.pad_id) else { return self.run_once(batch) };
        let width = pieces.iter().map(|piece| piece.batch.ids.ncols()).max().unwrap_or(0);
        let mut whole: Option<Output> = None;
        for piece in pieces {
            let output = self.run_once(&piece.batch)?;
            let (from, count) = (piece.rows.start, piece.rows.len());
            let rows = batch.ids.nrows();
            match output {
                Output::Tokens(tokens) => {
                    let (_, length, hidden) = tokens.dim();
                    let whole = whole.get_or_insert_with(|| Output::Tokens(Array3::zeros((rows, width, hidden))));
                    if let Output::Tokens(whole) = whole {
                        whole.slice_mut(s![from..from + count, ..length, ..]).assign(&tokens.slice(s![
                            ..count,
                            ..,
                            ..
                        ]));
                    }
                }
                Output::Rows(numbers) => {
                    let whole = whole.get_or_insert_with(|| Output::Rows(Array2::zeros((rows, numbers.ncols()))));
                    if let Output::Rows(whole) = whole {
                        whole.slice_mut(s![from..from + count, ..]).assign(&numbers.slice(s![..count, ..]));
                    }
                }
            }
        }
        whole.ok_or_else(|| Error::Internal("a batch without rows was run".into()))
    }

    fn run_once(&self, batch: &Batch) -> Result<Output> {
        let failed =
            |error: ort::Error| Error::runtime(format!("{}: the network failed", self.file), error.to_string());
        let values = inputs::values(&self.inputs, batch, self.position_offset).map_err(failed)?;
        let output = run::run(&self.session, &values, &self.output.name).map_err(failed)?;
        self.read(&output, batch)
    }

    fn read(&self, value: &DynValue, batch: &Batch) -> Result<Output> {
        let (shape, data) = floats(value).map_err(|error| {
            Error::ModelUnsupported(format!("{}: the output \"{}\" {error}", self.file, self.output.name))
        })?;
        let (rows, width) = batch.ids.dim();
        let fits = match (self.output.kind, shape.as_slice()) {
            (OutputKind::Tokens, [r, t, _]) => *r == rows && *t == width,
            (OutputKind::Sentences | OutputKind::Logits, [r, _]) => *r == rows,
            _ => false,
        };
        let wrong = || {
            Error::invalid_model(format!(
                "{}: the output \"{}\" has the shape {shape:?} for a batch of {rows} rows and {width} tokens{}",
                self.file,
                self.output.name,
                if shape.len() == self.output.kind.axes() {
                    ". A graph that was exported for a fixed number of rows or tokens does this: export the model again with open \
                     (dynamic) axes for both"
                } else {
                    ""
                }
            ))
        };
        if !fits {
            return Err(wrong());
        }
        Ok(match self.output.kind {
            OutputKind::Tokens => {
                Output::Tokens(Array3::from_shape_vec((rows, width, shape[2]), data).map_err(|_| wrong())?)
            }
            _ => Output::Rows(Array2::from_shape_vec((rows, shape[1]), data).map_err(|_| wrong())?),
        })
    }
}

fn open(
    environment: &ort::environment::Environment,
    graph: &NetworkFile,
    weights: &[Weights<'_>],
) -> ort::Result<Session> {
    let mut builder = Session::builder(environment)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        // Spinning keeps cores busy between runs; the memory pattern grows with every new shape.
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .with_memory_pattern(false)?;
    if graph.dtype.is_none_or(|dtype| !matches!(dtype, DType::Fp32 | DType::Fp16)) && !has_vnni() {
        // Without VNNI, x86's 8-bit products saturate in 16 bits; this trades some speed for right sums.
        builder = builder.with_precise_qmm()?;
    }
    for (name, bytes) in weights {
        builder = builder.with_external_initializer_file_in_memory(name, bytes.clone())?;
    }
    if !weights.is_empty() {
        // No second copy of them: `Network` keeps the bytes for as long as the session.
        builder = builder.with_config_entry("session.use_external_initializer_file_buffers_directly", "1")?;
    }
    builder.commit_from_file(&graph.path)
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

/// The names that outputs of a kind have, the best known first.
pub(super) fn output_names(kind: OutputKind) -> &'static [&'static str] {
    match kind {
        OutputKind::Tokens => &["last_hidden_state", "token_embeddings"],
        OutputKind::Sentences => &["sentence_embedding"],
        OutputKind::Logits => &["logits"],
    }
}

fn choose_output(session: &Session, product: Product, file: &str) -> Result<OutputName> {
    let kinds: &[OutputKind] = match product {
        Product::Embedder => &[OutputKind::Tokens, OutputKind::Sentences],
        Product::Reranker => &[OutputKind::Logits],
    };
    let named = |kind: &OutputKind| output_names(*kind).iter().map(|name| (*name, *kind)).collect::<Vec<_>>();
    let wanted: Vec<_> = kinds.iter().flat_map(named).collect();
    let has = |name: &str| session.outputs().iter().any(|output| output.name() == name);
    wanted
        .iter()
        .find(|(name, _)| has(name))
        .map(|(name, kind)| OutputName { name: (*name).to_owned(), kind: *kind })
        .ok_or_else(|| {
            let outputs: Vec<_> = session.outputs().iter().map(|output| output.name()).collect();
            let wanted: Vec<_> = wanted.iter().map(|(name, _)| *name).collect();
            Error::ModelUnsupported(format!(
                "{file} has the outputs {}. Expected one of {}",
                outputs.join(", "),
                wanted.join(", ")
            ))
        })
}

/// Shape and numbers of a float tensor of any width.
fn floats(value: &DynValue) -> std::result::Result<(Vec<usize>, Vec<f32>), String> {
    let ort::value::ValueType::Tensor { ty, .. } = value.dtype() else { return Err("is no tensor".into()) };
    macro_rules! read {
        ($number:ty, $convert:expr) => {{
            let (shape, data) = value.try_extract_tensor::<$number>().map_err(|error| error.to_string())?;
            let shape = shape.iter().map(|size| usize::try_from(*size).unwrap_or(0)).collect();
            Ok((shape, data.iter().map($convert).collect()))
        }};
    }
    #[allow(clippy::cast_possible_truncation, reason = "vectors are float32")]
    match ty {
        TensorElementType::Float32 => read!(f32, |number| *number),
        TensorElementType::Float64 => read!(f64, |number| *number as f32),
        TensorElementType::Float16 => read!(half::f16, |number| number.to_f32()),
        TensorElementType::Bfloat16 => read!(half::bf16, |number| number.to_f32()),
        other => Err(format!("has the number format {other:?}. Expected floats")),
    }
}
