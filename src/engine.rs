//! A loaded model and the way of a call through it: tokens, batches, runs, answer. Both products share it; they differ
//! in their [`Inputs`] and their [`Head`].

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::batch::{Batch, plan};
use crate::error::{Error, Result};
use crate::files::ModelFolder;
use crate::head::Layers;
use crate::options::{DType, LoadOptions, Truncation};
use crate::reply::Reply;
use crate::scheduler::{Admission, QueueLimits, Scheduler, Stage};
use crate::session::{Network, OutputKind, RunOutput};
use crate::spec::{HeadSpec, ModelSpec};
use crate::tokenizer::{Encoding, Part, ShortParts, TokenRow, Tokenizer};

/// Texts that one piece of tokenising work holds.
const TEXTS_PER_PIECE: usize = 16;

/// A loaded model.
#[derive(Debug)]
pub struct Engine {
    /// What the model's files say.
    pub spec: ModelSpec,
    /// The options that it was loaded with.
    pub options: LoadOptions,
    /// Width of the network's output: hidden size, dimensions or labels.
    pub width: usize,
    pub(crate) layers: Layers,
    tokenizer: Tokenizer,
    network: Network,
    scheduler: Scheduler,
}

impl Engine {
    /// Reads the model's files, opens the graph and runs it once, so that a graph that does not work fails here.
    ///
    /// # Errors
    /// Those of [`ModelFolder::open`], [`ModelSpec::read`], [`Tokenizer::load`] and [`Network::load`].
    pub fn load(options: LoadOptions) -> Result<Self> {
        let folder = ModelFolder::open(&options.path)?;
        let spec = ModelSpec::read(&folder, &options)?;
        let layers = match &spec.head {
            HeadSpec::Embedding(head) => Layers::load(&folder, &head.steps)?,
            HeadSpec::Score(_) => Layers::default(),
        };
        let tokenizer = Tokenizer::load(&spec.tokenizer)?;
        let network = Network::load(&spec, options.product)?;
        let limits = QueueLimits { calls: options.queue_calls, tokens: options.queue_tokens };
        let scheduler = Scheduler::start(options.threads, limits)?;
        let mut engine = Engine { spec, options, width: 0, layers, tokenizer, network, scheduler };
        engine.width = engine.measure()?;
        engine.check()?;
        Ok(engine)
    }

    /// What the network gives.
    #[must_use]
    pub fn output_kind(&self) -> OutputKind {
        self.network.output_kind()
    }

    /// Runs one short row to learn the output's width, which many graphs leave open.
    fn measure(&self) -> Result<usize> {
        let id = self.spec.tokenizer.pad_id;
        let row = TokenRow { ids: vec![id; 2], type_ids: vec![0; 2], truncated: false };
        Ok(match self.network.run(&Batch::pad(&[&row], id))? {
            RunOutput::Tokens(hidden) => hidden.dim().2,
            RunOutput::Rows(rows) => rows.ncols(),
        })
    }

    /// The parts of the model must fit each other.
    fn check(&self) -> Result<()> {
        match &self.spec.head {
            HeadSpec::Embedding(head) if self.output_kind() == OutputKind::Tokens => {
                self.layers.dimensions(self.width * head.pooling.len()).map(drop)
            }
            HeadSpec::Embedding(_) => Ok(()),
            HeadSpec::Score(head) if head.labels == self.width => Ok(()),
            HeadSpec::Score(head) => Err(Error::invalid_model(format!(
                "config.json declares {} labels but {} gives {}",
                head.labels, self.spec.graph.relative, self.width
            ))),
        }
    }

    /// Tokens of a run. Small batches win on a CPU: padding and cache misses cost more than they save
    /// (docs/performance.md).
    fn batch_tokens(&self) -> usize {
        match self.spec.graph.dtype {
            Some(DType::Fp32) | None => 256,
            Some(_) => 384,
        }
    }

    /// UTF-16 units of a text that a caller passes first, so that long texts are not copied whole; `None`: all.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the limit does not fit the model.
    pub fn prefix_units(&self, max_length: Option<usize>, truncation: Option<Truncation>) -> Result<Option<usize>> {
        let limit = self.spec.max_length.of(max_length)?;
        Ok(match self.truncation(truncation) {
            Truncation::Left => None,
            Truncation::Right | Truncation::Error => Some(limit.saturating_mul(8).saturating_add(256)),
        })
    }

    /// The call's choice, else the loaded one, else the repository's.
    #[must_use]
    pub fn truncation(&self, call: Option<Truncation>) -> Truncation {
        call.or(self.options.truncation).unwrap_or(self.spec.tokenizer.truncation)
    }

    /// Tokens of the prompt alone; see [`Tokenizer::prompt_length`].
    pub(crate) fn prompt_length(&self, prompt: &str, limit: usize, truncation: Truncation) -> Result<usize> {
        self.tokenizer.prompt_length(prompt, limit, truncation)
    }

    /// Runs a call. The answer comes on another thread.
    pub fn submit<H: Head>(self: &Arc<Self>, request: Request<H>, reply: Reply<Answer<H>>) {
        let estimate = request.inputs.estimate(request.limit);
        let admission = match self.scheduler.admit(estimate, request.continued) {
            Ok(admission) => admission,
            Err(error) => return reply.send(Err(error)),
        };
        let rows = request.inputs.rows();
        let call = Call {
            engine: self.clone(),
            head: request.head,
            inputs: request.inputs,
            limit: request.limit,
            truncation: request.truncation,
            ticket: request.ticket,
            admission: Mutex::new(Some(admission)),
            rows: Vec::new(),
        };
        self.encode(call, (0..rows).map(|_| None).collect(), reply);
    }

    fn encode<H: Head>(self: &Arc<Self>, call: Call<H>, rows: Vec<Option<TokenRow>>, reply: Reply<Answer<H>>) {
        let todo: Vec<usize> = (0..rows.len()).filter(|row| rows[*row].is_none()).collect();
        let short = vec![None; rows.len()];
        self.scheduler.submit(Arc::new(EncodeStage {
            ticket: call.ticket.clone(),
            todo,
            state: Mutex::new(Some(EncodeState { rows, short, reply })),
            call: Mutex::new(Some(Arc::new(call))),
        }));
    }

    /// Counts the tokens of whole texts, special tokens included, before truncation.
    pub fn count(self: &Arc<Self>, texts: Vec<String>, ticket: Ticket, reply: Reply<Vec<u32>>) {
        let counts = Mutex::new((vec![0; texts.len()], Some(reply)));
        self.scheduler.submit(Arc::new(CountStage { engine: self.clone(), texts, ticket, counts }));
    }
}

/// The texts of a call.
#[derive(Debug)]
pub enum Inputs {
    /// Single texts, each behind the prompt.
    Texts {
        /// What goes before each text.
        prompt: String,
        /// The texts.
        texts: Vec<Part>,
    },
    /// Pairs: one query for all documents, or one for each. The prompt goes before the query.
    Pairs {
        /// The first texts.
        queries: Vec<Part>,
        /// The second texts.
        documents: Vec<Part>,
    },
}

impl Inputs {
    fn rows(&self) -> usize {
        match self {
            Inputs::Texts { texts, .. } => texts.len(),
            Inputs::Pairs { documents, .. } => documents.len(),
        }
    }

    fn encode(&self, row: usize, tokenizer: &Tokenizer, limit: usize, truncation: Truncation) -> Result<Encoding> {
        match self {
            Inputs::Texts { prompt, texts } => tokenizer.encode(prompt, &texts[row], limit, truncation),
            Inputs::Pairs { queries, documents } => {
                tokenizer.encode_pair(&queries[query_of(queries.len(), row)], &documents[row], limit, truncation)
            }
        }
    }

    /// Tokens that the call may have, before anything is tokenised: a token is rarely shorter than a byte.
    fn estimate(&self, limit: usize) -> usize {
        let parts = match self {
            Inputs::Texts { texts, .. } => texts,
            Inputs::Pairs { documents, .. } => documents,
        };
        parts.iter().map(|part| part.text.len().saturating_add(8).min(limit)).fold(0, usize::saturating_add)
    }
}

fn query_of(queries: usize, row: usize) -> usize {
    if queries == 1 { 0 } else { row }
}

/// A call.
#[derive(Debug)]
pub struct Request<H> {
    /// The texts.
    pub inputs: Inputs,
    /// Tokens a text or pair may have.
    pub limit: usize,
    /// What happens to longer ones.
    pub truncation: Truncation,
    /// What follows the network.
    pub head: H,
    /// For cancelling.
    pub ticket: Ticket,
    /// Whether this belongs to a call that was accepted before.
    pub continued: bool,
}

/// What follows the network, for one product.
pub trait Head: Send + Sync + Sized + 'static {
    /// The call's result.
    type Output: Send + 'static;
    /// Numbers that a row gives.
    fn width(&self) -> usize;
    /// The numbers of the row at `at` of a batch, whose tokens stand at `tokens`. `row` is the caller's, for messages.
    ///
    /// # Errors
    /// [`Error::Numeric`] where they are not finite.
    fn read(&self, output: &RunOutput, at: usize, tokens: Range<usize>, row: usize) -> Result<Vec<f32>>;
    /// The numbers of a text that has no token at all.
    ///
    /// # Errors
    /// Where that has no meaning.
    fn read_nothing(&self, row: usize) -> Result<Vec<f32>>;
    /// The call's result from all rows' numbers.
    ///
    /// # Errors
    /// Where the numbers cannot be put into the form that is asked for.
    fn finish(&self, numbers: Vec<f32>, counted: Counted) -> Result<Self::Output>;
}

/// What a call read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Texts or pairs.
    pub rows: usize,
    /// Tokens that went into the network, special tokens included.
    pub tokens: usize,
    /// Texts or pairs that were cut.
    pub truncated: usize,
}

/// A call's answer.
pub enum Answer<H: Head> {
    /// The result.
    Done(H::Output),
    /// Longer parts of some texts are needed. Nothing has run.
    Short(Box<Short<H>>),
}

/// Cancels a call: clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Ticket(Arc<AtomicBool>);

impl Ticket {
    /// Ends the call: what has not run will not.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A call on its way.
struct Call<H> {
    engine: Arc<Engine>,
    head: H,
    inputs: Inputs,
    limit: usize,
    truncation: Truncation,
    ticket: Ticket,
    /// Held while the call waits.
    admission: Mutex<Option<Admission>>,
    rows: Vec<TokenRow>,
}

/// A call that needs longer parts of some texts.
pub struct Short<H: Head> {
    call: Call<H>,
    rows: Vec<Option<TokenRow>>,
    texts: Vec<usize>,
    queries: Vec<usize>,
}

impl<H: Head> Short<H> {
    /// Texts, or documents, that are too short.
    #[must_use]
    pub fn texts(&self) -> &[usize] {
        &self.texts
    }

    /// Queries that are too short.
    #[must_use]
    pub fn queries(&self) -> &[usize] {
        &self.queries
    }

    /// Goes on with longer parts, in the order of [`Short::texts`] and [`Short::queries`].
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where there are not as many.
    pub fn resume(mut self, texts: Vec<Part>, queries: Vec<Part>, reply: Reply<Answer<H>>) {
        if texts.len() != self.texts.len() || queries.len() != self.queries.len() {
            return reply.send(Err(Error::InvalidArgument(format!(
                "Expected {} texts and {} queries to go on but received {} and {}",
                self.texts.len(),
                self.queries.len(),
                texts.len(),
                queries.len()
            ))));
        }
        let (own_texts, own_queries) = match &mut self.call.inputs {
            Inputs::Texts { texts, .. } => (texts, None),
            Inputs::Pairs { queries, documents } => (documents, Some(queries)),
        };
        for (at, part) in self.texts.iter().zip(texts) {
            own_texts[*at] = part;
        }
        if let Some(own) = own_queries {
            for (at, part) in self.queries.iter().zip(queries) {
                own[*at] = part;
            }
        }
        let engine = self.call.engine.clone();
        engine.encode(self.call, self.rows, reply);
    }
}

/// Turns texts into tokens, some texts a piece.
struct EncodeStage<H: Head> {
    ticket: Ticket,
    todo: Vec<usize>,
    call: Mutex<Option<Arc<Call<H>>>>,
    state: Mutex<Option<EncodeState<H>>>,
}

struct EncodeState<H: Head> {
    rows: Vec<Option<TokenRow>>,
    short: Vec<Option<ShortParts>>,
    reply: Reply<Answer<H>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<H: Head> Stage for EncodeStage<H> {
    fn pieces(&self) -> usize {
        self.todo.len().div_ceil(TEXTS_PER_PIECE)
    }

    fn perform(&self, piece: usize) -> Result<()> {
        let Some(call) = lock(&self.call).clone() else { return Ok(()) };
        let start = piece * TEXTS_PER_PIECE;
        for row in &self.todo[start..self.todo.len().min(start + TEXTS_PER_PIECE)] {
            if self.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let encoding = call.inputs.encode(*row, &call.engine.tokenizer, call.limit, call.truncation)?;
            if let Some(state) = lock(&self.state).as_mut() {
                match encoding {
                    Encoding::Ready(tokens) => state.rows[*row] = Some(tokens),
                    Encoding::Short(parts) => state.short[*row] = Some(parts),
                }
            }
        }
        Ok(())
    }

    fn finish(&self, outcome: Result<()>) {
        let (Some(state), Some(call)) = (lock(&self.state).take(), lock(&self.call).take()) else { return };
        if let Err(error) = outcome {
            return state.reply.send(Err(error));
        }
        // Every piece is done, so nobody else holds the call.
        let Some(mut call) = Arc::into_inner(call) else { return };
        let engine = call.engine.clone();
        if state.short.iter().any(Option::is_some) {
            let (texts, queries) = short_parts(&call.inputs, &state.short);
            let short = Short { call, rows: state.rows, texts, queries };
            return state.reply.send(Ok(Answer::Short(Box::new(short))));
        }
        call.rows = state.rows.into_iter().flatten().collect();
        let lengths: Vec<usize> = call.rows.iter().map(|row| row.ids.len()).collect();
        if let Some(admission) = lock(&call.admission).as_mut() {
            admission.set_tokens(lengths.iter().sum());
        }
        let batches = plan(&lengths, engine.batch_tokens());
        let numbers = vec![0.0; call.head.width() * call.rows.len()];
        let reply = Mutex::new(Some((numbers, state.reply)));
        engine.scheduler.submit(Arc::new(RunStage { call, batches, reply }));
    }

    fn is_cancelled(&self) -> bool {
        self.ticket.is_cancelled()
    }
}

fn short_parts(inputs: &Inputs, short: &[Option<ShortParts>]) -> (Vec<usize>, Vec<usize>) {
    let rows = |wanted: fn(&ShortParts) -> bool| {
        short.iter().enumerate().filter(move |(_, parts)| parts.as_ref().is_some_and(wanted)).map(|(row, _)| row)
    };
    match inputs {
        Inputs::Texts { .. } => (rows(|parts| parts.first).collect(), Vec::new()),
        Inputs::Pairs { queries, .. } => {
            let mut short_queries: Vec<usize> =
                rows(|parts| parts.first).map(|row| query_of(queries.len(), row)).collect();
            short_queries.dedup();
            (rows(|parts| parts.second).collect(), short_queries)
        }
    }
}

/// Runs the batches, one a piece.
struct RunStage<H: Head> {
    call: Call<H>,
    batches: Vec<Vec<usize>>,
    reply: Mutex<Option<(Vec<f32>, Reply<Answer<H>>)>>,
}

impl<H: Head> RunStage<H> {
    fn store(&self, row: usize, numbers: &[f32]) {
        let width = self.call.head.width();
        if let Some((block, _)) = lock(&self.reply).as_mut() {
            block[row * width..(row + 1) * width].copy_from_slice(numbers);
        }
    }

    fn result(&self, numbers: Vec<f32>) -> Result<H::Output> {
        let rows = &self.call.rows;
        self.call.head.finish(
            numbers,
            Counted {
                rows: rows.len(),
                tokens: rows.iter().map(|row| row.ids.len()).sum(),
                truncated: rows.iter().filter(|row| row.truncated).count(),
            },
        )
    }
}

impl<H: Head> Stage for RunStage<H> {
    /// One more than batches: the last is for rows without tokens.
    fn pieces(&self) -> usize {
        self.batches.len() + 1
    }

    fn perform(&self, piece: usize) -> Result<()> {
        let call = &self.call;
        drop(lock(&call.admission).take());
        let Some(batch) = self.batches.get(piece) else {
            for (row, _) in call.rows.iter().enumerate().filter(|(_, tokens)| tokens.ids.is_empty()) {
                self.store(row, &call.head.read_nothing(row)?);
            }
            return Ok(());
        };
        let engine = &call.engine;
        let rows: Vec<&TokenRow> = batch.iter().map(|row| &call.rows[*row]).collect();
        let padded = Batch::pad(&rows, engine.spec.tokenizer.pad_id);
        let output = engine.network.run(&padded)?;
        for (at, row) in batch.iter().enumerate() {
            self.store(*row, &call.head.read(&output, at, padded.spans[at].clone(), *row)?);
        }
        Ok(())
    }

    fn finish(&self, outcome: Result<()>) {
        let Some((numbers, reply)) = lock(&self.reply).take() else { return };
        reply.send(outcome.and_then(|()| self.result(numbers)).map(Answer::Done));
    }

    fn is_cancelled(&self) -> bool {
        self.call.ticket.is_cancelled()
    }
}

/// Counts tokens.
struct CountStage {
    engine: Arc<Engine>,
    texts: Vec<String>,
    ticket: Ticket,
    counts: Mutex<(Vec<u32>, Option<Reply<Vec<u32>>>)>,
}

impl Stage for CountStage {
    fn pieces(&self) -> usize {
        self.texts.len()
    }

    fn perform(&self, piece: usize) -> Result<()> {
        let count = self.engine.tokenizer.count(&self.texts[piece])?;
        lock(&self.counts).0[piece] = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(())
    }

    fn finish(&self, outcome: Result<()>) {
        let mut state = lock(&self.counts);
        let counts = std::mem::take(&mut state.0);
        let reply = state.1.take();
        drop(state);
        if let Some(reply) = reply {
            reply.send(outcome.map(|()| counts));
        }
    }

    fn is_cancelled(&self) -> bool {
        self.ticket.is_cancelled()
    }
}
