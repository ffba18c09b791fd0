//! The network: one ONNX Runtime session on the CPU, run from several threads at once. `ort` is used in this folder
//! only.
//!
//! Each run is single-threaded; the workers run many at a time. That is faster than one run on all cores, because a
//! run's small batches keep one core busy and need no waiting for each other (docs/performance.md).

mod environment;
mod inputs;
mod run;

use std::path::Path;

use ndarray::{Array2, Array3};
use ort::session::Session;
use ort::value::{DynValue, TensorElementType};

pub use environment::{runtime_version, set_library};

use self::inputs::Input;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::options::{DType, Product};
use crate::spec::{GraphFile, ModelSpec};

/// A loaded network.
#[derive(Debug)]
pub struct Network {
    session: Session,
    inputs: Vec<Input>,
    output: Output,
    position_offset: usize,
    /// The file's name, for messages.
    file: String,
}

/// The graph's output that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Output {
    name: String,
    kind: OutputKind,
}

/// What the graph gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// `[batch, tokens, hidden]`: token vectors.
    Tokens,
    /// `[batch, dimensions]`: vectors that were pooled inside the graph.
    Sentences,
    /// `[batch, labels]`
    Logits,
}

/// A run's result.
#[derive(Debug)]
pub enum RunOutput {
    /// `[batch, tokens, hidden]`
    Tokens(Array3<f32>),
    /// `[batch, dimensions]` or `[batch, labels]`
    Rows(Array2<f32>),
}

impl Network {
    /// Opens the graph.
    ///
    /// # Errors
    /// [`Error::Runtime`] where ONNX Runtime cannot be opened, [`Error::ModelInvalid`] where the file is damaged,
    /// [`Error::ModelUnsupported`] where the graph asks for inputs or has outputs that are not known.
    pub fn load(spec: &ModelSpec, product: Product) -> Result<Self> {
        let environment = environment::get()?;
        let graph = &spec.graph;
        let session = open(environment, &graph.path, graph.dtype).map_err(|error| load_error(graph, &error))?;
        let file = graph.relative.clone();
        let inputs = inputs::known(&session, &file)?;
        let output = choose_output(&session, product, &file)?;
        Ok(Network { session, inputs, output, position_offset: spec.position_offset, file })
    }

    /// What a run gives.
    #[must_use]
    pub fn output_kind(&self) -> OutputKind {
        self.output.kind
    }

    /// Runs one batch. Safe from several threads at once.
    ///
    /// # Errors
    /// [`Error::Runtime`] where ONNX Runtime fails, [`Error::ModelInvalid`] where the output's shape is not that of the
    /// batch.
    pub fn run(&self, batch: &Batch) -> Result<RunOutput> {
        let failed =
            |error: ort::Error| Error::runtime(format!("{}: the network failed", self.file), error.to_string());
        let values = inputs::values(&self.inputs, batch, self.position_offset).map_err(failed)?;
        let output = run::run(&self.session, &values, &self.output.name).map_err(failed)?;
        self.read(&output, batch)
    }

    fn read(&self, value: &DynValue, batch: &Batch) -> Result<RunOutput> {
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
                "{}: the output \"{}\" has the shape {shape:?} for a batch of {rows} rows and {width} tokens",
                self.file, self.output.name
            ))
        };
        if !fits {
            return Err(wrong());
        }
        Ok(match self.output.kind {
            OutputKind::Tokens => {
                RunOutput::Tokens(Array3::from_shape_vec((rows, width, shape[2]), data).map_err(|_| wrong())?)
            }
            _ => RunOutput::Rows(Array2::from_shape_vec((rows, shape[1]), data).map_err(|_| wrong())?),
        })
    }
}

fn open(environment: &ort::environment::Environment, path: &Path, dtype: Option<DType>) -> ort::Result<Session> {
    let mut builder = Session::builder(environment)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        // Spinning keeps cores busy between runs; the memory pattern grows with every new shape.
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .with_memory_pattern(false)?;
    if dtype.is_none_or(|dtype| !matches!(dtype, DType::Fp32 | DType::Fp16)) && !has_vnni() {
        // Without VNNI, x86's 8-bit products saturate in 16 bits; this trades some speed for right sums.
        builder = builder.with_precise_qmm()?;
    }
    builder.commit_from_file(path)
}

#[cfg(target_arch = "x86_64")]
fn has_vnni() -> bool {
    std::is_x86_feature_detected!("avx512vnni") || std::is_x86_feature_detected!("avxvnni")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_vnni() -> bool {
    true
}

fn load_error(graph: &GraphFile, error: &ort::Error) -> Error {
    let file = &graph.relative;
    let message = error.message();
    let mentions = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let external = mentions(&["external data", "External data", "external_data"]);
    if external
        && mentions(&["not exist", "No such file", "cannot open", "failed to open", "Failed to open", "not found"])
    {
        return Error::FileNotFound(format!(
            "{file} keeps its weights in another file, which is missing. Put it beside {file}. ONNX Runtime says: {message}"
        ));
    }
    match error.code() {
        ort::ErrorCode::NotImplemented => Error::ModelUnsupported(format!(
            "{file} uses an operator that ONNX Runtime does not have on the CPU: {message}"
        )),
        ort::ErrorCode::NoSuchFile => Error::FileNotFound(format!("{file} could not be opened: {message}")),
        _ => Error::invalid_model_because(
            format!("{file} is not an ONNX graph that can be used. Copy or download the file again"),
            message.to_owned(),
        ),
    }
}

fn choose_output(session: &Session, product: Product, file: &str) -> Result<Output> {
    let wanted: &[(&str, OutputKind)] = match product {
        Product::Embedder => &[
            ("last_hidden_state", OutputKind::Tokens),
            ("token_embeddings", OutputKind::Tokens),
            ("sentence_embedding", OutputKind::Sentences),
        ],
        Product::Reranker => &[("logits", OutputKind::Logits)],
    };
    let has = |name: &str| session.outputs().iter().any(|output| output.name() == name);
    wanted
        .iter()
        .find(|(name, _)| has(name))
        .map(|(name, kind)| Output { name: (*name).to_owned(), kind: *kind })
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
