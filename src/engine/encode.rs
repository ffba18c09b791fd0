//! The first part of a call's way: texts to tokens, in steps that workers take turns at.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::request::query_of;
use super::run::RunStage;
use super::{Answer, Engine, Head, Inputs, Request, Rows, Ticket, Waiting, lock};
use crate::error::{Error, Result};
use crate::options::Truncation;
use crate::reply::Reply;
use crate::scheduler::{Admission, Stage, Step};
use crate::tokenizer::{Limit, Part, Reader, ShortParts, TokenRow, Tokenizer, Turn};

/// Texts that one piece of tokenising work holds, and bytes beyond which no other joins them: a worker that has begun a
/// piece is not free for other calls before its end, or before its turn is over.
const TEXTS_PER_PIECE: usize = 16;
const BYTES_PER_PIECE: usize = 64 << 10;
/// How long a worker stays with a piece that goes on.
const TURN: Duration = Duration::from_millis(20);

/// Steps until there is an answer, or until the turn that began at `start` is over: then [`Turn::Again`].
///
/// # Errors
/// Those of `step`, and [`Error::Cancelled`].
pub(super) fn take_turn<T>(
    start: Instant,
    ticket: &Ticket,
    mut step: impl FnMut() -> Result<Turn<T>>,
) -> Result<Turn<T>> {
    loop {
        if ticket.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let turn = step()?;
        if !matches!(turn, Turn::Again) || start.elapsed() >= TURN {
            return Ok(turn);
        }
    }
}

/// A call on its way.
pub(super) struct Call<H> {
    pub engine: Arc<Engine>,
    pub head: H,
    pub ticket: Ticket,
    /// Which of the caller's texts or pairs these are.
    pub names: Rows,
    /// Held while the call waits.
    pub admission: Mutex<Option<Admission>>,
    /// The tokens of all texts or pairs, once all are there.
    pub rows: Vec<TokenRow>,
    /// Which text or pair each row is of.
    pub of: Vec<usize>,
    limit: Limit,
    texts: Texts,
}

impl<H: Head> Call<H> {
    /// How many tokens its rows have.
    pub fn tokens(&self) -> usize {
        self.rows.iter().map(|row| row.ids.len()).sum()
    }

    /// # Errors
    /// Those of [`Tokenizer::reader`].
    pub fn new(engine: Arc<Engine>, mut request: Request<H>, admission: Admission) -> Result<Self> {
        let rows = match &mut request.inputs {
            Inputs::Tokens(rows) => std::mem::take(rows),
            _ => Vec::new(),
        };
        let texts = Texts::new(request.inputs, &engine.tokenizer, request.limit)?;
        Ok(Call {
            engine,
            head: request.head,
            ticket: request.ticket,
            names: request.rows,
            admission: Mutex::new(Some(admission)),
            of: (0..rows.len()).collect(),
            rows,
            limit: request.limit,
            texts,
        })
    }

    /// Turns the texts into tokens, then runs.
    pub fn begin(self, reply: Reply<Answer<H::Output>>) {
        if self.texts.own.is_empty() {
            return RunStage::submit(self, reply);
        }
        let rows = (0..self.texts.own.len()).map(|_| None).collect();
        self.go_on(rows, reply);
    }

    /// Turns those texts into tokens that have none in `rows` yet.
    fn go_on(self, rows: Vec<Option<Vec<TokenRow>>>, reply: Reply<Answer<H::Output>>) {
        let engine = self.engine.clone();
        let todo = (0..rows.len()).filter(|row| rows[*row].is_none());
        let stage = EncodeStage {
            ticket: self.ticket.clone(),
            todo: pieces(todo, |row| lock(&self.texts.own[row]).waiting()),
            state: Mutex::new(Some(EncodeState { short: vec![None; rows.len()], rows, reply })),
            call: Mutex::new(Some(Arc::new(self))),
        };
        engine.scheduler.submit(Arc::new(stage));
    }
}

/// A call's texts, as far as they have been read.
#[derive(Default)]
struct Texts {
    /// One for all pairs, or one for each; none for single texts.
    queries: Vec<Mutex<Reader>>,
    /// The texts, or the pairs' second ones.
    own: Vec<Mutex<Reader>>,
    /// Whether pairs are parted into windows.
    windows: bool,
}

impl Texts {
    fn new(inputs: Inputs, tokenizer: &Tokenizer, limit: Limit) -> Result<Self> {
        let readers = |prompt: String, parts: Vec<Part>, pair, limit| -> Result<Vec<Mutex<Reader>>> {
            let prompt = Arc::from(prompt);
            parts.into_iter().map(|part| Ok(Mutex::new(tokenizer.reader(&prompt, part, limit, pair)?))).collect()
        };
        Ok(match inputs {
            Inputs::Texts { prompt, texts, .. } => {
                Texts { own: readers(prompt, texts, false, limit)?, ..Texts::default() }
            }
            Inputs::Pairs { prompt, queries, documents, windows } => {
                // Nothing of a document in windows is cut.
                let own = if windows { Limit { tokens: usize::MAX, truncation: Truncation::Right } } else { limit };
                Texts {
                    queries: readers(prompt, queries, true, limit)?,
                    own: readers(String::new(), documents, true, own)?,
                    windows,
                }
            }
            Inputs::Tokens(_) => Texts::default(),
        })
    }

    /// A step towards the rows of the text or pair at `row`. A query that belongs to all is read once, by whoever needs it first.
    fn step(&self, row: usize, tokenizer: &Tokenizer, limit: Limit) -> Result<Turn<Vec<TokenRow>>> {
        let mut own = lock(&self.own[row]);
        if self.queries.is_empty() {
            return Ok(tokenizer.read(&mut own, limit)?.map(|row| vec![row]));
        }
        // Before the query is taken, so that the documents of a call are read side by side.
        tokenizer.begin(&mut own)?;
        let mut query = lock(&self.queries[query_of(self.queries.len(), row)]);
        if self.windows {
            return tokenizer.read_windows(&mut query, &mut own, limit);
        }
        Ok(tokenizer.read_pair(&mut query, &mut own, limit)?.map(|row| vec![row]))
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
pub(super) fn pieces(rows: impl Iterator<Item = usize>, bytes: impl Fn(usize) -> usize) -> Vec<Vec<usize>> {
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
struct Short<H: Head> {
    call: Call<H>,
    rows: Vec<Option<Vec<TokenRow>>>,
    texts: Vec<usize>,
    queries: Vec<usize>,
}

impl<H: Head> Waiting<H::Output> for Short<H> {
    fn texts(&self) -> &[usize] {
        &self.texts
    }

    fn queries(&self) -> &[usize] {
        &self.queries
    }

    fn resume(self: Box<Self>, texts: Vec<Part>, queries: Vec<Part>, reply: Reply<Answer<H::Output>>) {
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
            lock(&self.call.texts.own[*at]).resume(&part);
        }
        for (at, part) in self.queries.iter().zip(queries) {
            lock(&self.call.texts.queries[*at]).resume(&part);
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
    rows: Vec<Option<Vec<TokenRow>>>,
    short: Vec<Option<ShortParts>>,
    reply: Reply<Answer<H::Output>>,
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
            let step = || {
                let turn = call.texts.step(*row, &call.engine.tokenizer, call.limit);
                turn.map_err(|error| error.of(call.names.name(*row)))
            };
            let turn = take_turn(start, &self.ticket, step)?;
            let mut state = lock(&self.state);
            match (turn, state.as_mut()) {
                (Turn::Ready(tokens), Some(state)) => state.rows[*row] = Some(tokens),
                (Turn::Short(parts), Some(state)) => state.short[*row] = Some(parts),
                (Turn::Again, _) => return Ok(Step::Again),
                (_, None) => return Ok(Step::Done),
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
        for (text, rows) in state.rows.into_iter().enumerate() {
            let rows = rows.unwrap_or_default();
            call.of.extend(std::iter::repeat_n(text, rows.len()));
            call.rows.extend(rows.into_iter().map(|row| call.head.complete(row)));
        }
        call.texts = Texts::default();
        RunStage::submit(call, state.reply);
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
