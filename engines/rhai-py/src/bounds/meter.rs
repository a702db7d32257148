//! Counts what each run holds in memory, and asks the run to stop when it exceeds a budget.
//!
//! The size limits of the Rhai crate walk whole containers at each operation (quadratic time), miss `m[k] = v`, and
//! know nothing about the sum of many variables. So this module counts bytes where they are allocated, per thread.
//! When a run exceeds a budget, the meter sets the run's attention flag, and the next operation ends the script, at its
//! place in the source. The allocation itself succeeds, unless the run would hold a quarter more than its budget, or is
//! past its deadline within one operation; then it is refused (`refusal.rs`).
//!
//! A run stays on one thread, so plain cells suffice. Memory that one thread allocates and another frees shifts the
//! counts of both; only constants and literals cross threads, and a script cannot grow those.
//! Invariant: `grow` and `shrink` run inside of the allocator, so they never allocate, lock or panic.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::size_of;
use std::ptr;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use rhai::{Array, Dynamic, FnPtr, Map};

use crate::bounds::clock::NEVER;
use crate::bounds::limits::Limits;
use crate::bounds::stack;
use crate::bounds::stop::Stop;

/// Stack bytes that the deepest recursion over nested data needs per level. Measured: the clone of a map takes 660,
/// text and comparison (`builtins/text.rs`, `builtins/equal.rs`) about as much, everything else far less.
const BYTES_PER_LEVEL: usize = 1024;
/// What a run without a memory budget may ask for in one operation, because a request that the system cannot serve
/// aborts the process.
const ROOM_WITHOUT_BUDGET: usize = 1 << 30;

/// Larger blocks count as work: filling them takes longer than a look at the clock.
pub const LARGE_BLOCK: usize = 64 << 10;
/// Bytes of large blocks after which the run looks at the clock. They are filled in a fraction of a millisecond.
const BYTES_PER_LOOK: usize = 1 << 20;

/// Smaller buffers of text are not compared with `Limits.string_bytes`: names of variables are as long.
const LEAST_STRING_BLOCK: usize = 64;
/// Smaller blocks of values are not compared with `Limits.array_items`: the crate itself makes blocks of such sizes.
const LEAST_ARRAY_BLOCK: usize = 4096;
/// Alignment of the buffer of a string. That of a blob is 1, and that of values is 8.
const STRING_ALIGN: usize = 2;

/// Size of the box of an array or of a map: one per level of nesting.
const CONTAINER: usize = size_of::<Array>();
/// Size of a function pointer, whose curried arguments nest.
const POINTER: usize = size_of::<FnPtr>();
/// Size of a captured variable, which may hold a closure that captures another.
const SHARED: usize = 2 * size_of::<usize>() + size_of::<RwLock<Dynamic>>();
/// Size of a leaf of a map: 11 keys, 11 values, a parent, two lengths.
const LEAF: usize = (11 * (size_of::<rhai::Identifier>() + size_of::<Dynamic>()) + 12).next_multiple_of(8);

const _: () = assert!(size_of::<Map>() == CONTAINER, "one size stands for arrays and maps");

/// The budgets of one run, as absolute values of the thread's counters.
#[derive(Clone, Copy)]
pub struct Budget {
    pub(super) live_bytes: isize,
    containers: isize,
    leaves: isize,
    string_block: usize,
    array_block: usize,
    /// The smallest of the two above and `LARGE_BLOCK`.
    any_block: usize,
    /// Containers of the thread when the run began.
    first_containers: isize,
    string_limit: usize,
    array_limit: usize,
    exceeded: Stop,
    /// A request was refused. Only one is, because what unwinds may need memory.
    pub(super) refused: bool,
    pub(super) deadline_ns: u64,
    /// The operations that the run was granted; null outside of a run, like the next two.
    pub(super) granted: *const AtomicU64,
    /// Those of them that it has not performed.
    pub(super) left: *const AtomicU64,
    pub(super) attention: *const AtomicBool,
}

/// What the meter must know of the run that it counts for.
#[derive(Clone, Copy)]
pub struct Signals<'a> {
    /// Makes the next operation look.
    pub attention: &'a AtomicBool,
    /// Operations that the run was granted.
    pub granted: &'a AtomicU64,
    /// Those of them that are left.
    pub left: &'a AtomicU64,
    /// When the run must end.
    pub deadline_ns: u64,
}

const UNBOUNDED: Budget = Budget {
    live_bytes: isize::MAX,
    containers: isize::MAX,
    leaves: isize::MAX,
    string_block: usize::MAX,
    array_block: usize::MAX,
    any_block: usize::MAX,
    first_containers: 0,
    string_limit: usize::MAX,
    array_limit: usize::MAX,
    exceeded: Stop::None,
    refused: false,
    deadline_ns: NEVER,
    granted: ptr::null(),
    left: ptr::null(),
    attention: ptr::null(),
};

/// No buffer has grown. No operation has this number.
const NOT_GROWN: (u64, u64) = (0, NEVER);

/// The counters of one thread.
pub struct Meter {
    pub(super) live_bytes: Cell<isize>,
    pub(super) containers: Cell<isize>,
    pub(super) leaves: Cell<isize>,
    pub(super) budget: Cell<Budget>,
    peak_bytes: Cell<isize>,
    /// A copy of `budget.any_block`, so that an allocation reads one word instead of the whole budget.
    any_block: Cell<usize>,
    /// Bytes of large blocks since the last look.
    large_bytes: Cell<usize>,
    /// When a large buffer of the current run grew last, and in which operation.
    pub(super) grown: Cell<(u64, u64)>,
}

thread_local! {
    /// The meter of this thread.
    pub static METER: Meter = const {
        Meter {
            live_bytes: Cell::new(0),
            containers: Cell::new(0),
            leaves: Cell::new(0),
            budget: Cell::new(UNBOUNDED),
            peak_bytes: Cell::new(isize::MAX),
            any_block: Cell::new(usize::MAX),
            large_bytes: Cell::new(0),
            grown: Cell::new(NOT_GROWN),
        }
    };
}

impl Meter {
    /// Counts a new block. Returns whether it is refused; then it must be freed.
    #[inline]
    pub fn grow(&self, size: usize, align: usize) -> bool {
        let refused = size > LARGE_BLOCK && self.refuses_block(size);
        if !refused {
            self.count(size, align);
            return (size == CONTAINER || size == LEAF) && self.refuses_container();
        }
        // The block is about to be freed.
        self.live_bytes.set(self.live_bytes.get() + held(size));
        true
    }

    /// Counts a block that was allocated.
    #[inline]
    pub fn count(&self, size: usize, align: usize) {
        let live_bytes = self.live_bytes.get() + held(size);
        self.live_bytes.set(live_bytes);
        if live_bytes > self.peak_bytes.get() {
            self.raise_peak(live_bytes);
        }
        if size == CONTAINER || size == SHARED || size == POINTER {
            self.add_container();
        } else if size == LEAF {
            self.add_leaf();
        } else if size > self.any_block.get() {
            self.check_block(size, align);
        }
    }

    /// Counts a block that is freed.
    #[inline]
    pub fn shrink(&self, size: usize) {
        self.live_bytes.set(self.live_bytes.get() - held(size));
        if size == CONTAINER || size == SHARED || size == POINTER {
            self.containers.set(self.containers.get() - 1);
        } else if size == LEAF {
            self.leaves.set(self.leaves.get() - 1);
        }
    }

    #[cold]
    fn raise_peak(&self, live_bytes: isize) {
        self.peak_bytes.set(live_bytes);
        if live_bytes > self.budget.get().live_bytes {
            self.exceed(Stop::Memory);
        }
    }

    #[inline]
    fn add_container(&self) {
        let containers = self.containers.get() + 1;
        self.containers.set(containers);
        if containers > self.budget.get().containers {
            self.exceed(Stop::Containers);
        }
    }

    fn add_leaf(&self) {
        let leaves = self.leaves.get() + 1;
        self.leaves.set(leaves);
        if leaves > self.budget.get().leaves {
            self.exceed(Stop::Map);
        }
    }

    #[cold]
    fn check_block(&self, size: usize, align: usize) {
        let budget = self.budget.get();
        if align == STRING_ALIGN && size > budget.string_block {
            self.exceed(Stop::String);
        } else if align == 8 && size > budget.array_block {
            self.exceed(Stop::Array);
        }
        let large_bytes = self.large_bytes.get().saturating_add(size);
        if size < LARGE_BLOCK || large_bytes < BYTES_PER_LOOK {
            self.large_bytes.set(large_bytes);
        } else if !budget.attention.is_null() {
            self.large_bytes.set(0);
            // SAFETY: as in `exceed`.
            unsafe { &*budget.attention }.store(true, Relaxed);
        }
    }

    /// Makes address space for a request that the system has refused, and marks the run, so that its next operation
    /// ends it. Returns whether the request may be repeated.
    ///
    /// A refused request would end the process. The large stack takes far more address space than most runs need, so
    /// the run gives up what its data cannot need any more.
    #[cold]
    pub fn rescue(&self) -> bool {
        let budget = self.budget.get();
        if budget.attention.is_null() {
            return false;
        }
        self.exceed(Stop::Refused);
        let levels = usize::try_from(self.containers.get() - budget.first_containers).unwrap_or(0);
        stack::release(levels * BYTES_PER_LEVEL)
    }

    #[cold]
    pub(super) fn exceed(&self, which: Stop) {
        let mut budget = self.budget.get();
        if budget.exceeded == Stop::None && !budget.attention.is_null() {
            budget.exceeded = which;
            self.budget.set(budget);
            // SAFETY: the pointer comes from the reference that `Session` borrows for as long as the budget holds.
            unsafe { &*budget.attention }.store(true, Relaxed);
        }
    }

    fn budget_of(&self, limits: &Limits, signals: Signals<'_>, data_bytes: usize, outer: &Budget) -> Budget {
        let above = |counter: isize, more: Option<usize>| {
            more.map_or(isize::MAX, |more| counter.saturating_add(isize::try_from(more).unwrap_or(isize::MAX)))
        };
        // A buffer that grows piece by piece doubles, so one that holds no more than the limit never exceeds twice
        // its bytes.
        let block = |limit: Option<usize>, item: usize, least: usize| {
            limit.map_or(usize::MAX, |limit| limit.saturating_mul(2 * item).max(least))
        };
        let string_block = block(limits.string_bytes, 1, LEAST_STRING_BLOCK);
        let array_block = block(limits.array_items, size_of::<Dynamic>(), LEAST_ARRAY_BLOCK);
        Budget {
            // A nested run may not hold more than the outer run may.
            live_bytes: above(self.live_bytes.get(), limits.memory_bytes).min(outer.live_bytes),
            containers: above(self.containers.get(), Some(data_bytes / BYTES_PER_LEVEL)),
            leaves: above(self.leaves.get(), limits.map_items),
            string_block,
            array_block,
            any_block: string_block.min(array_block).min(LARGE_BLOCK),
            first_containers: self.containers.get(),
            string_limit: limits.string_bytes.unwrap_or(usize::MAX),
            array_limit: limits.array_items.unwrap_or(usize::MAX),
            exceeded: Stop::None,
            refused: false,
            deadline_ns: signals.deadline_ns,
            granted: signals.granted,
            left: signals.left,
            attention: signals.attention,
        }
    }
}

/// What a block takes of the system's heap, which adds a word and rounds up. Counted without it, many small blocks would
/// hold half more than they seem to.
#[inline]
pub const fn held(size: usize) -> isize {
    let bytes = (size + 23) & !15;
    (if bytes < 32 { 32 } else { bytes }) as isize
}

/// Counts for one run, from `open` until it is dropped. Sessions of one thread nest.
pub struct Session<'a> {
    outer: Budget,
    outer_peak: isize,
    start: isize,
    signals: PhantomData<Signals<'a>>,
}

impl<'a> Session<'a> {
    /// Starts to count for a run on this thread.
    ///
    /// `data_bytes` is the stack for recursion over nested data.
    pub fn open(limits: &Limits, signals: Signals<'a>, data_bytes: usize) -> Self {
        METER.with(|meter| {
            let (outer, start) = (meter.budget.get(), meter.live_bytes.get());
            let budget = meter.budget_of(limits, signals, data_bytes, &outer);
            meter.budget.set(budget);
            meter.any_block.set(budget.any_block);
            meter.grown.set(NOT_GROWN);
            let outer_peak = meter.peak_bytes.replace(start);
            Self { outer, outer_peak, start, signals: PhantomData }
        })
    }

    /// The most bytes that the run has held so far.
    pub fn peak_bytes(&self) -> usize {
        METER.with(|meter| usize::try_from(meter.peak_bytes.get() - self.start).unwrap_or(0))
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        METER.with(|meter| {
            let peak = meter.peak_bytes.get();
            meter.peak_bytes.set(if self.outer.attention.is_null() { isize::MAX } else { self.outer_peak.max(peak) });
            meter.budget.set(self.outer);
            meter.any_block.set(self.outer.any_block);
            meter.grown.set(NOT_GROWN);
        });
    }
}

/// Which budget the current run has exceeded; `Stop::None` if none.
pub fn exceeded() -> Stop {
    METER.with(|meter| meter.budget.get().exceeded)
}

/// Marks a budget of the current run as exceeded, so that its next operation ends it.
pub fn exceed(which: Stop) {
    METER.with(|meter| meter.exceed(which));
}

/// Marks the memory budget of the current run as exceeded, if it has one.
pub fn exceed_memory() {
    METER.with(|meter| {
        if meter.budget.get().live_bytes != isize::MAX {
            meter.exceed(Stop::Memory);
        }
    });
}

/// `Limits.string_bytes` of the current run.
pub fn string_limit() -> usize {
    METER.with(|meter| meter.budget.get().string_limit)
}

/// `Limits.array_items` of the current run.
pub fn array_limit() -> usize {
    METER.with(|meter| meter.budget.get().array_limit)
}

/// Bytes that the current run may allocate in one operation.
pub fn room() -> usize {
    METER.with(|meter| match meter.budget.get().live_bytes {
        isize::MAX => ROOM_WITHOUT_BUDGET,
        budget => usize::try_from(budget - meter.live_bytes.get()).unwrap_or(0),
    })
}
