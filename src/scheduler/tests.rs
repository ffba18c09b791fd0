//! Stages of all kinds on the workers.

use super::*;
use crate::reply::{Reply, pair};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const LIMITS: QueueLimits = QueueLimits { calls: 2, tokens: 100 };

struct Probe {
    pieces: usize,
    work: Box<dyn Fn(usize) -> Result<Step> + Send + Sync>,
    reply: Mutex<Option<Reply<()>>>,
    cancelled: AtomicBool,
    run: bool,
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
    fn is_run(&self) -> bool {
        self.run
    }
}

fn probe(
    pieces: usize,
    work: impl Fn(usize) -> Result<Step> + Send + Sync + 'static,
) -> (Arc<Probe>, impl FnOnce() -> Result<()>) {
    let (reply, wait) = pair();
    let reply = Mutex::new(Some(reply));
    let stage = Probe { pieces, work: Box::new(work), reply, cancelled: AtomicBool::new(false), run: false };
    (Arc::new(stage), wait)
}

/// The same, of runs.
fn runs(
    pieces: usize,
    work: impl Fn(usize) -> Result<Step> + Send + Sync + 'static,
) -> (Arc<Probe>, impl FnOnce() -> Result<()>) {
    let (stage, wait) = probe(pieces, work);
    let stage = Arc::into_inner(stage).expect("just made");
    (Arc::new(Probe { run: true, ..stage }), wait)
}

#[test]
fn every_piece_is_done_once() {
    let scheduler = Scheduler::start(4, LIMITS, None).expect("threads");
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
    let scheduler = Scheduler::start(1, LIMITS, None).expect("threads");
    let (stage, wait) = probe(0, |_| Ok(Step::Done));
    scheduler.submit(stage);
    wait().expect("done");
}

#[test]
fn a_failure_and_a_panic_end_their_stage_only() {
    let scheduler = Scheduler::start(2, LIMITS, None).expect("threads");
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
    let scheduler = Scheduler::start(1, LIMITS, None).expect("threads");
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
    let scheduler = Scheduler::start(1, LIMITS, None).expect("threads");
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
    let places: Vec<usize> = steps.iter().enumerate().filter(|(_, step)| *step == "short").map(|(at, _)| at).collect();
    assert!(places[2] < 8, "the short stage had its turns at {places:?}");
}

#[test]
fn a_cancelled_stage_does_no_more_pieces() {
    let scheduler = Scheduler::start(1, LIMITS, None).expect("threads");
    let (stage, wait) = probe(10, |_| Ok(Step::Done));
    stage.cancelled.store(true, Ordering::SeqCst);
    scheduler.submit(stage);
    assert!(matches!(wait(), Err(Error::Cancelled)));
}

#[test]
fn calls_are_refused_only_while_others_wait() {
    let scheduler = Scheduler::start(1, LIMITS, None).expect("threads");
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

#[test]
fn only_so_many_runs_go_on_at_a_time_and_other_work_beside_them() {
    let scheduler = Scheduler::start(4, LIMITS, Some(1)).expect("threads");
    let going_on = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (gate_sender, gate) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let waits: Vec<_> = (0..8)
        .map(|number| {
            let (going_on, most) = (going_on.clone(), most.clone());
            let (stage, wait) = runs(50 + number, move |_| count(&going_on, &most));
            scheduler.submit(stage);
            wait
        })
        .collect();
    for wait in waits {
        wait().expect("done");
    }
    let (held, wait_held) = runs(1, move |_| {
        gate.lock().expect("lock").recv().expect("opened");
        Ok(Step::Done)
    });
    scheduler.submit(held);
    // This run waits at the gate; work of another kind is not held up by it.
    let (other, wait_other) = probe(10, |_| Ok(Step::Done));
    scheduler.submit(other);
    wait_other().expect("done");
    gate_sender.send(()).expect("waited for");
    wait_held().expect("done");
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

fn count(going_on: &AtomicUsize, most: &AtomicUsize) -> Result<Step> {
    most.fetch_max(going_on.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    std::thread::yield_now();
    going_on.fetch_sub(1, Ordering::SeqCst);
    Ok(Step::Done)
}

#[test]
fn a_run_that_ends_in_any_way_makes_room_for_the_next() {
    let scheduler = Scheduler::start(2, LIMITS, Some(1)).expect("threads");
    let (bad, wait_bad) = runs(5, |_| panic!("no"));
    let (cancelled, wait_cancelled) = runs(5, |_| Ok(Step::Done));
    cancelled.cancelled.store(true, Ordering::SeqCst);
    let (good, wait_good) = runs(5, |_| Ok(Step::Done));
    scheduler.submit(bad);
    scheduler.submit(cancelled);
    scheduler.submit(good);
    assert_eq!(wait_bad().expect_err("panicked").code(), "ERR_INTERNAL");
    assert!(wait_cancelled().expect_err("cancelled").is_cancelled());
    wait_good().expect("done");
}
