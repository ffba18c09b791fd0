//! Our threads and the queue in front of them. Knows nothing of models.
//!
//! Work is a [`Stage`]: some pieces that any worker may do in any order, and an end. Workers go round the waiting stages
//! and take one piece of each, so a small call never waits for a large one to finish. A piece that takes long is done in
//! steps, with the other stages' turn between them. A stage that fails, panics or is cancelled ends early; its other pieces
//! are not done.

mod queue;
mod running;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::queue::Queue;
use self::running::Running;
use crate::error::{Error, Result};
use crate::panic::caught;

/// Hostile tokenizers recurse; the default of 2 MiB is too little for them.
const STACK_BYTES: usize = 8 << 20;

/// How long a worker without work looks for some while another one is busy, before it sleeps: to wake up takes as long as half of a
/// lone text's run. While nothing runs nobody looks.
const LINGER: Duration = Duration::from_micros(150);

/// A piece of work that others can help with while it is done.
pub trait Help: Send + Sync {
    /// Helps until the work is done or `stay` is false.
    fn help(&self, stay: &dyn Fn() -> bool);
}

/// Work in pieces.
pub trait Stage: Send + Sync {
    /// How many pieces there are. Fixed.
    fn pieces(&self) -> usize;
    /// Does one piece, or a step of it. Called by several workers at a time, for each piece by one.
    ///
    /// # Errors
    /// Any error ends the stage.
    fn perform(&self, piece: usize) -> Result<Step>;
    /// Called once, after the last piece or the first failure.
    fn finish(&self, outcome: Result<()>);
    /// Whether nobody waits for the outcome any more.
    fn is_cancelled(&self) -> bool;
    /// Whether its pieces are runs, of which only so many may go on at a time.
    fn is_run(&self) -> bool {
        false
    }
}

/// How far a piece has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is done.
    Done,
    /// It wants another turn.
    Again,
}

/// How much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Calls.
    pub calls: usize,
    /// Tokens.
    pub tokens: usize,
}

/// The worker threads and their queue.
pub struct Scheduler {
    shared: Arc<Shared>,
    threads: usize,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Rung when a stage comes, somebody wants help, or the scheduler closes.
    bell: Condvar,
    limits: QueueLimits,
    /// How many runs may go on at a time; `None` for any number.
    runs_at_once: Option<usize>,
    /// Stages that wait; as in the queue, for those who do not lock it.
    waiting: AtomicUsize,
    /// Workers that do a piece.
    busy: AtomicUsize,
    /// Whether somebody wants help.
    wanted: AtomicBool,
}

/// What a worker does next.
enum Next {
    Stage(Arc<Running>),
    Help(Arc<dyn Help>),
}

impl Shared {
    /// A run has ended: one that is held may begin.
    fn end_run(&self) {
        let mut queue = self.lock();
        queue.runs -= 1;
        let wake = queue.sleeping > 0 && !queue.held.is_empty();
        drop(queue);
        if wake {
            self.bell.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a stage at the queue's end, and wakes those who sleep.
    fn push(&self, running: Arc<Running>, all: bool) {
        let mut queue = self.lock();
        queue.stages.push_back(running);
        self.waiting.store(queue.stages.len(), Ordering::Relaxed);
        let sleeping = queue.sleeping > 0;
        drop(queue);
        if sleeping && all {
            self.bell.notify_all();
        } else if sleeping {
            self.bell.notify_one();
        }
    }

    /// Waits for something to do.
    fn next(&self) -> Option<Next> {
        let mut looking_until = None;
        let mut queue = self.lock();
        loop {
            let next = queue.take(self.runs_at_once);
            self.waiting.store(queue.stages.len(), Ordering::Relaxed);
            if let Some(running) = next {
                // Counted before the queue is free, so that whoever finds it empty sees that somebody is busy.
                self.busy.fetch_add(1, Ordering::Relaxed);
                return Some(Next::Stage(running));
            }
            if queue.closed {
                return None;
            }
            if let Some(helped) = &queue.helped {
                return Some(Next::Help(helped.clone()));
            }
            let until = *looking_until.get_or_insert_with(|| Instant::now() + LINGER);
            let somebody_is_busy = || self.busy.load(Ordering::Relaxed) > 0;
            if somebody_is_busy() && Instant::now() < until {
                drop(queue);
                let nothing = || self.waiting.load(Ordering::Relaxed) == 0 && !self.wanted.load(Ordering::Relaxed);
                while nothing() && somebody_is_busy() && Instant::now() < until {
                    std::hint::spin_loop();
                }
                queue = self.lock();
                continue;
            }
            queue.sleeping += 1;
            queue = self.bell.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.sleeping -= 1;
            looking_until = None;
        }
    }
}

impl Scheduler {
    /// Starts `threads` workers, which do as many runs at a time; or `runs_at_once` where that is less.
    ///
    /// # Errors
    /// [`Error::Runtime`] where the system gives no thread.
    pub fn start(threads: usize, limits: QueueLimits, runs_at_once: Option<usize>) -> Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            bell: Condvar::new(),
            limits,
            runs_at_once,
            waiting: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            wanted: AtomicBool::new(false),
        });
        let threads = threads.max(1);
        let scheduler = Scheduler { shared, threads };
        for number in 0..threads {
            let shared = scheduler.shared.clone();
            std::thread::Builder::new()
                .name(format!("vecrank-{number}"))
                .stack_size(STACK_BYTES)
                .spawn(move || work(&shared))
                .map_err(|source| Error::runtime("A worker thread could not be started", source))?;
        }
        Ok(scheduler)
    }

    /// Asks for room for a call of about `tokens`. It counts as waiting until the [`Admission`] is dropped.
    ///
    /// A call is refused only when others wait, so that one call of any size is accepted. `continued` calls belong to
    /// one that was accepted before.
    ///
    /// # Errors
    /// [`Error::Overloaded`]
    pub fn admit(&self, tokens: usize, continued: bool) -> Result<Admission> {
        let mut queue = self.shared.lock();
        let limits = self.shared.limits;
        let full =
            queue.waiting_calls + 1 > limits.calls || queue.waiting_tokens.saturating_add(tokens) > limits.tokens;
        if full && queue.waiting_calls > 0 && !continued {
            return Err(Error::Overloaded(format!(
                "The model's queue is full: {} calls with about {} tokens wait, at most {} calls and {} tokens may. \
                 Try again later, or raise `queue`",
                queue.waiting_calls, queue.waiting_tokens, limits.calls, limits.tokens
            )));
        }
        queue.waiting_calls += 1;
        queue.waiting_tokens = queue.waiting_tokens.saturating_add(tokens);
        Ok(Admission { shared: self.shared.clone(), tokens })
    }

    /// Hands a stage to the workers.
    pub fn submit(&self, stage: Arc<dyn Stage>) {
        self.shared.push(Arc::new(Running::new(stage)), true);
    }

    /// Whether there are workers with nothing to do, for the one that asks.
    #[must_use]
    pub fn has_idle_workers(&self) -> bool {
        let Shared { waiting, busy, .. } = &*self.shared;
        waiting.load(Ordering::Relaxed) == 0 && busy.load(Ordering::Relaxed) < self.threads
    }

    /// Does `work`, with which idle workers can help by `help`. They leave it as soon as a stage waits.
    pub fn with_help<T>(&self, help: Arc<dyn Help>, work: impl FnOnce() -> T) -> T {
        let mut queue = self.shared.lock();
        // One at a time: with two there is nobody idle.
        let offered = queue.helped.is_none();
        if offered {
            queue.helped = Some(help);
            self.shared.wanted.store(true, Ordering::Relaxed);
            if queue.sleeping > 0 {
                self.shared.bell.notify_all();
            }
        }
        drop(queue);
        let _end = End { shared: &self.shared, offered };
        work()
    }
}

/// Ends an offer, also where the work panics.
struct End<'a> {
    shared: &'a Shared,
    offered: bool,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        if self.offered {
            self.shared.wanted.store(false, Ordering::Relaxed);
            self.shared.lock().helped = None;
        }
    }
}

impl Drop for Scheduler {
    /// Workers end when the queue is empty. They are not waited for: the last owner may be one of them.
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.bell.notify_all();
    }
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Scheduler").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}

/// Room in the queue. Dropped when the call's work begins.
pub struct Admission {
    shared: Arc<Shared>,
    tokens: usize,
}

impl Admission {
    /// Replaces the estimate by the number of tokens.
    pub fn set_tokens(&mut self, tokens: usize) {
        let mut queue = self.shared.lock();
        queue.waiting_tokens = queue.waiting_tokens.saturating_sub(self.tokens).saturating_add(tokens);
        drop(queue);
        self.tokens = tokens;
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.waiting_calls = queue.waiting_calls.saturating_sub(1);
        queue.waiting_tokens = queue.waiting_tokens.saturating_sub(self.tokens);
    }
}

fn work(shared: &Shared) {
    while let Some(next) = shared.next() {
        match next {
            Next::Help(helped) => {
                let stay = || shared.waiting.load(Ordering::Relaxed) == 0;
                // What fails in a part of the work fails the work, where it is waited for.
                let _ = caught(|| {
                    helped.help(&stay);
                    Ok(())
                });
            }
            Next::Stage(running) => {
                let claimed = running.claim();
                if claimed.is_some() {
                    enqueue(shared, &running);
                }
                running.advance(claimed);
                if shared.runs_at_once.is_some() && running.is_run() {
                    shared.end_run();
                }
                enqueue(shared, &running);
                shared.busy.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

/// Puts a stage that has work for somebody back into the queue, behind the others.
fn enqueue(shared: &Shared, running: &Arc<Running>) {
    if running.wants_a_place() {
        shared.push(running.clone(), false);
    }
}

#[cfg(test)]
mod tests;
