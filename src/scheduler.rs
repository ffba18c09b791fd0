//! Our threads and the queue in front of them. Knows nothing of models.
//!
//! Work is a [`Stage`]: some pieces that any worker may do in any order, and an end. Workers go round the waiting stages
//! and take one piece of each, so a small call never waits for a large one to finish. A piece that takes long is done in
//! steps, with the other stages' turn between them. A stage that fails, panics or is cancelled ends early; its other pieces
//! are not done.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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
    /// Stages that wait; as in the queue, for those who do not lock it.
    waiting: AtomicUsize,
    /// Workers that do a piece.
    busy: AtomicUsize,
    /// Whether somebody wants help.
    wanted: AtomicBool,
}

#[derive(Default)]
struct Queue {
    stages: VecDeque<Arc<Running>>,
    /// What idle workers can help with.
    helped: Option<Arc<dyn Help>>,
    sleeping: usize,
    waiting_calls: usize,
    waiting_tokens: usize,
    closed: bool,
}

/// A stage on its way.
struct Running {
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

/// What a worker does next.
enum Next {
    Stage(Arc<Running>),
    Help(Arc<dyn Help>),
}

impl Shared {
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
            if let Some(running) = queue.stages.pop_front() {
                self.waiting.store(queue.stages.len(), Ordering::Relaxed);
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
    /// Starts `threads` workers.
    ///
    /// # Errors
    /// [`Error::Runtime`] where the system gives no thread.
    pub fn start(threads: usize, limits: QueueLimits) -> Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            bell: Condvar::new(),
            limits,
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
        let progress =
            Progress { next: 0, again: VecDeque::new(), busy: 0, queued: true, outcome: Ok(()), finished: false };
        let running = Arc::new(Running { stage, progress: Mutex::new(progress) });
        self.shared.push(running, true);
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

impl Running {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece to do, if the stage still goes on.
    fn claim(&self) -> Option<usize> {
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
    fn wants_a_place(&self) -> bool {
        let mut progress = self.progress();
        let wants = !progress.queued && progress.outcome.is_ok() && self.has_more(&progress);
        progress.queued |= wants;
        wants
    }

    /// Does the claimed piece, and ends the stage where it was the last.
    fn advance(&self, claimed: Option<usize>) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::{Reply, pair};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    const LIMITS: QueueLimits = QueueLimits { calls: 2, tokens: 100 };

    struct Probe {
        pieces: usize,
        work: Box<dyn Fn(usize) -> Result<Step> + Send + Sync>,
        reply: Mutex<Option<Reply<()>>>,
        cancelled: AtomicBool,
    }

    impl Stage for Probe {
        fn pieces(&self) -> usize {
            self.pieces
        }
        fn perform(&self, piece: usize) -> Result<Step> {
            (self.work)(piece)
        }
        fn finish(&self, outcome: Result<()>) {
            self.reply.lock().expect("lock").take().expect("finished once").send(outcome);
        }
        fn is_cancelled(&self) -> bool {
            self.cancelled.load(Ordering::SeqCst)
        }
    }

    fn probe(
        pieces: usize,
        work: impl Fn(usize) -> Result<Step> + Send + Sync + 'static,
    ) -> (Arc<Probe>, impl FnOnce() -> Result<()>) {
        let (reply, wait) = pair();
        let reply = Mutex::new(Some(reply));
        (Arc::new(Probe { pieces, work: Box::new(work), reply, cancelled: AtomicBool::new(false) }), wait)
    }

    #[test]
    fn every_piece_is_done_once() {
        let scheduler = Scheduler::start(4, LIMITS).expect("threads");
        let counts: Arc<Vec<AtomicUsize>> = Arc::new((0..1000).map(|_| AtomicUsize::new(0)).collect());
        let seen = counts.clone();
        let (stage, wait) = probe(1000, move |piece| {
            seen[piece].fetch_add(1, Ordering::SeqCst);
            Ok(Step::Done)
        });
        scheduler.submit(stage);
        wait().expect("done");
        assert!(counts.iter().all(|count| count.load(Ordering::SeqCst) == 1));
    }

    #[test]
    fn a_stage_without_pieces_finishes() {
        let scheduler = Scheduler::start(1, LIMITS).expect("threads");
        let (stage, wait) = probe(0, |_| Ok(Step::Done));
        scheduler.submit(stage);
        wait().expect("done");
    }

    #[test]
    fn a_failure_and_a_panic_end_their_stage_only() {
        let scheduler = Scheduler::start(2, LIMITS).expect("threads");
        let (bad, wait_bad) = probe(100, |piece| if piece == 3 { panic!("no") } else { Ok(Step::Done) });
        let (good, wait_good) = probe(100, |_| Ok(Step::Done));
        scheduler.submit(bad);
        scheduler.submit(good);
        let error = wait_bad().expect_err("panicked");
        assert_eq!(error.code(), "ERR_INTERNAL");
        assert!(error.to_string().contains("no"));
        wait_good().expect("untouched");
    }

    #[test]
    fn a_small_stage_does_not_wait_for_a_large_one() {
        let scheduler = Scheduler::start(1, LIMITS).expect("threads");
        let (gate_sender, gate) = std::sync::mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let done = Arc::new(AtomicUsize::new(0));
        let counted = done.clone();
        let (large, wait_large) = probe(1000, move |piece| {
            if piece == 0 {
                gate.lock().expect("lock").recv().expect("opened");
            }
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(Step::Done)
        });
        let at = done.clone();
        let seen = Arc::new(AtomicUsize::new(usize::MAX));
        let stored = seen.clone();
        let (small, wait_small) = probe(1, move |_| {
            stored.store(at.load(Ordering::SeqCst), Ordering::SeqCst);
            Ok(Step::Done)
        });
        scheduler.submit(large);
        scheduler.submit(small);
        gate_sender.send(()).expect("open");
        wait_small().expect("done");
        wait_large().expect("done");
        assert!(seen.load(Ordering::SeqCst) <= 2, "the small stage ran after {} pieces", seen.load(Ordering::SeqCst));
    }

    #[test]
    fn a_piece_that_goes_on_lets_others_have_their_turn() {
        let scheduler = Scheduler::start(1, LIMITS).expect("threads");
        let steps = Arc::new(Mutex::new(Vec::new()));
        let (gate_sender, gate) = std::sync::mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let taken = steps.clone();
        let (long, wait_long) = probe(2, move |piece| {
            let mut taken = taken.lock().expect("lock");
            if taken.is_empty() {
                gate.lock().expect("lock").recv().expect("opened");
            }
            taken.push(format!("long {piece}"));
            let all = taken.iter().filter(|step| **step == format!("long {piece}")).count();
            Ok(if all == 50 { Step::Done } else { Step::Again })
        });
        let taken = steps.clone();
        let (short, wait_short) = probe(3, move |_| {
            taken.lock().expect("lock").push("short".into());
            Ok(Step::Done)
        });
        scheduler.submit(long);
        scheduler.submit(short);
        gate_sender.send(()).expect("open");
        wait_short().expect("done");
        wait_long().expect("done");
        let steps = steps.lock().expect("lock");
        assert_eq!(steps.len(), 103, "two pieces of fifty steps, and three");
        // Turn by turn, however many steps the long one has taken.
        let places: Vec<usize> =
            steps.iter().enumerate().filter(|(_, step)| *step == "short").map(|(at, _)| at).collect();
        assert!(places[2] < 8, "the short stage had its turns at {places:?}");
    }

    #[test]
    fn a_cancelled_stage_does_no_more_pieces() {
        let scheduler = Scheduler::start(1, LIMITS).expect("threads");
        let (stage, wait) = probe(10, |_| Ok(Step::Done));
        stage.cancelled.store(true, Ordering::SeqCst);
        scheduler.submit(stage);
        assert!(matches!(wait(), Err(Error::Cancelled)));
    }

    #[test]
    fn calls_are_refused_only_while_others_wait() {
        let scheduler = Scheduler::start(1, LIMITS).expect("threads");
        let mut huge = scheduler.admit(1_000_000, false).expect("nobody waits");
        assert_eq!(scheduler.admit(1, false).err().expect("full").code(), "ERR_OVERLOADED");
        let continued = scheduler.admit(1, true).expect("part of an accepted call");
        huge.set_tokens(10);
        assert_eq!(scheduler.admit(1, false).err().expect("two calls wait").code(), "ERR_OVERLOADED");
        drop(continued);
        let second = scheduler.admit(50, false).expect("room again");
        drop((huge, second));
        scheduler.admit(1_000_000, false).expect("nobody waits");
    }
}
