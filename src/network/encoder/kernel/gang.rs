//! The threads that work on one run.

#![allow(unsafe_code, reason = "units of work write to parts of one buffer")]

/// Who works on a run: one thread, or several.
#[derive(Clone, Copy)]
pub struct Gang<'a> {
    team: Option<&'a Team>,
}

/// Several threads.
pub(in crate::network) struct Team;

impl Gang<'_> {
    /// One thread.
    pub fn solo() -> Self {
        Gang { team: None }
    }

    /// How many threads may work at a time.
    pub fn size(&self) -> usize {
        match self.team {
            None => 1,
            Some(_) => 1,
        }
    }

    /// Does `work` for each unit below `units`, in any order and by any of the threads, and returns when all are done.
    pub fn each(&self, units: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..units).for_each(work);
    }

    /// Does `work` for parts of `numbers`, each of `part` numbers (the last may be shorter), with the part's place.
    pub fn split<T: Send>(&self, numbers: &mut [T], part: usize, work: impl Fn(usize, &mut [T]) + Sync) {
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

/// A buffer whose parts several threads write to.
pub(super) struct Shared<'a, T> {
    first: *mut T,
    length: usize,
    borrowed: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: the only way to the numbers is `part`, whose caller answers for parts that do not overlap.
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
