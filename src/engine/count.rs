//! A call that only counts tokens: whole texts, without the network.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::encode::take_turn;
use super::request::estimate;
use super::{Engine, Rows, Ticket, lock};
use crate::error::Result;
use crate::reply::Reply;
use crate::scheduler::{Admission, Stage, Step};
use crate::tokenizer::{Reader, Turn};

/// Counts tokens.
pub(super) struct CountStage {
    engine: Arc<Engine>,
    texts: Vec<Mutex<Reader>>,
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
        let texts = texts.into_iter().map(|text| Mutex::new(engine.tokenizer.counter(text))).collect();
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
        let mut reader = lock(&self.texts[piece]);
        let step = || {
            let turn = self.engine.tokenizer.read_count(&mut reader);
            turn.map_err(|error| error.of(self.names.name(piece)))
        };
        let Turn::Ready(count) = take_turn(Instant::now(), &self.ticket, step)? else { return Ok(Step::Again) };
        lock(&self.counts)[piece] = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Step::Done)
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
