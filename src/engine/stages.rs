//! The way of a call: tokenising, then running its batches. Each is a [`Stage`] for the workers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::request::query_of;
use super::{Answer, Counted, Engine, Head, Inputs, Request, Ticket};
use crate::batch::{Batch, plan};
use crate::error::{Error, Result};
use crate::options::Truncation;
use crate::reply::Reply;
use crate::scheduler::{Admission, Stage};
use crate::tokenizer::{Encoding, Part, ShortParts, TokenRow};

/// Texts that one piece of tokenising work holds, and bytes beyond which no other joins them: a worker that has begun a
/// piece is not free for other calls before its end.
const TEXTS_PER_PIECE: usize = 16;
const BYTES_PER_PIECE: usize = 64 << 10;

/// A call on its way.
pub(super) struct Call<H> {
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

impl<H: Head> Call<H> {
    pub(super) fn new(engine: Arc<Engine>, request: Request<H>, admission: Admission) -> Self {
        Call {
            engine,
            head: request.head,
            inputs: request.inputs,
            limit: request.limit,
            truncation: request.truncation,
            ticket: request.ticket,
            admission: Mutex::new(Some(admission)),
            rows: Vec::new(),
        }
    }

    /// Turns those texts into tokens that have none in `rows` yet, then runs.
    pub(super) fn encode(self, rows: Vec<Option<TokenRow>>, reply: Reply<Answer<H>>) {
        let engine = self.engine.clone();
        let todo = (0..rows.len()).filter(|row| rows[*row].is_none());
        let stage = EncodeStage {
            ticket: self.ticket.clone(),
            todo: pieces(todo, |row| self.inputs.bytes(row)),
            state: Mutex::new(Some(EncodeState { short: vec![None; rows.len()], rows, reply })),
            call: Mutex::new(Some(Arc::new(self))),
        };
        engine.scheduler.submit(Arc::new(stage));
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
        self.call.encode(self.rows, reply);
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<H: Head> Stage for EncodeStage<H> {
    fn pieces(&self) -> usize {
        self.todo.len()
    }

    fn perform(&self, piece: usize) -> Result<()> {
        let Some(call) = lock(&self.call).clone() else { return Ok(()) };
        for row in &self.todo[piece] {
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
        let result = Mutex::new(Some(RunResult { numbers, reply: state.reply }));
        engine.scheduler.submit(Arc::new(RunStage { call, batches, result }));
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

/// What a run fills, and where it goes.
struct RunResult<H: Head> {
    numbers: Vec<f32>,
    reply: Reply<Answer<H>>,
}

/// Runs the batches, one a piece.
struct RunStage<H: Head> {
    call: Call<H>,
    batches: Vec<Vec<usize>>,
    /// The rows' numbers and where they go; taken at the end.
    result: Mutex<Option<RunResult<H>>>,
}

impl<H: Head> RunStage<H> {
    fn store(&self, row: usize, numbers: &[f32]) {
        let width = self.call.head.width();
        if let Some(result) = lock(&self.result).as_mut() {
            result.numbers[row * width..(row + 1) * width].copy_from_slice(numbers);
        }
    }

    fn output(&self, numbers: Vec<f32>) -> Result<H::Output> {
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
        let Some(RunResult { numbers, reply }) = lock(&self.result).take() else { return };
        reply.send(outcome.and_then(|()| self.output(numbers)).map(Answer::Done));
    }

    fn is_cancelled(&self) -> bool {
        self.call.ticket.is_cancelled()
    }
}

/// Counts tokens.
pub(super) struct CountStage {
    engine: Arc<Engine>,
    texts: Vec<String>,
    ticket: Ticket,
    /// Held while the call waits.
    admission: Mutex<Option<Admission>>,
    counts: Mutex<Vec<u32>>,
    reply: Mutex<Option<Reply<Vec<u32>>>>,
}

impl CountStage {
    pub(super) fn new(
        engine: Arc<Engine>,
        texts: Vec<String>,
        ticket: Ticket,
        admission: Admission,
        reply: Reply<Vec<u32>>,
    ) -> Self {
        let counts = Mutex::new(vec![0; texts.len()]);
        let admission = Mutex::new(Some(admission));
        CountStage { engine, texts, ticket, admission, counts, reply: Mutex::new(Some(reply)) }
    }
}

impl Stage for CountStage {
    fn pieces(&self) -> usize {
        self.texts.len()
    }

    fn perform(&self, piece: usize) -> Result<()> {
        drop(lock(&self.admission).take());
        let count = self.engine.tokenizer.count(&self.texts[piece])?;
        lock(&self.counts)[piece] = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(())
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
