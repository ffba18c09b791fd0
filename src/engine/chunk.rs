//! A call that cuts a long text into chunks: the tokenizer counts, the network takes no part.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::encode::take_turn;
use super::request::estimate;
use super::{Engine, Ticket, lock};
use crate::chunking::{Chunk, ChunkLimits, Chunker, Measure};
use crate::error::Result;
use crate::reply::Reply;
use crate::scheduler::{Admission, Stage, Step};
use crate::tokenizer::{Count, Ruler, Turn};

/// The tokens of a model, as chunks are made by them.
#[derive(Debug)]
struct Tokens {
    engine: Arc<Engine>,
    ruler: Ruler,
}

impl Measure for Tokens {
    type Count = Count;

    fn special(&self) -> usize {
        self.engine.tokenizer.special()
    }

    fn read(&mut self, text: &str, from: usize, ends: &mut VecDeque<usize>) -> Result<usize> {
        self.engine.tokenizer.measure(&mut self.ruler, text, from, ends)
    }

    fn begin(&self, text: &str) -> Count {
        self.engine.tokenizer.begin_count(&self.ruler, text)
    }

    fn advance(&mut self, count: &mut Count) -> Result<Option<usize>> {
        self.engine.tokenizer.advance_count(&self.ruler, count)
    }
}

/// Cuts one text. A chunk follows from the one before, so this is one piece of work, done in turns.
struct ChunkStage {
    ticket: Ticket,
    /// Held while the call waits.
    admission: Mutex<Option<Admission>>,
    chunker: Mutex<Option<Chunker<Tokens>>>,
    reply: Mutex<Option<Reply<Vec<Chunk>>>>,
}

impl Engine {
    /// Cuts a text into chunks of `tokens` tokens at most (default: the model's longest input), special ones included.
    pub fn chunk(
        self: &Arc<Self>,
        text: String,
        tokens: Option<usize>,
        overlap: usize,
        ticket: Ticket,
        reply: Reply<Vec<Chunk>>,
    ) {
        let admission = match self.scheduler.admit(estimate(text.len()), false) {
            Ok(admission) => Mutex::new(Some(admission)),
            Err(error) => return reply.send(Err(error)),
        };
        let limits = ChunkLimits { tokens: tokens.unwrap_or(self.spec.max_length.default), overlap };
        let measure = Tokens { engine: self.clone(), ruler: self.tokenizer.ruler() };
        match Chunker::new(text, limits, measure) {
            Ok(chunker) => self.scheduler.submit(Arc::new(ChunkStage {
                ticket,
                admission,
                chunker: Mutex::new(Some(chunker)),
                reply: Mutex::new(Some(reply)),
            })),
            Err(error) => reply.send(Err(error)),
        }
    }
}

impl Stage for ChunkStage {
    fn pieces(&self) -> usize {
        1
    }

    fn perform(&self, _: usize) -> Result<Step> {
        drop(lock(&self.admission).take());
        let mut chunker = lock(&self.chunker);
        let Some(chunker) = chunker.as_mut() else { return Ok(Step::Done) };
        let step = || Ok(if chunker.step()? { Turn::Ready(()) } else { Turn::Again });
        Ok(match take_turn(Instant::now(), &self.ticket, step)? {
            Turn::Ready(()) => Step::Done,
            Turn::Again | Turn::Short(_) => Step::Again,
        })
    }

    fn finish(&self, outcome: Result<()>) {
        let chunks = lock(&self.chunker).take().map(Chunker::into_chunks).unwrap_or_default();
        if let Some(reply) = lock(&self.reply).take() {
            reply.send(outcome.map(|()| chunks));
        }
    }

    fn is_cancelled(&self) -> bool {
        self.ticket.is_cancelled()
    }
}
