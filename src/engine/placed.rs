//! A call that wants its texts' tokens with their places, so many at a time: what comes after them need not hold all.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::encode::{pieces, take_turn};
use super::request::estimate;
use super::{Engine, Rows, Ticket, lock};
use crate::error::Result;
use crate::reply::Reply;
use crate::scheduler::{Admission, Stage, Step};
use crate::tokenizer::{PlacedReader, PlacedToken, Turn};

/// A text on its way, and the tokens that were found since they were last taken.
#[derive(Debug)]
pub struct Reading {
    /// The text.
    pub reader: PlacedReader,
    /// New tokens.
    pub tokens: Vec<PlacedToken>,
}

impl Reading {
    /// Tokens that wait: all of a text that comes, and of one that goes on those that it wants now.
    fn estimate(&self, enough: usize) -> usize {
        let tokens = estimate(self.reader.waiting());
        if self.reader.is_untouched() { tokens } else { tokens.min(enough) }
    }

    fn has(&self, enough: usize) -> bool {
        self.reader.is_over() || self.tokens.len() >= enough
    }
}

/// Reads on in texts.
pub(super) struct PlacedStage {
    engine: Arc<Engine>,
    /// Taken at the end.
    texts: Vec<Mutex<Option<Reading>>>,
    /// The texts of each piece.
    todo: Vec<Vec<usize>>,
    /// Tokens of a text with which it waits for the next time.
    enough: usize,
    ticket: Ticket,
    names: Rows,
    /// Held while the call waits.
    admission: Mutex<Option<Admission>>,
    reply: Mutex<Option<Reply<Vec<Reading>>>>,
}

impl PlacedStage {
    /// Reads on until each text is over or has `enough` tokens.
    pub fn submit(
        engine: &Arc<Engine>,
        texts: Vec<Reading>,
        enough: usize,
        ticket: Ticket,
        names: Rows,
        reply: Reply<Vec<Reading>>,
    ) {
        let tokens = texts.iter().map(|text| text.estimate(enough)).fold(0, usize::saturating_add);
        let admission = match engine.scheduler.admit(tokens, names.is_continued()) {
            Ok(admission) => Mutex::new(Some(admission)),
            Err(error) => return reply.send(Err(error)),
        };
        let unread = (0..texts.len()).filter(|text| !texts[*text].has(enough));
        let todo = pieces(unread, |text| texts[text].reader.waiting());
        let texts = texts.into_iter().map(|text| Mutex::new(Some(text))).collect();
        let reply = Mutex::new(Some(reply));
        let stage = PlacedStage { engine: engine.clone(), texts, todo, enough, ticket, names, admission, reply };
        engine.scheduler.submit(Arc::new(stage));
    }
}

impl Stage for PlacedStage {
    fn pieces(&self) -> usize {
        self.todo.len()
    }

    fn perform(&self, piece: usize) -> Result<Step> {
        drop(lock(&self.admission).take());
        let start = Instant::now();
        for text in &self.todo[piece] {
            let mut reading = lock(&self.texts[*text]);
            let Some(Reading { reader, tokens }) = reading.as_mut() else { continue };
            let step = || {
                if reader.is_over() || tokens.len() >= self.enough {
                    return Ok(Turn::Ready(()));
                }
                let read = self.engine.tokenizer.read_placed(reader, tokens);
                read.map(|()| Turn::Again).map_err(|error| error.of(self.names.name(*text)))
            };
            if take_turn(start, &self.ticket, step)? == Turn::Again {
                return Ok(Step::Again);
            }
        }
        Ok(Step::Done)
    }

    fn finish(&self, outcome: Result<()>) {
        let Some(reply) = lock(&self.reply).take() else { return };
        reply.send(outcome.map(|()| self.texts.iter().filter_map(|text| lock(text).take()).collect()));
    }

    fn is_cancelled(&self) -> bool {
        self.ticket.is_cancelled()
    }
}
