//! What one evaluation may still spend, and how it is told to stop.
//!
//! A `Watch` is shared by the thread that runs the script and by anybody who may cancel it. The crate calls
//! `Watch::tick` once per operation, so that function is one load, one compare and one store; everything else waits
//! for `Watch::look`, which runs every few operations, or at once when somebody raises `attention`.
//! Invariant: a stop is sticky. Native functions such as `dedup` swallow the errors of their callbacks, so the run
//! must be stopped again at the next operation, and `stop()` is asked once more after the script has ended.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::{PyErr, Python};
use rhai::Dynamic;

use crate::meter::{self, Over};
use crate::stack;

/// Operations between two looks at the clock while they are fast. An operation costs 25-60 ns and a look about
/// 30 ns, so 64 keeps the price near one percent.
const SLICE: u64 = 64;
/// A slice that took longer than this is halved, so that slow operations (cloning a large array) still meet the
/// deadline within milliseconds.
const SLOW_SLICE_NS: u64 = 200_000;
/// How often the main thread looks for Ctrl-C: often enough to feel immediate, seldom enough to cost nothing.
const SIGNALS_EVERY_NS: u64 = 50_000_000;
const NEVER: u64 = u64::MAX;

static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds of the monotonic clock since the first call.
pub fn now_ns() -> u64 {
    u64::try_from(BASE.elapsed().as_nanos()).unwrap_or(NEVER)
}

/// Why a run was stopped from outside of the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stop {
    /// Nothing stopped it.
    None = 0,
    /// The deadline passed.
    Timeout,
    /// `Run.cancel()` was called.
    Cancelled,
    /// The operations are used up.
    Operations,
    /// A Python exception waits in `raised`: Ctrl-C, or an error of a print callback.
    Raised,
    /// `Limits.memory_bytes` is used up.
    Memory,
    /// A string is larger than `Limits.string_bytes`.
    String,
    /// An array or a blob is larger than `Limits.array_items`.
    Array,
    /// Maps hold more than `Limits.map_items`.
    Map,
    /// Evaluation is nested too deeply for the stack.
    Stack,
    /// There are so many containers that their nesting might exhaust the stack.
    Containers,
}

/// By discriminant.
const STOPS: [Stop; 11] = [
    Stop::None,
    Stop::Timeout,
    Stop::Cancelled,
    Stop::Operations,
    Stop::Raised,
    Stop::Memory,
    Stop::String,
    Stop::Array,
    Stop::Map,
    Stop::Stack,
    Stop::Containers,
];

/// Budget, deadline and stop signal of one evaluation.
pub struct Watch {
    attention: AtomicBool,
    cancelled: AtomicBool,
    started: AtomicBool,
    stopped: AtomicU8,
    left: AtomicU64,
    granted: AtomicU64,
    slice: AtomicU64,
    max_operations: AtomicU64,
    deadline_ns: AtomicU64,
    looked_ns: AtomicU64,
    signals_ns: AtomicU64,
    tokens: AtomicU64,
    floor: AtomicUsize,
    warm_floor: AtomicUsize,
    deep: AtomicBool,
    escaped: AtomicBool,
    peak_bytes: AtomicU64,
    raised: Mutex<Option<PyErr>>,
    bell: Mutex<()>,
    rung: Condvar,
}

impl Watch {
    /// A watch that nothing has started yet.
    pub fn new() -> Self {
        Self {
            attention: AtomicBool::new(false),
            cancelled: AtomicBool::new(false),
            started: AtomicBool::new(false),
            stopped: AtomicU8::new(Stop::None as u8),
            left: AtomicU64::new(0),
            granted: AtomicU64::new(0),
            slice: AtomicU64::new(SLICE),
            max_operations: AtomicU64::new(NEVER),
            deadline_ns: AtomicU64::new(NEVER),
            looked_ns: AtomicU64::new(0),
            signals_ns: AtomicU64::new(NEVER),
            tokens: AtomicU64::new(0),
            floor: AtomicUsize::new(0),
            warm_floor: AtomicUsize::new(0),
            deep: AtomicBool::new(false),
            escaped: AtomicBool::new(false),
            peak_bytes: AtomicU64::new(0),
            raised: Mutex::new(None),
            bell: Mutex::new(()),
            rung: Condvar::new(),
        }
    }

    /// Starts the clock. Returns false when it had been started before: a watch serves one evaluation.
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
        // Only the running thread writes here: a plain store is enough and spares a locked instruction.
        self.left.store(left - 1, Relaxed);
        None
    }

    /// Operations done so far.
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
        STOPS[usize::from(self.stopped.load(Relaxed))]
    }

    /// Ends the run at its next operation, and a `sleep` at once. From any thread.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
        self.attention.store(true, Relaxed);
        // The lock orders this with a sleeper that has tested `cancelled` and is about to wait.
        drop(self.bell.lock().unwrap_or_else(PoisonError::into_inner));
        self.rung.notify_all();
    }

    /// Counts one token of the parser; returns how many there were before.
    pub fn count_token(&self) -> u64 {
        let tokens = self.tokens.load(Relaxed);
        self.tokens.store(tokens + 1, Relaxed);
        tokens
    }

    /// Stops the run when its stack pointer is found below `floor`; below `warm_floor` is only noted.
    pub fn stay_above(&self, floor: usize, warm_floor: usize) {
        self.floor.store(floor, Relaxed);
        self.warm_floor.store(warm_floor, Relaxed);
    }

    /// Whether the stack was seen in use below the warm part.
    pub fn went_deep(&self) -> bool {
        self.deep.load(Relaxed)
    }

    /// Notes that a function of the script was handed to Python, which may keep it.
    pub fn escape(&self) {
        self.escaped.store(true, Relaxed);
    }

    /// Whether Python may hold a function of the script.
    pub fn has_escaped(&self) -> bool {
        self.escaped.load(Relaxed)
    }

    /// Keeps the most bytes that were held at once.
    pub fn note_peak(&self, bytes: usize) {
        self.peak_bytes.fetch_max(bytes as u64, Relaxed);
    }

    /// The most bytes that were held at once.
    pub fn peak_bytes(&self) -> u64 {
        self.peak_bytes.load(Relaxed)
    }

    /// Makes the next operation look. From any thread.
    pub fn alert(&self) {
        self.attention.store(true, Relaxed);
    }

    /// Whether the run may go on; for loops that are no operations. From the running thread.
    pub fn poll(&self) -> bool {
        let now = now_ns();
        self.see_signals(now);
        self.due(now) == Stop::None
    }

    /// Catches what the last operation overdrew. From the running thread, at the end of the run.
    pub fn settle(&self) {
        self.see_budget();
    }

    /// Whether `cancel` was called.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }

    /// Ends the run at its next operation with a Python exception. From the running thread.
    pub fn raise(&self, error: PyErr) {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.stop_with(Stop::Raised);
    }

    /// The Python exception that ended the run.
    pub fn take_raised(&self) -> Option<PyErr> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Blocks for `wanted`, or until the deadline or a cancel. Returns false when the run must end.
    pub fn sleep(&self, wanted: Duration) -> bool {
        let start = Instant::now();
        let mut bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if self.due(now_ns()) != Stop::None {
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
        let now = now_ns();
        self.see_signals(now);
        if self.due(now) != Stop::None {
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

    fn due(&self, now: u64) -> Stop {
        if self.stop() == Stop::None {
            self.see_budget();
            self.see_stack();
            if self.cancelled.load(Relaxed) {
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
            self.deep.store(true, Relaxed);
            if pointer < self.floor.load(Relaxed) {
                self.stop_with(Stop::Stack);
            }
        }
    }

    fn see_budget(&self) {
        if let Some(over) = meter::over() {
            self.stop_with(match over {
                Over::Memory => Stop::Memory,
                Over::String => Stop::String,
                Over::Array => Stop::Array,
                Over::Map => Stop::Map,
                Over::Containers => Stop::Containers,
            });
        }
    }

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
        // `try_attach`: at interpreter exit there is nothing left to attach to, and no signal to see.
        if let Some(Err(error)) = stack::at_home(|| Python::try_attach(|py| py.check_signals())) {
            self.raise(error);
        }
    }
}
