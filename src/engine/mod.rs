//! A loaded model and the way of a call through it: tokens, batches, runs, answer. All products share it; they differ
//! in their [`Inputs`] and their [`Head`].

mod chat;
mod chunk;
mod count;
mod encode;
mod placed;
mod pool;
mod request;
mod run;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use placed::Reading;
pub use request::{Answer, Counted, Head, Inputs, Request, Rows, Ticket, Waiting};

use self::chat::{ChatStage, Chats, Setting};
use self::count::CountStage;
use self::encode::Call;
use self::placed::PlacedStage;
use self::pool::Pool;
use crate::error::{Error, Result};
use crate::files::ModelFolder;
use crate::head::Layers;
use crate::network::{Gang, Network, OutputKind, Placement, RunOutput, Team};
use crate::options::{LoadOptions, Task, Truncation};
use crate::reply::Reply;
use crate::scheduler::{QueueLimits, Scheduler};
use crate::spec::{Expansion, HeadSpec, ModelSpec, NetworkFile, Wanted};
use crate::tokenizer::{Limit, TokenRow, Tokenizer};

/// UTF-16 units of a text that are passed first at most: longer ones come in parts, as they would take the JavaScript thread long.
const LONGEST_PREFIX: usize = 1 << 20;

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
    /// Where the model reads chats.
    chats: Option<Chats>,
    network: Network,
    scheduler: Arc<Scheduler>,
    /// Small calls that may run together.
    pool: Pool,
    /// Of a model that treats texts by their task, what runs those of the other routes, by name.
    others: BTreeMap<String, Arc<Engine>>,
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
        let mut engine = Engine::of_route(folder, options, placement, None)?;
        let Some(routes) = &engine.spec.routes else { return Ok(engine) };
        let mut others = BTreeMap::new();
        for name in routes.others() {
            let options = LoadOptions { route: Some(name.to_owned()), ..engine.options.clone() };
            let placement = Placement::find(&options)?;
            let other = Engine::of_route(folder, options, placement, Some(&engine))?;
            others.insert(name.to_owned(), Arc::new(other));
        }
        engine.others = others;
        Ok(engine)
    }

    /// One route of a model, or a model that has no routes. `beside` is another route, whose workers do for this one too.
    fn of_route(
        folder: &ModelFolder,
        options: LoadOptions,
        placement: Placement,
        beside: Option<&Engine>,
    ) -> Result<Self> {
        let mut spec = Network::spec(folder, &options, &placement)?;
        // Of several routes only networks are for a device.
        let is_stored = spec.head.wanted() == Wanted::Weights && spec.routes.is_some();
        let placement = if is_stored { placement.on_cpu() } else { placement };
        let token_layers = Layers::load(folder, spec.head.token_layers())?;
        let layers = Layers::load(folder, spec.head.layers())?;
        let tokenizer = Tokenizer::load(&spec.tokenizer)?;
        let chats = spec.chat.as_ref().map(Chats::new).transpose()?;
        // Nobody else reads it, and a large vocabulary is tens of megabytes.
        spec.tokenizer.json = Arc::default();
        let network = Network::load(folder, &spec, &options, placement)?;
        if let Some(length) = network.fixed_length() {
            spec.max_length = spec.max_length.within(length, &options, &network.file().relative)?;
        }
        let limits = QueueLimits { calls: options.queue_calls, tokens: options.queue_tokens };
        let runs_at_once = network.runs_at_once();
        let scheduler = match beside.filter(|other| other.network.runs_at_once() == runs_at_once) {
            Some(other) => other.scheduler.clone(),
            None => Arc::new(Scheduler::start(options.threads, limits, runs_at_once)?),
        };
        let mut engine = Engine {
            spec,
            options,
            width: 0,
            token_layers,
            layers,
            tokenizer,
            chats,
            network,
            scheduler,
            pool: Pool::default(),
            others: BTreeMap::new(),
        };
        engine.width = engine.measure()?;
        engine.check()?;
        Ok(engine)
    }

    /// What runs texts of this task: this one, where the model treats all alike.
    ///
    /// # Errors
    /// [`Error::ModelUnsupported`] where the model has nothing for the task.
    pub fn of_task(self: &Arc<Self>, task: Option<Task>) -> Result<Arc<Engine>> {
        let Some(routes) = &self.spec.routes else { return Ok(self.clone()) };
        let other = self.others.get(routes.of(task)?);
        Ok(other.unwrap_or(self).clone())
    }

    /// Each token as the tokenizer's vocabulary writes it; an empty name for an id that it does not have.
    #[must_use]
    pub fn names(&self, ids: &[u32]) -> Vec<String> {
        self.tokenizer.names(ids)
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
        let row = TokenRow { ids: vec![id; length], type_ids: vec![0; length], truncated: false, unseen: 0 };
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
        let file = &self.network.file().relative;
        let known = match &self.spec.head {
            HeadSpec::Embedding(head) => {
                if matches!(self.output_kind(), OutputKind::Tokens | OutputKind::Means) {
                    self.layers.dimensions(self.width * head.pooling.len().max(1))?;
                }
                return Ok(());
            }
            HeadSpec::Late(head) => {
                if self.output_kind() != OutputKind::Tokens {
                    return Err(Error::ModelUnsupported(format!(
                        "{file} pools inside the graph, so it gives no vectors of tokens. Export the model again with the output \
                         \"last_hidden_state\""
                    )));
                }
                if let Some(expansion) = &head.expansion {
                    self.expect_room(expansion)?;
                }
                HeadSpec::Late(head.of_tokenizer(&|token| self.tokenizer.id_of(token))?)
            }
            HeadSpec::Bare(_) | HeadSpec::Sparse(_) => return Ok(()),
            HeadSpec::Score(head) => HeadSpec::Score(head.of_network(self.width, file)?),
            HeadSpec::Labels(head) => HeadSpec::Labels(head.of_network(self.width, file)?),
        };
        self.spec.head = known;
        Ok(())
    }

    /// Queries must fit when they are filled up, and the network must be able to leave out what fills them up.
    fn expect_room(&self, expansion: &Expansion) -> Result<()> {
        let file = &self.network.file().relative;
        if let Some(most) = self.spec.max_length.positions.filter(|most| *most < expansion.length) {
            return Err(Error::invalid_model(format!(
                "Queries are filled up to {} tokens, but {file} has positions for {most} only",
                expansion.length
            )));
        }
        if !expansion.attend && !self.network.can_hide() {
            return Err(Error::ModelUnsupported(format!(
                "{file} has no input \"attention_mask\", so it sees the tokens that queries are filled up with, as it should not. Export \
                 the model again with that input"
            )));
        }
        Ok(())
    }

    /// UTF-16 units of a text that a caller passes first, so that long texts are not copied whole.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the limit does not fit the model.
    pub fn prefix_units(&self, max_length: Option<usize>) -> Result<usize> {
        // A template may put anything behind a text, and is rendered with all of it.
        if self.chats.is_some() {
            return self.spec.max_length.of(max_length).map(|_| usize::MAX);
        }
        Ok(self.spec.max_length.of(max_length)?.saturating_mul(8).saturating_add(256).min(LONGEST_PREFIX))
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

    /// Whether texts become chats.
    #[must_use]
    pub fn reads_chats(&self) -> bool {
        self.chats.is_some()
    }

    /// Runs a call by the way that the model has for a task. `request` makes it for that way.
    pub fn submit_for<H: Head>(
        self: &Arc<Self>,
        task: Option<Task>,
        request: impl FnOnce(&Arc<Engine>) -> Result<Request<H>>,
        reply: Reply<Answer<H::Output>>,
    ) {
        match self.of_task(task).and_then(|engine| Ok((request(&engine)?, engine))) {
            Ok((request, engine)) => engine.submit(request, reply),
            Err(error) => reply.send(Err(error)),
        }
    }

    /// Runs a call. The answer comes on another thread.
    pub fn submit<H: Head>(self: &Arc<Self>, request: Request<H>, reply: Reply<Answer<H::Output>>) {
        // Tokens are what a chat would have become.
        if !self.reads_chats() || matches!(request.inputs, Inputs::Tokens(_)) {
            return self.start(request, reply);
        }
        let (setting, texts) = match Setting::of(request.inputs) {
            Ok(chats) => chats,
            Err(error) => return reply.send(Err(error)),
        };
        let engine = self.clone();
        let (limit, call) = (request.limit, (request.ticket.clone(), request.rows.clone()));
        let then = Reply::new(move |rows: Result<Vec<TokenRow>>| match rows {
            Ok(rows) => engine.start(Request { inputs: Inputs::Tokens(rows), ..request }, reply),
            Err(error) => reply.send(Err(error)),
        });
        ChatStage::submit(self, setting, texts, limit, call, then);
    }

    fn start<H: Head>(self: &Arc<Self>, request: Request<H>, reply: Reply<Answer<H::Output>>) {
        let estimate = request.inputs.estimate(request.limit.tokens);
        let admission = match self.scheduler.admit(estimate, request.rows.is_continued()) {
            Ok(admission) => admission,
            Err(error) => return reply.send(Err(error)),
        };
        match Call::new(self.clone(), request, admission) {
            Ok(call) => call.begin(reply),
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

    /// Begins to read a whole text's tokens with their places.
    #[must_use]
    pub fn reading(&self, text: String) -> Reading {
        Reading { reader: self.tokenizer.placed(text), tokens: Vec::new() }
    }

    /// Reads on in texts, until each is over or has `enough` new tokens. The answer comes on another thread.
    pub fn read(
        self: &Arc<Self>,
        texts: Vec<Reading>,
        enough: usize,
        ticket: Ticket,
        rows: Rows,
        reply: Reply<Vec<Reading>>,
    ) {
        PlacedStage::submit(self, texts, enough, ticket, rows, reply);
    }

    /// Tokens of a text that fit into a row of `limit` tokens.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where there is no room.
    pub fn room(&self, limit: usize) -> Result<usize> {
        self.tokenizer.room(limit)
    }

    /// The row of some tokens of a text, and how many special ones come first in it.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the tokenizer fails.
    pub fn framed(&self, ids: impl Iterator<Item = u32>) -> Result<(TokenRow, usize)> {
        self.tokenizer.framed(ids)
    }

    /// Counts the tokens of whole texts, special tokens included, before truncation.
    pub fn count(self: &Arc<Self>, texts: Vec<String>, ticket: Ticket, rows: Rows, reply: Reply<Vec<u32>>) {
        CountStage::submit(self, texts, ticket, rows, reply);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
