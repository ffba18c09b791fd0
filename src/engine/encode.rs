//! The first part of a call's way: texts to tokens, in steps that workers take turns at.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::request::{estimate, query_of};
use super::run::RunStage;
use super::{Answer, Engine, Head, Inputs, Request, Rows, Ticket, lock};
use crate::error::{Error, Result};
use crate::reply::Reply;
use crate::scheduler::{Admission, Stage, Step};
use crate::tokenizer::{Limit, Part, Reader, ShortParts, TokenRow, Tokenizer, Turn};

/// Texts that one piece of tokenising work holds, and bytes beyond which no other joins them: a worker that has begun a
/// piece is not free for other calls before its end, or before its turn is over.
const TEXTS_PER_PIECE: usize = 16;
const BYTES_PER_PIECE: usize = 64 << 10;
/// How long a worker stays with a piece that goes on.
pub(super) const TURN: Duration = Duration::from_millis(20);

/// A call on its way.
pub(super) struct Call<H> {
    pub engine: Arc<Engine>,
    pub head: H,
    pub ticket: Ticket,
    /// Which of the caller's texts or pairs these are.
    pub names: Rows,
    /// Held while the call waits.
    pub admission: Mutex<Option<Admission>>,
    /// The tokens of each text or pair, once all are there.
    pub rows: Vec<TokenRow>,
    limit: Limit,
    texts: Texts,
}

impl<H: Head> Call<H> {
    pub fn new(engine: Arc<Engine>, request: Request<H>, admission: Admission) -> Self {
        Call {
            engine,
            head: request.head,
            ticket: request.ticket,
            names: request.rows,
            admission: Mutex::new(Some(admission)),
            rows: Vec::new(),
            limit: request.limit,
            texts: Texts::new(request.inputs),
        }
    }

    /// Turns the texts into tokens, then runs.
    pub fn encode(self, reply: Reply<Answer<H>>) {
        let rows = (0..self.texts.own.len()).map(|_| None).collect();
        self.go_on(rows, reply);
    }

    /// Turns those texts into tokens that have none in `rows` yet.
    fn go_on(self, rows: Vec<Option<TokenRow>>, reply: Reply<Answer<H>>) {
        let engine = self.engine.clone();
        let todo = (0..rows.len()).filter(|row| rows[*row].is_none());
        let stage = EncodeStage {
            ticket: self.ticket.clone(),
            todo: pieces(todo, |row| lock(&self.texts.own[row]).bytes()),
            state: Mutex::new(Some(EncodeState { short: vec![None; rows.len()], rows, reply })),
            call: Mutex::new(Some(Arc::new(self))),
        };
        engine.scheduler.submit(Arc::new(stage));
    }
}

/// A call's texts, as far as they have been read.
struct Texts {
    prompt: String,
    /// One for all pairs, or one for each; none for single texts.
    queries: Vec<Mutex<Text>>,
    /// The texts, or the pairs' second ones.
    own: Vec<Mutex<Text>>,
}

/// A text before and after somebody has begun to read it.
enum Text {
    Waiting(Part),
    Reading(Box<Reader>),
}

impl Text {
    fn bytes(&self) -> usize {
        match self {
            Text::Waiting(part) => part.text.len(),
            Text::Reading(reader) => reader.waiting(),
        }
    }

    fn resume(&mut self, part: Part) {
        match self {
            Text::Waiting(_) => *self = Text::Waiting(part),
            Text::Reading(reader) => reader.resume(&part),
        }
    }

    fn reader(&mut self, begin: impl FnOnce(Part) -> Result<Reader>) -> Result<&mut Reader> {
        if let Text::Waiting(part) = self {
            *self = Text::Reading(Box::new(begin(std::mem::take(part))?));
        }
        match self {
            Text::Reading(reader) => Ok(reader),
            Text::Waiting(_) => Err(Error::Internal("a text that is read waits".into())),
        }
    }
}

impl Texts {
    fn new(inputs: Inputs) -> Self {
        let waiting = |parts: Vec<Part>| parts.into_iter().map(|part| Mutex::new(Text::Waiting(part))).collect();
        match inputs {
            Inputs::Texts { prompt, texts } => Texts { prompt, queries: Vec::new(), own: waiting(texts) },
            Inputs::Pairs { queries, documents } => {
                Texts { prompt: String::new(), queries: waiting(queries), own: waiting(documents) }
            }
        }
    }

    /// A step of the row. A query that belongs to all rows is read once, by whoever needs it first.
    fn step(&self, row: usize, tokenizer: &Tokenizer, limit: Limit) -> Result<Turn<TokenRow>> {
        let mut own = lock(&self.own[row]);
        if self.queries.is_empty() {
            let begin = |part: Part| tokenizer.reader(part.behind(&self.prompt), limit, false);
            return tokenizer.read(own.reader(begin)?, limit);
        }
        let begin = |part| tokenizer.reader(part, limit, true);
        // Before the query is taken, so that the documents of a call are read side by side.
        tokenizer.begin(own.reader(begin)?)?;
        let mut query = lock(&self.queries[query_of(self.queries.len(), row)]);
        tokenizer.read_pair(query.reader(begin)?, own.reader(begin)?, limit)
    }

    fn short(&self, short: &[Option<ShortParts>]) -> (Vec<usize>, Vec<usize>) {
        let rows = |wanted: fn(&ShortParts) -> bool| {
            short.iter().enumerate().filter(move |(_, parts)| parts.as_ref().is_some_and(wanted)).map(|(row, _)| row)
        };
        if self.queries.is_empty() {
            return (rows(|parts| parts.first).collect(), Vec::new());
        }
        let mut queries: Vec<usize> = rows(|parts| parts.first).map(|row| query_of(self.queries.len(), row)).collect();
        queries.dedup();
        (rows(|parts| parts.second).collect(), queries)
    }
}

/// Parts `rows` in their order into pieces of work.
fn pieces(rows: impl Iterator<Item = usize>, bytes: impl Fn(usize) -> usize) -> Vec<Vec<usize>> {
    let mut pieces: Vec<Vec<usize>> = Vec::new();
    let mut size = 0_usize;
    for row in rows {
        size = size.saturating_add(bytes(row));
        match pieces.last_mut() {
            Some(piece) if piece.len() < TEXTS_PER_PIECE && size <= BYTES_PER_PIECE => piece.push(row),
            _ => {
                pieces.push(vec![row]);
                size = bytes(row);
            }
        }
    }
    pieces
}

/// A call that needs more of some texts.
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

    /// Goes on with what follows the parts that were passed before, in the order of [`Short::texts`] and
    /// [`Short::queries`].
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where there are not as many.
    pub fn resume(self, texts: Vec<Part>, queries: Vec<Part>, reply: Reply<Answer<H>>) {
        if texts.len() != self.texts.len() || queries.len() != self.queries.len() {
            return reply.send(Err(Error::InvalidArgument(format!(
                "Expected {} texts and {} queries to go on but received {} and {}",
                self.texts.len(),
                self.queries.len(),
                texts.len(),
                queries.len()
            ))));
        }
        for (at, part) in self.texts.iter().zip(texts) {
            lock(&self.call.texts.own[*at]).resume(part);
        }
        for (at, part) in self.queries.iter().zip(queries) {
            lock(&self.call.texts.queries[*at]).resume(part);
        }
        self.call.go_on(self.rows, reply);
    }
}

/// Turns texts into tokens.
struct EncodeStage<H: Head> {
    ticket: Ticket,
    /// The texts of each piece.
    todo: Vec<Vec<usize>>,
    call: Mutex<Option<Arc<Call<H>>>>,
    state: Mutex<Option<EncodeState<H>>>,
}

struct EncodeState<H: Head> {
    rows: Vec<Option<TokenRow>>,
    short: Vec<Option<ShortParts>>,
    reply: Reply<Answer<H>>,
}

impl<H: Head> EncodeState<H> {
    fn is_settled(&self, row: usize) -> bool {
        self.rows[row].is_some() || self.short[row].is_some()
    }
}

impl<H: Head> Stage for EncodeStage<H> {
    fn pieces(&self) -> usize {
        self.todo.len()
    }

    fn perform(&self, piece: usize) -> Result<Step> {
        let Some(call) = lock(&self.call).clone() else { return Ok(Step::Done) };
        let start = Instant::now();
        let todo = &self.todo[piece];
        let done = lock(&self.state)
            .as_ref()
            .map_or(todo.len(), |state| todo.iter().take_while(|row| state.is_settled(**row)).count());
        for row in &todo[done..] {
            loop {
                if self.is_cancelled() {
                    return Err(Error::Cancelled);
                }
                let turn = call.texts.step(*row, &call.engine.tokenizer, call.limit);
                let mut state = lock(&self.state);
                match (turn.map_err(|error| error.of(call.names.name(*row)))?, state.as_mut()) {
                    (_, None) => return Ok(Step::Done),
                    (Turn::Ready(tokens), Some(state)) => break state.rows[*row] = Some(tokens),
                    (Turn::Short(parts), Some(state)) => break state.short[*row] = Some(parts),
                    (Turn::Again, _) if start.elapsed() >= TURN => return Ok(Step::Again),
                    (Turn::Again, _) => {}
                }
            }
        }
        Ok(Step::Done)
    }

    fn finish(&self, outcome: Result<()>) {
        let (Some(state), Some(call)) = (lock(&self.state).take(), lock(&self.call).take()) else { return };
        if let Err(error) = outcome {
            return state.reply.send(Err(error));
        }
        // Every piece is done, so nobody else holds the call.
        let Some(mut call) = Arc::into_inner(call) else { return };
        if state.short.iter().any(Option::is_some) {
            let (texts, queries) = call.texts.short(&state.short);
            let short = Short { call, rows: state.rows, texts, queries };
            return state.reply.send(Ok(Answer::Short(Box::new(short))));
        }
        call.rows = state.rows.into_iter().flatten().collect();
        call.texts = Texts { prompt: String::new(), queries: Vec::new(), own: Vec::new() };
        RunStage::submit(call, state.reply);
    }

    fn is_cancelled(&self) -> bool {
        self.ticket.is_cancelled()
    }
}

/// Counts tokens.
pub(super) struct CountStage {
    engine: Arc<Engine>,
    texts: Vec<Mutex<Text>>,
    ticket: Ticket,
    names: Rows,
    /// Held while the call waits.
    admission: Mutex<Option<Admission>>,
    counts: Mutex<Vec<u32>>,
    reply: Mutex<Option<Reply<Vec<u32>>>>,
}

impl CountStage {
    /// Counts the tokens of whole texts.
    pub fn submit(engine: &Arc<Engine>, texts: Vec<String>, ticket: Ticket, names: Rows, reply: Reply<Vec<u32>>) {
        let tokens = texts.iter().map(|text| estimate(text.len())).fold(0, usize::saturating_add);
        let admission = match engine.scheduler.admit(tokens, names.is_continued()) {
            Ok(admission) => Mutex::new(Some(admission)),
            Err(error) => return reply.send(Err(error)),
        };
        let counts = Mutex::new(vec![0; texts.len()]);
        let texts = texts.into_iter().map(|text| Mutex::new(Text::Waiting(Part::whole(text)))).collect();
        let reply = Mutex::new(Some(reply));
        let stage = CountStage { engine: engine.clone(), texts, ticket, names, admission, counts, reply };
        engine.scheduler.submit(Arc::new(stage));
    }
}

impl Stage for CountStage {
    fn pieces(&self) -> usize {
        self.texts.len()
    }

    fn perform(&self, piece: usize) -> Result<Step> {
        drop(lock(&self.admission).take());
        let start = Instant::now();
        let tokenizer = &self.engine.tokenizer;
        let mut text = lock(&self.texts[piece]);
        let reader = text.reader(|part| Ok(tokenizer.counter(part.text)))?;
        loop {
            let turn = tokenizer.read_count(reader).map_err(|error| error.of(self.names.name(piece)))?;
            if let Turn::Ready(count) = turn {
                lock(&self.counts)[piece] = u32::try_from(count).unwrap_or(u32::MAX);
                return Ok(Step::Done);
            }
            if self.is_cancelled() {
                return Err(Error::Cancelled);
            }
            if start.elapsed() >= TURN {
                return Ok(Step::Again);
            }
        }
    }

    fn finish(&self, outcome: Result<()>) {
        let counts = std::mem::take(&mut *lock(&self.counts));
        if let Some(reply) = lock(&self.reply).take() {
            reply.send(outcome.map(|()| counts));
        }
    }

    fn is_cancelled(&self) -> bool {
        self.ticket.is_cancelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_bounded_in_texts_and_in_bytes() {
        let short = pieces(0..40, |_| 10);
        assert_eq!(short.iter().map(Vec::len).collect::<Vec<_>>(), [16, 16, 8]);
        assert_eq!(short.concat(), (0..40).collect::<Vec<_>>());
        // A long text is alone; the short ones before and after it are not.
        let mixed = pieces(0..5, |row| if row == 2 { 10 << 20 } else { 10 });
        assert_eq!(mixed, [vec![0, 1], vec![2], vec![3, 4]]);
        assert!(pieces(0..0, |_| 0).is_empty());
    }
}
