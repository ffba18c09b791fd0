//! Small calls that wait together run together, where the network's rows do not depend on each other.
//!
//! Each call has a place of its own in the scheduler's queue, as it would have alone. The worker that comes to the first of them
//! takes those behind it along, as many as fit into a run; who comes to their places later finds them done. Nobody waits for
//! others to come: a call that is alone runs at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::run::SmallCall;
use super::{Engine, lock};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::panic::caught;
use crate::scheduler::{Stage, Step};
use crate::tokenizer::TokenRow;

/// Calls that wait.
#[derive(Default)]
pub(super) struct Pool {
    waiting: Mutex<VecDeque<Arc<dyn SmallCall>>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pool").field("waiting", &lock(&self.waiting).len()).finish()
    }
}

impl Pool {
    /// Lets a call wait for a worker.
    pub fn submit(&self, engine: &Arc<Engine>, call: Arc<dyn SmallCall>) {
        lock(&self.waiting).push_back(call);
        engine.scheduler.submit(Arc::new(Place { engine: engine.clone() }));
    }

    /// The calls of the next run: the first that waits, and those behind it that fit with it.
    fn take(&self, network: &Network) -> Vec<Arc<dyn SmallCall>> {
        let mut waiting = lock(&self.waiting);
        let (mut taken, mut longest, mut rows, mut tokens) = (Vec::new(), 0, 0, 0);
        while let Some(call) = waiting.front() {
            let lengths: Vec<usize> = call.rows().iter().map(|row| row.ids.len()).collect();
            longest = lengths.iter().copied().fold(longest, usize::max);
            rows += lengths.len();
            tokens += lengths.iter().sum::<usize>();
            if !taken.is_empty() && !network.fits(longest, rows, tokens) {
                break;
            }
            taken.extend(waiting.pop_front());
        }
        taken
    }
}

/// A call's place in the scheduler's queue.
struct Place {
    engine: Arc<Engine>,
}

impl Stage for Place {
    fn pieces(&self) -> usize {
        1
    }

    fn perform(&self, _: usize) -> Result<Step> {
        let engine = &self.engine;
        let (calls, gone): (Vec<_>, Vec<_>) =
            engine.pool.take(&engine.network).into_iter().partition(|call| !call.is_cancelled());
        for call in gone {
            call.begin();
            call.finish(Err(Error::Cancelled));
        }
        run(engine, &calls);
        Ok(Step::Done)
    }

    fn finish(&self, _: Result<()>) {}

    fn is_cancelled(&self) -> bool {
        false
    }

    fn is_run(&self) -> bool {
        true
    }
}

/// Runs calls together, and ends each.
fn run(engine: &Engine, calls: &[Arc<dyn SmallCall>]) {
    calls.iter().for_each(|call| call.begin());
    let rows: Vec<Vec<&TokenRow>> = calls.iter().map(|call| call.rows()).collect();
    let all = rows.concat();
    let mut outcomes: Vec<Result<()>> = Vec::new();
    let together = caught(|| {
        if all.is_empty() {
            outcomes.extend(calls.iter().map(|_| Ok(())));
            return Ok(());
        }
        engine.run(&all, &mut |output| {
            let mut first = 0;
            for (call, rows) in calls.iter().zip(&rows) {
                outcomes.push(call.read(output, first));
                first += rows.len();
            }
            Ok(())
        })
    });
    match (together, calls) {
        (Ok(()), _) => calls.iter().zip(outcomes).for_each(|(call, outcome)| call.finish(outcome)),
        (Err(error), [call]) => call.finish(Err(error)),
        // What ends the run is of one call's tokens: the others run without it.
        (Err(_), _) => calls.iter().for_each(|call| run(engine, std::slice::from_ref(call))),
    }
}
