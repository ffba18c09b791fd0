//! A call that cuts a long text into chunks: the tokenizer counts, the network takes no part.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::chat::PROBES;
use super::encode::take_turn;
use super::request::estimate;
use super::{Engine, Ticket, lock};
use crate::chunking::{Chunk, ChunkLimits, Chunker, Measure};
use crate::error::Result;
use crate::options::{Prompt, Task};
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
    engine: Arc<Engine>,
    ticket: Ticket,
    /// Held while the call waits.
    admission: Mutex<Option<Admission>>,
    /// What is to be done, until it has begun.
    wanted: Mutex<Option<Wanted>>,
    chunker: Mutex<Option<Chunker<Tokens>>>,
    reply: Mutex<Option<Reply<Vec<Chunk>>>>,
}

struct Wanted {
    text: String,
    tokens: Option<usize>,
    overlap: usize,
}

impl Engine {
    /// Cuts a text into chunks of `tokens` tokens at most, special ones included. Default: what a document may have of its own.
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
        self.scheduler.submit(Arc::new(ChunkStage {
            // A model that has no way for documents is asked as it is.
            engine: self.of_task(Some(Task::Document)).unwrap_or_else(|_| self.clone()),
            ticket,
            admission,
            wanted: Mutex::new(Some(Wanted { text, tokens, overlap })),
            chunker: Mutex::default(),
            reply: Mutex::new(Some(reply)),
        }));
    }

    fn chunker(self: &Arc<Self>, wanted: Wanted) -> Result<Chunker<Tokens>> {
        let Wanted { text, tokens, overlap } = wanted;
        let tokens = tokens.map_or_else(|| self.longest_document(), Ok)?;
        let measure = Tokens { engine: self.clone(), ruler: self.tokenizer.ruler() };
        Chunker::new(text, ChunkLimits { tokens, overlap }, measure)
    }

    /// Tokens that a document may have, special ones included, beside what a prompt or a chat's template adds.
    fn longest_document(&self) -> Result<usize> {
        let limits = self.spec.max_length;
        let limit = limits.of_task(Some(Task::Document)).unwrap_or(limits.default);
        // A short text tells how many tokens stand around texts.
        let [probe, _] = PROBES;
        let alone = self.tokenizer.encode(probe, None, true)?.ids.len();
        let mut most = alone;
        for (prompt, task) in [(Prompt::Default, None), (Prompt::Of(Task::Document), Some(Task::Document))] {
            let prompt = self.spec.prompt(&prompt)?;
            let count = match &self.chats {
                Some(chats) => chats.count(prompt, task, probe, &self.tokenizer)?,
                None => self.tokenizer.encode(&format!("{prompt}{probe}"), None, true)?.ids.len(),
            };
            most = most.max(count);
        }
        Ok(limit.saturating_sub(most - alone))
    }
}

impl Stage for ChunkStage {
    fn pieces(&self) -> usize {
        1
    }

    fn perform(&self, _: usize) -> Result<Step> {
        drop(lock(&self.admission).take());
        let mut chunker = lock(&self.chunker);
        if let Some(wanted) = lock(&self.wanted).take() {
            *chunker = Some(self.engine.chunker(wanted)?);
        }
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
