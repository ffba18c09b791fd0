//! Stages that wait, and which of them is next.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Help;
use super::running::Running;

/// What workers share under the lock.
#[derive(Default)]
pub(super) struct Queue {
    pub stages: VecDeque<Arc<Running>>,
    /// Runs that came to their turn while as many as may went on. They are next when one of those ends.
    pub held: VecDeque<Arc<Running>>,
    pub runs: usize,
    /// What idle workers can help with.
    pub helped: Option<Arc<dyn Help>>,
    pub sleeping: usize,
    pub waiting_calls: usize,
    pub waiting_tokens: usize,
    pub closed: bool,
}

impl Queue {
    /// The next stage that may go on.
    pub fn take(&mut self, runs_at_once: Option<usize>) -> Option<Arc<Running>> {
        let Some(runs_at_once) = runs_at_once else { return self.stages.pop_front() };
        if self.runs < runs_at_once
            && let Some(held) = self.held.pop_front()
        {
            self.runs += 1;
            return Some(held);
        }
        while let Some(running) = self.stages.pop_front() {
            if !running.is_run() {
                return Some(running);
            }
            if self.runs < runs_at_once {
                self.runs += 1;
                return Some(running);
            }
            self.held.push_back(running);
        }
        None
    }
}
