//! Which requests of a run for memory the meter refuses: those that would exceed the budget by more than a quarter, and
//! those of an operation that is past its deadline or would end too late. `allocator.rs` says how a refusal ends the run.
//!
//! Invariant: like the rest of the meter, nothing here allocates, locks or panics.

use std::sync::atomic::Ordering::Relaxed;

use crate::bounds::clock::{NEVER, now_ns};
use crate::bounds::meter::{LARGE_BLOCK, Meter, held};
use crate::bounds::stack;
use crate::bounds::stop::Stop;

/// A run that is past its deadline by more than this is within a long operation: the others look at the clock.
const LATE_NS: u64 = 5_000_000;
/// An operation that would end later than this after the deadline is not begun, or not continued.
const TOO_LATE_NS: u64 = 25_000_000;
/// What filling a new block takes at least, in nanoseconds for each byte: touching its pages, and copying.
const NS_PER_BYTE: u64 = 1;
/// Containers that are made between two looks at the clock, a power of two.
const CONTAINERS_PER_LOOK: isize = 256;
/// A buffer that grows beyond this looks at the clock.
const LARGE_GROWTH: usize = 1 << 20;

impl Meter {
    /// Whether a buffer must not grow to this size.
    #[inline]
    pub fn refuses_growth(&self, old: usize, size: usize) -> bool {
        size > LARGE_BLOCK && size > old && self.refuses_large_growth(old, size)
    }

    #[cold]
    fn refuses_large_growth(&self, old: usize, size: usize) -> bool {
        let budget = self.budget.get();
        if self.live_bytes.get() + held(size) - held(old) > hard(budget.live_bytes) {
            return self.refuse(Stop::Memory);
        }
        if size < LARGE_GROWTH || budget.deadline_ns == NEVER {
            return false;
        }
        let now = now_ns();
        // SAFETY: as in `exceed`; with a deadline there is a run.
        let (granted, left) = unsafe { ((*budget.granted).load(Relaxed), (*budget.left).load(Relaxed)) };
        let operation = granted - left;
        let (before, before_operation) = self.grown.replace((now, operation));
        // Within one operation, a buffer that doubles takes twice as long to fill as it took the last time. What has
        // passed between two operations says nothing: the script may have slept.
        let next_ns = if operation == before_operation { 2 * now.saturating_sub(before) } else { 0 };
        let ends_at = now.saturating_add(next_ns);
        (ends_at > budget.deadline_ns.saturating_add(TOO_LATE_NS)) && self.refuse(Stop::Timeout)
    }

    #[cold]
    pub(super) fn refuses_block(&self, size: usize) -> bool {
        let budget = self.budget.get();
        if self.live_bytes.get() + held(size) > hard(budget.live_bytes) {
            return self.refuse(Stop::Memory);
        }
        if size < LARGE_GROWTH || budget.deadline_ns == NEVER {
            return false;
        }
        let filled_at = now_ns().saturating_add(NS_PER_BYTE * size as u64);
        (filled_at > budget.deadline_ns.saturating_add(TOO_LATE_NS)) && self.refuse(Stop::Timeout)
    }

    /// Whether the clone of nested data must not go on.
    #[inline]
    pub(super) fn refuses_container(&self) -> bool {
        if self.live_bytes.get() > hard(self.budget.get().live_bytes) {
            return self.refuse(Stop::Memory);
        }
        (self.containers.get() + self.leaves.get()) % CONTAINERS_PER_LOOK == 0 && self.is_late()
    }

    #[cold]
    fn is_late(&self) -> bool {
        let deadline_ns = self.budget.get().deadline_ns;
        deadline_ns != NEVER && now_ns() > deadline_ns.saturating_add(LATE_NS) && self.refuse(Stop::Timeout)
    }

    /// Refuses a request, if that can end the run.
    #[cold]
    pub fn refuse(&self, why: Stop) -> bool {
        let mut budget = self.budget.get();
        // Python code must not be unwound, and neither may what already unwinds.
        let may = cfg!(refusals) && !budget.attention.is_null() && !budget.refused && stack::is_large();
        if !may || std::thread::panicking() {
            return false;
        }
        budget.refused = true;
        self.budget.set(budget);
        self.exceed(why);
        true
    }

    /// Whether the meter has refused a request of the current run.
    #[cfg(refusals)]
    pub fn has_refused(&self) -> bool {
        self.budget.get().refused && !std::thread::panicking()
    }
}

/// What a run must never hold.
const fn hard(budget: isize) -> isize {
    budget.saturating_add(budget / 4)
}
