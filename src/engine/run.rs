//! The second part of a call's way: tokens through the network, in batches that workers share.

use std::sync::{Arc, Mutex};

use super::encode::Call;
use super::{Answer, Counted, Head, lock};
use crate::error::Result;
use crate::network::RunOutput;
use crate::reply::Reply;
use crate::scheduler::{Stage, Step};
use crate::tokenizer::TokenRow;

/// What a run fills, and where it goes.
struct RunResult<H: Head> {
    rows: Vec<Option<H::Row>>,
    reply: Reply<Answer<H::Output>>,
}

/// Runs the batches, one a piece.
pub(super) struct RunStage<H: Head> {
    call: Call<H>,
    batches: Vec<Vec<usize>>,
    /// What the rows gave and where it goes; taken at the end.
    result: Mutex<Option<RunResult<H>>>,
}

impl<H: Head> RunStage<H> {
    /// Runs a call whose tokens are there.
    pub fn submit(call: Call<H>, reply: Reply<Answer<H::Output>>) {
        let engine = call.engine.clone();
        let lengths: Vec<usize> = call.rows.iter().map(|row| row.ids.len()).collect();
        if let Some(admission) = lock(&call.admission).as_mut() {
            admission.set_tokens(call.tokens());
        }
        let batches = engine.network.plan(&lengths);
        let rows = call.rows.iter().map(|_| None).collect();
        let result = Mutex::new(Some(RunResult { rows, reply }));
        let stage = Arc::new(RunStage { call, batches, result });
        if engine.network.packs() && stage.batches.len() <= 1 {
            return engine.pool.submit(&engine, stage);
        }
        engine.scheduler.submit(stage);
    }

    fn store(&self, row: usize, given: H::Row) {
        if let Some(result) = lock(&self.result).as_mut() {
            result.rows[row] = Some(given);
        }
    }

    /// Stores what the rows `batch` gave, of which the first stands at `first` of the output.
    fn read(&self, output: &RunOutput<'_>, batch: &[usize], first: usize) -> Result<()> {
        for (at, row) in batch.iter().enumerate() {
            let given = self.call.head.read(output, first + at, &self.call.rows[*row]);
            self.store(*row, given.map_err(|error| error.of(self.call.names.name(self.call.of[*row])))?);
        }
        Ok(())
    }

    /// Stores what rows without tokens give.
    fn read_nothing(&self) -> Result<()> {
        for (row, _) in self.call.rows.iter().enumerate().filter(|(_, tokens)| tokens.ids.is_empty()) {
            let given = self.call.head.read_nothing();
            let given = given.map_err(|error| error.of(self.call.names.name(self.call.of[row])))?;
            self.store(row, given);
        }
        Ok(())
    }

    fn rows(&self, batch: &[usize]) -> Vec<&TokenRow> {
        batch.iter().map(|row| &self.call.rows[*row]).collect()
    }

    fn output(&self, rows: Vec<Option<H::Row>>) -> Result<H::Output> {
        let counted = Counted {
            tokens: self.call.tokens(),
            truncated: self.call.rows.iter().map(|row| row.truncated).collect(),
            rows: self.call.of.chunk_by(|a, b| a == b).map(<[usize]>::len).collect(),
        };
        self.call.head.finish(rows.into_iter().flatten().collect(), counted)
    }
}

impl<H: Head> Stage for RunStage<H> {
    /// One more than batches: the last is for rows without tokens.
    fn pieces(&self) -> usize {
        self.batches.len() + 1
    }

    fn perform(&self, piece: usize) -> Result<Step> {
        drop(lock(&self.call.admission).take());
        match self.batches.get(piece) {
            None => self.read_nothing()?,
            Some(batch) => {
                self.call.engine.run(&self.rows(batch), &mut |output| self.read(output, batch, 0))?;
            }
        }
        Ok(Step::Done)
    }

    fn finish(&self, outcome: Result<()>) {
        let Some(RunResult { rows, reply }) = lock(&self.result).take() else { return };
        reply.send(outcome.and_then(|()| self.output(rows)).map(Answer::Done));
    }

    fn is_cancelled(&self) -> bool {
        self.call.ticket.is_cancelled()
    }

    fn is_run(&self) -> bool {
        true
    }
}

/// A call of one batch at most, which may run together with others.
pub(super) trait SmallCall: Send + Sync {
    /// The rows that have tokens.
    fn rows(&self) -> Vec<&TokenRow>;
    /// The call's run begins: it does not wait any more.
    fn begin(&self);
    /// Takes what its rows gave, of which the first stands at `first` of the output.
    ///
    /// # Errors
    /// Those of the call's head.
    fn read(&self, output: &RunOutput<'_>, first: usize) -> Result<()>;
    /// The run is over.
    fn finish(&self, outcome: Result<()>);
    /// Whether nobody waits for the outcome any more.
    fn is_cancelled(&self) -> bool;
}

impl<H: Head> SmallCall for RunStage<H> {
    fn rows(&self) -> Vec<&TokenRow> {
        self.batches.first().map(|batch| self.rows(batch)).unwrap_or_default()
    }

    fn begin(&self) {
        drop(lock(&self.call.admission).take());
    }

    fn read(&self, output: &RunOutput<'_>, first: usize) -> Result<()> {
        self.batches.first().map_or(Ok(()), |batch| self.read(output, batch, first))
    }

    fn finish(&self, outcome: Result<()>) {
        Stage::finish(self, outcome.and_then(|()| self.read_nothing()));
    }

    fn is_cancelled(&self) -> bool {
        self.call.ticket.is_cancelled()
    }
}
