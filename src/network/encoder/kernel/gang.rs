//! The threads that work on one run.
//!
//! A run is a row of steps, each of some units of work that do not touch each other. With one thread a step is a loop. With a team
//! the units of a step are given out one by one, to the leader and to whoever else is there; the next step begins when all are
//! done. Members come and go between units, so nobody is waited for who has not begun a unit.

#![allow(unsafe_code, reason = "units of work write to parts of one buffer, and members run the leader's closure")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use crate::scheduler::Help;

/// Who works on a run: one thread, or a team.
#[derive(Clone, Copy)]
pub struct Gang<'a> {
    team: Option<&'a Team>,
}

/// Units of a step that a ticket has room for.
const MOST_UNITS: usize = (1 << 20) - 1;
/// How often a leader looks for the end of a step before it lets others have its core: a member may have lost its own.
const LOOKS: usize = 2_000;

/// A leader, and members that help.
#[derive(Debug, Default)]
pub struct Team {
    /// The step's number (24 bits), its units (20), and the next unit to be given out (20).
    ticket: AtomicU64,
    /// The step's work, which lies on the leader's stack.
    work: AtomicPtr<&'static Work<'static>>,
    /// Units that are done.
    done: AtomicUsize,
    /// Whether a unit panicked.
    failed: AtomicBool,
    closed: AtomicBool,
    /// How many threads there may be.
    size: usize,
}

type Work<'a> = dyn Fn(usize) + Sync + 'a;

impl Gang<'_> {
    /// One thread.
    #[must_use]
    pub fn solo() -> Self {
        Gang { team: None }
    }

    /// How many threads may work at a time.
    pub(in crate::network::encoder) fn size(self) -> usize {
        self.team.map_or(1, |team| team.size)
    }

    /// Does `work` for each unit below `units`, in any order and by any of the threads, and returns when all are done.
    pub(in crate::network::encoder) fn each(self, units: usize, work: &Work<'_>) {
        match self.team {
            Some(team) if units > 1 && units <= MOST_UNITS => team.lead(units, work),
            _ => (0..units).for_each(work),
        }
    }

    /// Does `work` for parts of `numbers`, each of `part` numbers (the last may be shorter), with the part's place.
    pub(in crate::network::encoder) fn split<T: Send>(
        self,
        numbers: &mut [T],
        part: usize,
        work: impl Fn(usize, &mut [T]) + Sync,
    ) {
        let length = numbers.len();
        let shared = Shared::new(numbers);
        self.each(length.div_ceil(part), &|unit| {
            let start = unit * part;
            // SAFETY: each unit is done once, and units have no part in common.
            let part = unsafe { shared.part(start, part.min(length - start)) };
            work(unit, part);
        });
    }
}

impl Team {
    /// A team of up to `size` threads, the leader included.
    #[must_use]
    pub fn new(size: usize) -> Arc<Self> {
        Arc::new(Team { size, ..Team::default() })
    }

    /// Does `run` as the team's leader. Afterwards nobody joins any more.
    pub fn gather<T>(&self, run: impl FnOnce(Gang<'_>) -> T) -> T {
        struct Close<'a>(&'a Team);
        impl Drop for Close<'_> {
            fn drop(&mut self) {
                self.0.closed.store(true, Ordering::Release);
            }
        }
        let _close = Close(self);
        run(Gang { team: Some(self) })
    }

    /// One step.
    fn lead(&self, units: usize, work: &Work<'_>) {
        // SAFETY: the lifetime is taken away for the pointer alone. It is only followed for units of this step, and this function
        // does not return, nor unwind, before all of them are done.
        let mut work: &Work<'static> = unsafe { std::mem::transmute::<&Work<'_>, &Work<'static>>(work) };
        self.done.store(0, Ordering::Relaxed);
        let step = (self.ticket.load(Ordering::Relaxed) >> 40) + 1;
        self.work.store(&raw mut work, Ordering::Relaxed);
        self.ticket.store(step << 40 | (units as u64) << 20, Ordering::Release);
        while self.unit() {}
        let mut looks = 0;
        while self.done.load(Ordering::Acquire) < units {
            looks += 1;
            if looks < LOOKS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        assert!(!self.failed.load(Ordering::Relaxed), "a part of the run failed");
    }

    /// Does a unit of the current step, if there is one left.
    fn unit(&self) -> bool {
        let mut ticket = self.ticket.load(Ordering::Acquire);
        let (unit, work) = loop {
            let (units, next) = (ticket >> 20 & MOST_UNITS as u64, ticket & MOST_UNITS as u64);
            if next >= units {
                return false;
            }
            let work = self.work.load(Ordering::Relaxed);
            match self.ticket.compare_exchange_weak(ticket, ticket + 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break (next, work),
                Err(now) => ticket = now,
            }
        };
        let unit = usize::try_from(unit).unwrap_or(usize::MAX);
        // SAFETY: the ticket had a unit left and did not change, so `work` is this step's: the leader sets another one only when all
        // units of a step were given out and done. Until this one is done the leader waits, so the work is there.
        let work = unsafe { *work };
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(unit))).is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        self.done.fetch_add(1, Ordering::Release);
        true
    }
}

impl Help for Team {
    fn help(&self, stay: &dyn Fn() -> bool) {
        while !self.closed.load(Ordering::Acquire) && stay() {
            if !self.unit() {
                std::hint::spin_loop();
            }
        }
    }
}

/// A buffer whose parts several threads write to.
pub(super) struct Shared<'a, T> {
    first: *mut T,
    length: usize,
    borrowed: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: the only ways to the numbers are `part` and `at`, whose callers answer for parts that do not overlap.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub fn new(numbers: &'a mut [T]) -> Self {
        Shared { first: numbers.as_mut_ptr(), length: numbers.len(), borrowed: std::marker::PhantomData }
    }

    /// `length` numbers from `start` on.
    ///
    /// # Safety
    /// No number of the part is in another part that is in use.
    #[allow(clippy::mut_from_ref, reason = "the caller answers for it")]
    pub unsafe fn part(&self, start: usize, length: usize) -> &'a mut [T] {
        assert!(start <= self.length && length <= self.length - start, "a part within the buffer");
        // SAFETY: within the buffer, and not in use elsewhere.
        unsafe { std::slice::from_raw_parts_mut(self.first.add(start), length) }
    }

    /// Where a number is. To write there is subject to what [`Shared::part`] asks.
    pub fn at(&self, place: usize) -> *mut T {
        assert!(place <= self.length, "a place within the buffer");
        self.first.wrapping_add(place)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    /// Members that come and go while `run` leads.
    fn with_members<T>(members: usize, run: impl FnOnce(Gang<'_>) -> T) -> T {
        let team = Team::new(members + 1);
        std::thread::scope(|scope| {
            for member in 0..members {
                let team = &team;
                scope.spawn(move || {
                    let looks = AtomicU32::new(0);
                    while !team.closed.load(Ordering::Acquire) {
                        // Stays for a few looks, leaves, and comes again.
                        let most = looks.load(Ordering::Relaxed) + 1 + 37 * (member as u32 + 1);
                        team.help(&|| looks.fetch_add(1, Ordering::Relaxed) < most);
                    }
                });
            }
            team.gather(run)
        })
    }

    #[test]
    fn every_unit_is_done_once_and_before_the_next_step() {
        with_members(3, |gang| {
            let mut numbers = vec![0_u32; 61];
            for step in 0..20_000_u32 {
                let part = 1 + step as usize % 7;
                gang.split(&mut numbers, part, |_, part| {
                    for number in part {
                        assert_eq!(*number, step, "the step before is over");
                        *number += 1;
                    }
                });
            }
            assert!(numbers.iter().all(|number| *number == 20_000));
        });
    }

    #[test]
    fn a_panic_of_any_unit_is_the_leaders_and_ends_no_member() {
        with_members(2, |gang| {
            for _ in 0..200 {
                let done = AtomicUsize::new(0);
                let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    gang.each(8, &|unit| {
                        done.fetch_add(1, Ordering::Relaxed);
                        // Without the hook: two hundred messages would hide others.
                        if unit == 5 {
                            std::panic::resume_unwind(Box::new("no"));
                        }
                    });
                }));
                assert!(failed.is_err());
                assert_eq!(done.load(Ordering::Relaxed), 8, "the leader waits for all units");
                gang.team.expect("a team").failed.store(false, Ordering::Relaxed);
            }
        });
    }

    #[test]
    fn nobody_works_on_a_team_that_is_closed() {
        let team = Team::new(2);
        team.gather(|gang| gang.each(3, &|_| {}));
        team.help(&|| true);
        assert!(!team.unit());
    }
}
