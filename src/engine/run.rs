//! The second part of a call's way: tokens through the network, in batches that workers share.

use std::sync::{Arc, Mutex};

use super::encode::Call;
use super::{Answer, Counted, Head, lock};
use crate::error::Result;
use crate::reply::Reply;
use crate::scheduler::{Stage, Step};
use crate::tokenizer::TokenRow;

/// What a run fills, and where it goes.
struct RunResult<H: Head> {
    numbers: Vec<f32>,
    reply: Reply<Answer<H>>,
}

/// Runs the batches, one a piece.
pub(super) struct RunStage<H: Head> {
    call: Call<H>,
    batches: Vec<Vec<usize>>,
    /// The rows' numbers and where they go; taken at the end.
    result: Mutex<Option<RunResult<H>>>,
}

impl<H: Head> RunStage<H> {
    /// Runs a call whose tokens are there.
    pub fn submit(call: Call<H>, reply: Reply<Answer<H>>) {
        let engine = call.engine.clone();
        let lengths: Vec<usize> = call.rows.iter().map(|row| row.ids.len()).collect();
        if let Some(admission) = lock(&call.admission).as_mut() {
            admission.set_tokens(lengths.iter().sum());
        }
        let batches = engine.network.plan(&lengths);
        let numbers = vec![0.0; call.head.width() * call.rows.len()];
        let result = Mutex::new(Some(RunResult { numbers, reply }));
        engine.scheduler.submit(Arc::new(RunStage { call, batches, result }));
    }

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
                tokens: rows.iter().map(|row| row.ids.len()).sum(),
                truncated: rows.iter().map(|row| row.truncated).collect(),
            },
        )
    }
}

impl<H: Head> Stage for RunStage<H> {
    /// One more than batches: the last is for rows without tokens.
    fn pieces(&self) -> usize {
        self.batches.len() + 1
    }

    fn perform(&self, piece: usize) -> Result<Step> {
        let call = &self.call;
        drop(lock(&call.admission).take());
        let Some(batch) = self.batches.get(piece) else {
            for (row, _) in call.rows.iter().enumerate().filter(|(_, tokens)| tokens.ids.is_empty()) {
                let numbers = call.head.read_nothing().map_err(|error| error.of(call.names.name(row)))?;
                self.store(row, &numbers);
            }
            return Ok(Step::Done);
        };
        let engine = &call.engine;
        let rows: Vec<&TokenRow> = batch.iter().map(|row| &call.rows[*row]).collect();
        let output = engine.network.run(&rows)?;
        for (at, row) in batch.iter().enumerate() {
            let numbers = call.head.read(&output, at);
            self.store(*row, &numbers.map_err(|error| error.of(call.names.name(*row)))?);
        }
        Ok(Step::Done)
    }

    fn finish(&self, outcome: Result<()>) {
        let Some(RunResult { numbers, reply }) = lock(&self.result).take() else { return };
        reply.send(outcome.and_then(|()| self.output(numbers)).map(Answer::Done));
    }

    fn is_cancelled(&self) -> bool {
        self.call.ticket.is_cancelled()
    }
}
