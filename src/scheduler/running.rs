//! A stage on its way through the queue and the workers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Stage, Step};
use crate::error::{Error, Result};
use crate::panic::caught;

/// A stage on its way.
pub(super) struct Running {
    stage: Arc<dyn Stage>,
    progress: Mutex<Progress>,
}

struct Progress {
    next: usize,
    /// Pieces that want another turn.
    again: VecDeque<usize>,
    busy: usize,
    /// Whether the stage stands in the queue: once at most, or it would have more turns than others.
    queued: bool,
    outcome: Result<()>,
    finished: bool,
}

impl Running {
    /// A stage that stands in the queue.
    pub fn new(stage: Arc<dyn Stage>) -> Self {
        let progress =
            Progress { next: 0, again: VecDeque::new(), busy: 0, queued: true, outcome: Ok(()), finished: false };
        Running { stage, progress: Mutex::new(progress) }
    }

    pub fn is_run(&self) -> bool {
        self.stage.is_run()
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece to do, if the stage still goes on.
    pub fn claim(&self) -> Option<usize> {
        let cancelled = self.stage.is_cancelled();
        let mut progress = self.progress();
        progress.queued = false;
        if cancelled && progress.outcome.is_ok() {
            progress.outcome = Err(Error::Cancelled);
        }
        if progress.outcome.is_err() || !self.has_more(&progress) {
            return None;
        }
        progress.busy += 1;
        let next = progress.next;
        Some(progress.again.pop_front().unwrap_or_else(|| {
            progress.next = next + 1;
            next
        }))
    }

    fn has_more(&self, progress: &Progress) -> bool {
        !progress.again.is_empty() || progress.next < self.stage.pieces()
    }

    /// Whether the stage should stand in the queue and does not; from now on it does.
    pub fn wants_a_place(&self) -> bool {
        let mut progress = self.progress();
        let wants = !progress.queued && progress.outcome.is_ok() && self.has_more(&progress);
        progress.queued |= wants;
        wants
    }

    /// Does the claimed piece, and ends the stage where it was the last.
    pub fn advance(&self, claimed: Option<usize>) {
        let outcome = claimed.map_or(Ok(Step::Done), |piece| caught(|| self.stage.perform(piece)));
        let mut progress = self.progress();
        progress.busy -= usize::from(claimed.is_some());
        match outcome {
            Ok(Step::Done) => {}
            Ok(Step::Again) => progress.again.extend(claimed),
            Err(error) if progress.outcome.is_ok() => progress.outcome = Err(error),
            Err(_) => {}
        }
        let over = progress.outcome.is_err() || !self.has_more(&progress);
        if !over || progress.busy > 0 || progress.finished {
            return;
        }
        progress.finished = true;
        let outcome = std::mem::replace(&mut progress.outcome, Ok(()));
        drop(progress);
        // A panic in here drops the stage's reply, which then answers with an error.
        let _ = caught(|| {
            self.stage.finish(outcome);
            Ok(())
        });
    }
}
