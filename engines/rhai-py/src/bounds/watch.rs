//! What one evaluation may still spend, and the signal that stops it.
//!
//! The thread that runs the script shares its `Watch` with every thread that may cancel it. The Rhai crate calls
//! `Watch::tick` once per operation, so that function is one load, one compare and one store. Everything else waits
//! for `Watch::look`, which runs every few operations, or at the next operation after `attention` was set.
//! Invariant: a stop is sticky. Native functions such as `dedup` swallow the errors of their callbacks, so the run
//! is stopped again at each further operation, and the caller reads `stop()` once more after the script has ended.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::{PyErr, Python};
use rhai::Dynamic;

use crate::bounds::clock::{NEVER, now_ns};
use crate::bounds::meter::Signals;
use crate::bounds::stop::Stop;
use crate::bounds::{meter, stack};

/// Operations between two looks at the clock while operations are fast. An operation costs 25-60 ns and a look about
/// 30 ns, so 64 keeps the cost near one percent.
const SLICE: u64 = 64;
/// The first slice. The first operations of a run may be slow, and nothing is known about them.
const FIRST_SLICE: u64 = 8;
/// After a slice that took longer than this, the next slice is half as long. So slow operations (such as cloning a
/// large array) still meet the deadline within milliseconds.
const SLOW_SLICE_NS: u64 = 200_000;
/// How often the main thread looks for Ctrl-C: often enough to feel immediate, seldom enough to cost nothing.
const SIGNALS_EVERY_NS: u64 = 50_000_000;

/// Budget, deadline and stop signal of one evaluation.
pub struct Watch {
    attention: AtomicBool,
    cancelled: AtomicBool,
    started: AtomicBool,
    /// A `Stop` as a number.
    stopped: AtomicU8,
    /// Operations left of those that were granted.
    left: AtomicU64,
    granted: AtomicU64,
    /// How many operations the next grant gives.
    slice: AtomicU64,
    max_operations: AtomicU64,
    deadline_ns: AtomicU64,
    looked_ns: AtomicU64,
    /// When to look for signals next; `NEVER` except on the main thread.
    signals_ns: AtomicU64,
    tokens: AtomicU64,
    /// Address below which the stack pointer stops the run.
    floor: AtomicUsize,
    /// Address below which stack pages are given back after the run.
    warm_floor: AtomicUsize,
    went_deep: AtomicBool,
    escaped: AtomicBool,
    peak_bytes: AtomicU64,
    raised: Mutex<Option<PyErr>>,
    bell: Mutex<()>,
    rung: Condvar,
}

impl Watch {
    /// A watch that has not been started.
    pub fn new() -> Self {
        Self {
            attention: AtomicBool::new(false),
            cancelled: AtomicBool::new(false),
            started: AtomicBool::new(false),
            stopped: AtomicU8::new(Stop::None as u8),
            left: AtomicU64::new(0),
            granted: AtomicU64::new(0),
            slice: AtomicU64::new(FIRST_SLICE),
            max_operations: AtomicU64::new(NEVER),
            deadline_ns: AtomicU64::new(NEVER),
            looked_ns: AtomicU64::new(0),
            signals_ns: AtomicU64::new(NEVER),
            tokens: AtomicU64::new(0),
            floor: AtomicUsize::new(0),
            warm_floor: AtomicUsize::new(0),
            went_deep: AtomicBool::new(false),
            escaped: AtomicBool::new(false),
            peak_bytes: AtomicU64::new(0),
            raised: Mutex::new(None),
            bell: Mutex::new(()),
            rung: Condvar::new(),
        }
    }

    /// Starts the clock. Returns false if the watch was started before: it serves one evaluation.
    pub fn start(&self, timeout_ns: Option<u64>, operations: Option<u64>, on_main_thread: bool) -> bool {
        if self.started.swap(true, Relaxed) {
            return false;
        }
        let now = if timeout_ns.is_some() || on_main_thread { now_ns() } else { 0 };
        self.looked_ns.store(now, Relaxed);
        self.deadline_ns.store(timeout_ns.map_or(NEVER, |t| now.saturating_add(t)), Relaxed);
        self.max_operations.store(operations.unwrap_or(NEVER), Relaxed);
        if on_main_thread {
            self.signals_ns.store(now + SIGNALS_EVERY_NS, Relaxed);
        }
        self.grant();
        true
    }

    /// Counts one operation; `Some` ends the script.
    #[inline]
    pub fn tick(&self) -> Option<Dynamic> {
        let left = self.left.load(Relaxed);
        if left == 0 || self.attention.load(Relaxed) {
            return self.look();
        }
        // Only the running thread writes here, so a plain store is enough and avoids a locked instruction.
        self.left.store(left - 1, Relaxed);
        None
    }

    /// What the meter must know of this run.
    pub fn signals(&self) -> Signals<'_> {
        Signals {
            attention: &self.attention,
            granted: &self.granted,
            left: &self.left,
            deadline_ns: self.deadline_ns.load(Relaxed),
        }
    }

    /// Operations performed so far.
    pub fn operations(&self) -> u64 {
        self.granted.load(Relaxed) - self.left.load(Relaxed)
    }

    /// Nanoseconds until the deadline, `None` without one.
    pub fn remaining_ns(&self) -> Option<u64> {
        let deadline = self.deadline_ns.load(Relaxed);
        (deadline != NEVER).then(|| deadline.saturating_sub(now_ns()))
    }

    /// Why the run was stopped.
    pub fn stop(&self) -> Stop {
        Stop::of_number(self.stopped.load(Relaxed))
    }

    /// Ends the run at its next operation, or wakes and ends its `sleep`. Any thread may call it.
    pub fn cancel(&self) {
        // In this order: a look takes the flag down before it reads `cancelled`.
        self.cancelled.store(true, SeqCst);
        self.attention.store(true, SeqCst);
        // The lock orders this with a sleeper that has tested `cancelled` and is about to wait.
        drop(self.bell.lock().unwrap_or_else(PoisonError::into_inner));
        self.rung.notify_all();
    }

    /// Whether `cancel` was called.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }

    /// Counts one token of the parser; returns how many there were before.
    pub fn count_token(&self) -> u64 {
        let tokens = self.tokens.load(Relaxed);
        self.tokens.store(tokens + 1, Relaxed);
        tokens
    }

    /// Sets the addresses that bound the stack: below `floor` the run stops, below `warm_floor` it has gone deep.
    pub fn stay_above(&self, floor: usize, warm_floor: usize) {
        self.floor.store(floor, Relaxed);
        self.warm_floor.store(warm_floor, Relaxed);
    }

    /// Whether a look found the stack pointer below `warm_floor`.
    pub fn went_deep(&self) -> bool {
        self.went_deep.load(Relaxed)
    }

    /// Notes that a function of the script was handed to Python, which may keep it.
    pub fn escape(&self) {
        self.escaped.store(true, Relaxed);
    }

    /// Whether Python may hold a function of the script.
    pub fn has_escaped(&self) -> bool {
        self.escaped.load(Relaxed)
    }

    /// Notes how many bytes a part of the run (parsing or running) held at its peak.
    pub fn note_peak(&self, bytes: usize) {
        self.peak_bytes.fetch_max(bytes as u64, Relaxed);
    }

    /// The most bytes that the run has held.
    pub fn peak_bytes(&self) -> u64 {
        self.peak_bytes.load(Relaxed)
    }

    /// Whether the run may go on. Loops that are not operations of the crate call it, on the running thread.
    pub fn poll(&self) -> bool {
        let now = now_ns();
        self.see_signals(now);
        self.check(now) == Stop::None
    }

    /// Catches a budget that the last operation exceeded. The running thread calls it at the end of the run.
    pub fn settle(&self) {
        self.see_budget();
    }

    /// Ends the run at its next operation with a Python exception. The running thread calls it.
    pub fn raise(&self, error: PyErr) {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.stop_with(Stop::Raised);
    }

    /// The Python exception that ended the run.
    pub fn take_raised(&self) -> Option<PyErr> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Blocks for `wanted`, or until the deadline or a cancel. Returns false if the run must end.
    pub fn sleep(&self, wanted: Duration) -> bool {
        let start = Instant::now();
        let mut bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if self.check(now_ns()) != Stop::None {
                return false;
            }
            let Some(rest) = wanted.checked_sub(start.elapsed()).filter(|rest| !rest.is_zero()) else {
                return true;
            };
            let nap_ns = self.deadline_ns.load(Relaxed).min(self.signals_ns.load(Relaxed)).saturating_sub(now_ns());
            let nap = rest.min(Duration::from_nanos(nap_ns));
            bell = self.rung.wait_timeout(bell, nap).unwrap_or_else(PoisonError::into_inner).0;
            drop(bell);
            self.see_signals(now_ns());
            bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        }
    }

    #[cold]
    #[inline(never)]
    fn look(&self) -> Option<Dynamic> {
        // The meter raises the flag also when much memory was allocated, which shows that operations are slow.
        self.attention.swap(false, SeqCst);
        let now = now_ns();
        self.see_signals(now);
        if self.check(now) != Stop::None {
            self.attention.store(true, SeqCst);
            return Some(Dynamic::UNIT);
        }
        if self.left.load(Relaxed) == 0 {
            if self.granted.load(Relaxed) >= self.max_operations.load(Relaxed) {
                self.stop_with(Stop::Operations);
                return Some(Dynamic::UNIT);
            }
            let took = now.saturating_sub(self.looked_ns.swap(now, Relaxed));
            let slice = self.slice.load(Relaxed);
            self.slice.store(if took > SLOW_SLICE_NS { (slice / 2).max(1) } else { (slice * 2).min(SLICE) }, Relaxed);
            self.grant();
        }
        self.left.store(self.left.load(Relaxed) - 1, Relaxed);
        None
    }

    fn grant(&self) {
        let granted = self.granted.load(Relaxed);
        let slice = self.slice.load(Relaxed).min(self.max_operations.load(Relaxed) - granted);
        self.granted.store(granted + slice, Relaxed);
        self.left.store(slice, Relaxed);
    }

    /// Stops the run if something asks for it; returns why it is stopped.
    fn check(&self, now: u64) -> Stop {
        if self.stop() == Stop::None {
            self.see_budget();
            self.see_stack();
            if self.cancelled.load(SeqCst) {
                self.stop_with(Stop::Cancelled);
            } else if now >= self.deadline_ns.load(Relaxed) {
                self.stop_with(Stop::Timeout);
            }
        }
        self.stop()
    }

    fn see_stack(&self) {
        let pointer = stack::pointer();
        if pointer < self.warm_floor.load(Relaxed) {
            self.went_deep.store(true, Relaxed);
            if pointer < self.floor.load(Relaxed) {
                self.stop_with(Stop::Stack);
            }
        }
    }

    fn see_budget(&self) {
        let exceeded = meter::exceeded();
        if exceeded != Stop::None {
            self.stop_with(exceeded);
        }
    }

    /// The first reason to stop is the one that counts.
    fn stop_with(&self, why: Stop) {
        if self.stop() == Stop::None {
            self.stopped.store(why as u8, Relaxed);
        }
        self.attention.store(true, Relaxed);
    }

    fn see_signals(&self, now: u64) {
        if now < self.signals_ns.load(Relaxed) {
            return;
        }
        self.signals_ns.store(now + SIGNALS_EVERY_NS, Relaxed);
        // `try_attach`, because an interpreter that is exiting can no longer be attached to and delivers no signal.
        if let Some(Err(error)) = stack::at_home(|| Python::try_attach(|py| py.check_signals())) {
            self.raise(error);
        }
    }
}
