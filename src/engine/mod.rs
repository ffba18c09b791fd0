//! A loaded model and the way of a call through it: tokens, batches, runs, answer. Both products share it; they differ
//! in their [`Inputs`] and their [`Head`].

mod count;
mod encode;
mod pool;
mod request;
mod run;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use encode::Short;
pub use request::{Answer, Counted, Head, Inputs, Request, Rows, Ticket};

use self::count::CountStage;
use self::encode::Call;
use self::pool::Pool;
use crate::error::{Error, Result};
use crate::files::ModelFolder;
use crate::head::Layers;
use crate::network::{Gang, Network, OutputKind, Placement, RunOutput, Team};
use crate::options::{LoadOptions, Truncation};
use crate::reply::Reply;
use crate::scheduler::{QueueLimits, Scheduler};
use crate::spec::{HeadSpec, ModelSpec, NetworkFile};
use crate::tokenizer::{Limit, TokenRow, Tokenizer};

/// A loaded model.
#[derive(Debug)]
pub struct Engine {
    /// What the model's files say.
    pub spec: ModelSpec,
    /// The options that it was loaded with.
    pub options: LoadOptions,
    /// Numbers a token (behind `token_layers`), a sentence pooled inside the graph, or a pair has.
    pub width: usize,
    /// Dense layers before pooling.
    pub(crate) token_layers: Layers,
    /// What follows pooling.
    pub(crate) layers: Layers,
    tokenizer: Tokenizer,
    network: Network,
    scheduler: Scheduler,
    /// Small calls that may run together.
    pool: Pool,
}

impl Engine {
    /// Reads the model's files, opens the graph and runs it once, so that a graph that does not work fails here.
    ///
    /// # Errors
    /// Those of [`ModelFolder::open`], [`ModelSpec::read`], [`Tokenizer::load`] and [`Network::load`].
    pub fn load(options: LoadOptions) -> Result<Self> {
        let folder = ModelFolder::open(&options.path)?;
        Engine::load_from(&folder, options)
    }

    /// As [`Engine::load`], with a folder whose files may still have to be fetched.
    ///
    /// # Errors
    /// As [`Engine::load`], and those of fetching.
    pub fn load_from(folder: &ModelFolder, options: LoadOptions) -> Result<Self> {
        let placement = Placement::find(&options)?;
        let mut spec = Network::spec(folder, &options, &placement)?;
        let (token_layers, layers) = match &spec.head {
            HeadSpec::Embedding(head) => {
                (Layers::load(folder, &head.token_layers)?, Layers::load(folder, &head.steps)?)
            }
            HeadSpec::Score(_) => (Layers::default(), Layers::default()),
        };
        let tokenizer = Tokenizer::load(&spec.tokenizer)?;
        // Nobody else reads it, and a large vocabulary is tens of megabytes.
        spec.tokenizer.json = Arc::default();
        let network = Network::load(folder, &spec, &options, placement)?;
        if let Some(length) = network.fixed_length() {
            spec.max_length = spec.max_length.within(length, &options, &network.file().relative)?;
        }
        let limits = QueueLimits { calls: options.queue_calls, tokens: options.queue_tokens };
        let scheduler = Scheduler::start(options.threads, limits, network.runs_at_once())?;
        let mut engine = Engine {
            spec,
            options,
            width: 0,
            token_layers,
            layers,
            tokenizer,
            network,
            scheduler,
            pool: Pool::default(),
        };
        engine.width = engine.measure()?;
        engine.check()?;
        Ok(engine)
    }

    /// What runs the network, and where.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What the network was read from.
    #[must_use]
    pub fn file(&self) -> &NetworkFile {
        self.network.file()
    }

    /// What the network gives.
    #[must_use]
    pub fn output_kind(&self) -> OutputKind {
        self.network.output_kind()
    }

    /// Runs two short rows to learn the output's width, which many graphs leave open. Two, so that a graph that was exported
    /// for one row fails here if it does not say so.
    fn measure(&self) -> Result<usize> {
        let id = self.spec.tokenizer.pad_id;
        let length = self.network.fixed_length().map_or(3, |length| length.min(3));
        let row = TokenRow { ids: vec![id; length], type_ids: vec![0; length], truncated: false };
        let mut width = 0;
        let mut read = |output: &RunOutput<'_>| {
            width = match output {
                RunOutput::Tokens(tokens) => self.token_layers.dimensions(tokens.hidden.ncols())?,
                RunOutput::Rows(rows) => rows.ncols(),
            };
            Ok(())
        };
        self.network.run(&[&row, &row], Gang::solo(), &mut read).map_err(|error| self.explain(error))?;
        Ok(width)
    }

    /// A graph may be made for one shape without declaring it.
    fn explain(&self, error: Error) -> Error {
        let said = error.causes().join(" ");
        let of_shapes = ["reshape", "broadcast", "dimension", "shape"];
        if !of_shapes.iter().any(|word| said.to_lowercase().contains(word)) {
            return error;
        }
        Error::ModelUnsupported(format!(
            "{} does not run on two texts of three tokens. A graph that was exported for a fixed number of rows or tokens fails like \
             this: export the model again with open (dynamic) axes for both. ONNX Runtime says: {said}",
            self.network.file().relative
        ))
    }

    /// The parts of the model must fit each other.
    fn check(&mut self) -> Result<()> {
        let fits = match &self.spec.head {
            HeadSpec::Embedding(head) if self.output_kind() == OutputKind::Tokens => {
                self.layers.dimensions(self.width * head.pooling.len()).map(|_| None)
            }
            HeadSpec::Embedding(_) => Ok(None),
            HeadSpec::Score(head) => head.of_network(self.width, &self.network.file().relative).map(Some),
        };
        if let Some(head) = fits? {
            self.spec.head = HeadSpec::Score(head);
        }
        Ok(())
    }

    /// UTF-16 units of a text that a caller passes first, so that long texts are not copied whole.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the limit does not fit the model.
    pub fn prefix_units(&self, max_length: Option<usize>) -> Result<usize> {
        Ok(self.spec.max_length.of(max_length)?.saturating_mul(8).saturating_add(256))
    }

    /// The call's choice, else the loaded one, else the repository's.
    #[must_use]
    pub fn truncation(&self, call: Option<Truncation>) -> Truncation {
        call.or(self.options.truncation).unwrap_or(self.spec.tokenizer.truncation)
    }

    /// Tokens of the prompt alone; see [`Tokenizer::prompt_length`].
    pub(crate) fn prompt_length(&self, prompt: &str, limit: Limit) -> Result<usize> {
        self.tokenizer.prompt_length(prompt, limit)
    }

    /// Runs a call. The answer comes on another thread.
    pub fn submit<H: Head>(self: &Arc<Self>, request: Request<H>, reply: Reply<Answer<H>>) {
        let estimate = request.inputs.estimate(request.limit.tokens);
        let admission = match self.scheduler.admit(estimate, request.rows.is_continued()) {
            Ok(admission) => admission,
            Err(error) => return reply.send(Err(error)),
        };
        match Call::new(self.clone(), request, admission) {
            Ok(call) => call.encode(reply),
            Err(error) => reply.send(Err(error)),
        }
    }

    /// Runs rows together, on all workers that have nothing else to do.
    fn run(&self, rows: &[&TokenRow], read: &mut dyn FnMut(&RunOutput<'_>) -> Result<()>) -> Result<()> {
        if !self.network.takes_help() || !self.scheduler.has_idle_workers() {
            return self.network.run(rows, Gang::solo(), read);
        }
        let team = Team::new(self.options.threads);
        self.scheduler.with_help(team.clone(), || team.gather(|gang| self.network.run(rows, gang, read)))
    }

    /// Counts the tokens of whole texts, special tokens included, before truncation.
    pub fn count(self: &Arc<Self>, texts: Vec<String>, ticket: Ticket, rows: Rows, reply: Reply<Vec<u32>>) {
        CountStage::submit(self, texts, ticket, rows, reply);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
