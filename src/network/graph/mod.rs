//! A network that is an ONNX graph: one session of ONNX Runtime, on the CPU or another device. `ort` is used in this folder only.
//!
//! On the CPU a session runs from several threads at once, and each run is single-threaded; the workers run many at a time. That is
//! faster than one run on all cores, because a run's small batches keep one core busy and need no waiting for each other
//! (docs/performance.md). Other devices get one large run after the other.

mod batch;
mod budget;
mod driver;
mod environment;
mod frame;
mod hardware;
mod inputs;
mod output;
mod platform;
mod probe;
mod provider;
mod refusal;
mod report;
mod run;
mod runtime;
mod session;
mod weights;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ort::session::Session;

pub use driver::Gpu;
pub use environment::{runtime_version, set_library, set_surroundings};
pub use hardware::{Available, Hardware, OnnxRuntime, hardware};
pub use provider::DeviceMemory;
pub use runtime::{Surroundings, VARIABLES};

pub(super) use self::environment::check_named;
pub(super) use self::output::outputs;
pub(super) use self::platform::{gpus, order};
pub(super) use self::probe::works;
pub(super) use self::provider::{Provider, cpu, of as provider_of, plugin};

use self::batch::Batch;
use self::budget::Budget;
use self::frame::Frame;
use self::inputs::Input;
use self::output::{Output, OutputName, choose_output};
use self::provider::RunTokens;
use super::{OutputKind, RunOutput, TokenVectors};
use crate::error::{Error, Result};
use crate::options::DType;
use crate::spec::{ModelSpec, NetworkFile};
use crate::tokenizer::TokenRow;

/// A loaded graph.
#[derive(Debug)]
pub struct Graph {
    session: Session,
    provider: Arc<dyn Provider>,
    /// Graph nodes by provider, as ONNX Runtime assigned them.
    nodes: BTreeMap<String, usize>,
    /// Held by a run, where one session does not run several at a time.
    turn: Mutex<()>,
    /// Files of weights that the session reads from memory. Behind it: a field goes after those before it.
    _weights: Vec<Arc<[u8]>>,
    inputs: Vec<Input>,
    frame: Frame,
    pad_id: u32,
    output: OutputName,
    position_offset: usize,
    budget: Budget,
    /// Whether a row's result depends on the rows that run with it only by rounding.
    is_float: bool,
    /// The file's name, for messages.
    file: String,
}

impl Graph {
    /// Opens the graph.
    ///
    /// # Errors
    /// [`Error::Runtime`] where ONNX Runtime cannot be opened, [`Error::ModelInvalid`] where the file is damaged,
    /// [`Error::ModelUnsupported`] where the graph asks for inputs or has outputs that are not known.
    pub(super) fn load(spec: &ModelSpec, graph: &NetworkFile, provider: Arc<dyn Provider>) -> Result<Self> {
        let environment = environment::get()?;
        let weights = weights::in_memory(graph)?;
        let session = session::open(environment, graph, &weights, &*provider)
            .map_err(|error| refusal::explain(graph, &error, &*provider))?;
        let nodes = report::nodes(&session)
            .map_err(|error| Error::runtime("ONNX Runtime does not say where nodes run", error.to_string()))?;
        let file = graph.relative.clone();
        let (inputs, frame) = inputs::known(&session, &file)?;
        let output = choose_output(&session, &spec.head.wanted(), &file)?;
        let is_float = graph.dtype.is_none_or(|dtype| matches!(dtype, DType::Fp32 | DType::Fp16));
        let tokens = match provider.run_tokens() {
            RunTokens::Fixed(tokens) if !is_float => tokens + tokens / 2,
            RunTokens::Fixed(tokens) => tokens,
            // Until it is tried out.
            RunTokens::Measured => 256,
        };
        Ok(Graph {
            session,
            nodes,
            turn: Mutex::new(()),
            _weights: weights.into_iter().map(|(_, bytes)| bytes).collect(),
            inputs,
            frame,
            pad_id: spec.tokenizer.pad_id,
            budget: Budget::new(tokens).of_width(output.width.filter(|_| output.kind == OutputKind::Tokens)),
            output,
            position_offset: spec.position_offset,
            is_float,
            file,
            provider,
        })
    }

    /// Runs two short rows on a device other than the CPU, which may open a graph and not run it, and finds out how many tokens a run of
    /// it should have.
    ///
    /// # Errors
    /// Those of the run.
    pub(super) fn try_out(&self, longest: usize) -> Result<()> {
        if self.provider.is_shared() {
            return Ok(());
        }
        let length = self.frame.length.unwrap_or(longest.clamp(1, 3));
        let row = TokenRow { ids: vec![self.pad_id; length], type_ids: vec![0; length], truncated: false, unseen: 0 };
        self.run_batch(&Batch::pad(&[&row, &row], self.pad_id))?;
        if self.provider.run_tokens() == RunTokens::Measured {
            self.measure(longest);
        }
        Ok(())
    }

    /// Finds out how many tokens a run should have.
    fn measure(&self, longest: usize) {
        let length = self.frame.length.unwrap_or(longest.clamp(1, 128));
        let ids = vec![self.pad_id; length];
        let row = TokenRow { type_ids: vec![0; length], ids, truncated: false, unseen: 0 };
        self.budget.measure(|tokens| {
            let batch = Batch::pad(&vec![&row; (tokens / length).max(1)], self.pad_id);
            let start = Instant::now();
            // Not in halves: whether it fits as a whole is what is asked.
            let output = match self.frame.pieces(&batch, self.pad_id) {
                None => self.run_once(&batch),
                Some(_) => self.run_batch(&batch),
            };
            output.ok().map(|_| start.elapsed())
        });
    }

    /// The provider of the nodes that are not on the CPU.
    pub(super) fn provider(&self) -> &dyn Provider {
        &*self.provider
    }

    /// Graph nodes by provider.
    pub(super) fn nodes(&self) -> &BTreeMap<String, usize> {
        &self.nodes
    }

    /// How many nodes are on the provider's device, and how many there are.
    pub(super) fn nodes_on_device(&self) -> (usize, usize) {
        session::on_device(&self.nodes, &*self.provider)
    }

    /// What the session uses of a memory that is bounded.
    pub(super) fn memory(&self) -> Option<DeviceMemory> {
        self.provider.memory(&self.session)
    }

    /// How many runs may go on at a time; `None` for any number.
    pub(super) fn runs_at_once(&self) -> Option<usize> {
        // One is on the device, while another one's numbers are put in order before it or after it.
        (!self.provider.is_shared()).then_some(2)
    }

    /// Whether rows of several calls may run together: where a run is large, and a row does not depend on the others.
    pub(super) fn packs(&self) -> bool {
        !self.provider.is_shared() && self.is_float
    }

    /// Tokens that every row has, where the graph was exported for one length: shorter rows are padded to it, longer ones do
    /// not fit.
    #[must_use]
    pub fn fixed_length(&self) -> Option<usize> {
        self.frame.length
    }

    /// Whether the graph is told which tokens are seen.
    pub(super) fn has_mask(&self) -> bool {
        self.frame.mask
    }

    /// What a run gives.
    #[must_use]
    pub fn output_kind(&self) -> OutputKind {
        self.output.kind
    }

    /// Whether so many rows are within the tokens of a run, padding included.
    pub(super) fn fits(&self, longest: usize, rows: usize) -> bool {
        rows * self.frame.length.unwrap_or(longest) <= self.budget.tokens()
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
        let Some(pieces) = self.frame.pieces(batch, self.pad_id) else { return self.run_fitting(batch) };
        let outputs = pieces.into_iter().map(|piece| Ok((piece.rows, self.run_fitting(&piece.batch)?)));
        Output::of_parts(batch.ids.nrows(), outputs.collect::<Result<_>>()?)
    }

    /// Runs a batch, in parts where the device's memory is not enough for the whole.
    fn run_fitting(&self, batch: &Batch) -> Result<Output> {
        let rows = batch.ids.nrows();
        let longest = |part: &Range<usize>| self.frame.length.unwrap_or_else(|| batch.longest(part));
        let run = |part: Range<usize>| {
            if part == (0..rows) {
                return self.run_once(batch);
            }
            self.run_once(&batch.part(part.clone(), part.len(), longest(&part), self.pad_id))
        };
        // A graph for one number of rows has none to give away.
        if self.provider.is_shared() || self.frame.rows.is_some() {
            return run(0..rows);
        }
        let parts = self
            .budget
            .fitting(rows, |part| part.len() * longest(part), &run)
            .map_err(|error| self.too_large(error))?;
        Output::of_parts(rows, parts)
    }

    /// What the user can do where a row alone does not fit into the device's memory.
    fn too_large(&self, error: Error) -> Error {
        if !budget::is_of_memory(&error) {
            return error;
        }
        let limit = self.memory().map_or_else(String::new, |memory| format!(" of {} bytes", memory.limit));
        Error::runtime(
            format!(
                "{}: a text does not fit into the device's memory{limit}. Set `maxLength` lower, `gpuMemoryLimit` higher, or use the CPU",
                self.file
            ),
            error,
        )
    }

    fn run_once(&self, batch: &Batch) -> Result<Output> {
        let failed =
            |error: ort::Error| Error::runtime(format!("{}: the network failed", self.file), error.to_string());
        let values = inputs::values(&self.inputs, batch, self.position_offset).map_err(failed)?;
        let turn = (!self.provider.is_shared()).then(|| self.turn.lock().unwrap_or_else(PoisonError::into_inner));
        let output = run::run(&self.session, &values, &self.output.name).map_err(failed)?;
        drop(turn);
        self.output.read(&output, batch, &self.file)
    }
}

#[cfg(test)]
mod tests;
