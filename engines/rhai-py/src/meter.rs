//! The allocator of the extension, counting what each run holds.
//!
//! Rhai's own size limits walk whole containers at each operation (quadratic), miss `m[k] = v`, and know nothing of
//! the sum of many variables. So bytes are counted where they are allocated, per thread, and a run is told when its
//! share is used up: `attention` of its watch is raised, and the next operation ends the script. An allocation itself
//! never fails for a budget, because failing allocations abort the process; the functions of the crate that can jump
//! far beyond a budget in one operation are guarded in `guards.rs`.
//!
//! A run stays on one thread, so plain cells suffice. What another thread frees of it, or it of another thread, shifts
//! the count by that much; only constants and literals cross threads, and those are not the script's to grow.
//! Invariant: nothing here allocates, locks or panics.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::mem::size_of;
use std::sync::RwLock;

use rhai::{Array, Dynamic, FnPtr, Map};

use crate::limits::Limits;
use crate::watch::Watch;

/// Stack bytes that one level of nested data may cost in the deepest recursion over it; measured:
/// the clone of a map costs 660, text and comparison in `text.rs` and `equal.rs` about as much, the rest far less.
const BYTES_PER_LEVEL: usize = 1024;

/// A box of an array or of a map: one per level of nesting.
const CONTAINER: usize = size_of::<Array>();
/// A function pointer, whose curried arguments nest.
const POINTER: usize = size_of::<FnPtr>();
/// A captured variable, which may hold a closure that captures another.
const SHARED: usize = 2 * size_of::<usize>() + size_of::<RwLock<Dynamic>>();
/// A leaf of a map: 11 keys, 11 values, a parent, two lengths.
const LEAF: usize = (11 * (size_of::<rhai::Identifier>() + size_of::<Dynamic>()) + 12).next_multiple_of(8);

const _: () = assert!(size_of::<Map>() == CONTAINER, "one size stands for arrays and maps");

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

/// Which budget a run has overdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// `Limits.memory_bytes`
    Memory,
    /// `Limits.string_bytes`
    String,
    /// `Limits.array_items`
    Array,
    /// `Limits.map_items`
    Map,
    /// So many containers that their nesting might exhaust the stack.
    Containers,
}

#[derive(Clone, Copy)]
struct Share {
    budget: isize,
    containers_cap: isize,
    leaves_cap: isize,
    string_cap: usize,
    array_cap: usize,
    block_cap: usize,
    string_limit: usize,
    array_limit: usize,
    over: Option<Over>,
    watch: *const Watch,
}

const UNBOUNDED: Share = Share {
    budget: isize::MAX,
    containers_cap: isize::MAX,
    leaves_cap: isize::MAX,
    string_cap: usize::MAX,
    array_cap: usize::MAX,
    block_cap: usize::MAX,
    string_limit: usize::MAX,
    array_limit: usize::MAX,
    over: None,
    watch: std::ptr::null(),
};

struct Meter {
    live: Cell<isize>,
    containers: Cell<isize>,
    leaves: Cell<isize>,
    share: Cell<Share>,
    high: Cell<isize>,
    block_cap: Cell<usize>,
}

thread_local! {
    static METER: Meter = const {
        Meter {
            live: Cell::new(0),
            containers: Cell::new(0),
            leaves: Cell::new(0),
            share: Cell::new(UNBOUNDED),
            high: Cell::new(isize::MAX),
            block_cap: Cell::new(usize::MAX),
        }
    };
}

impl Meter {
    #[inline]
    fn grow(&self, size: usize, align: usize) {
        let live = self.live.get() + size.cast_signed();
        self.live.set(live);
        if live > self.high.get() {
            self.rise(live);
        }
        if size == CONTAINER || size == SHARED || size == POINTER {
            self.nest();
        } else if size == LEAF {
            self.leaf();
        } else if size > self.block_cap.get() {
            self.block(size, align);
        }
    }

    #[inline]
    fn shrink(&self, size: usize) {
        self.live.set(self.live.get() - size.cast_signed());
        if size == CONTAINER || size == SHARED || size == POINTER {
            self.containers.set(self.containers.get() - 1);
        } else if size == LEAF {
            self.leaves.set(self.leaves.get() - 1);
        }
    }

    #[cold]
    fn rise(&self, live: isize) {
        self.high.set(live);
        if live > self.share.get().budget {
            self.overdraw(Over::Memory);
        }
    }

    #[inline]
    fn nest(&self) {
        let containers = self.containers.get() + 1;
        self.containers.set(containers);
        if containers > self.share.get().containers_cap {
            self.overdraw(Over::Containers);
        }
    }

    fn leaf(&self) {
        let leaves = self.leaves.get() + 1;
        self.leaves.set(leaves);
        if leaves > self.share.get().leaves_cap {
            self.overdraw(Over::Map);
        }
    }

    #[cold]
    fn block(&self, size: usize, align: usize) {
        let share = self.share.get();
        // Text has an alignment of 1 or 2, values have 8; a blob is text to the allocator.
        if align <= 2 && size > share.string_cap {
            self.overdraw(Over::String);
        } else if align == 8 && size > share.array_cap {
            self.overdraw(Over::Array);
        }
    }

    #[cold]
    fn overdraw(&self, over: Over) {
        let mut share = self.share.get();
        if share.over.is_none() && !share.watch.is_null() {
            share.over = Some(over);
            self.share.set(share);
            // SAFETY: set by `Session::open` from a reference that outlives the session.
            unsafe { &*share.watch }.alert();
        }
    }
}

// SAFETY: passes on to the system allocator and only counts beside it, without allocating or unwinding.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is passed on.
        let block = unsafe { System.alloc(layout) };
        if !block.is_null() {
            METER.with(|meter| meter.grow(layout.size(), layout.align()));
        }
        block
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is passed on.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            METER.with(|meter| meter.grow(layout.size(), layout.align()));
        }
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        METER.with(|meter| meter.shrink(layout.size()));
        // SAFETY: the caller's contract is passed on.
        unsafe { System.dealloc(block, layout) };
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's contract is passed on.
        let moved = unsafe { System.realloc(block, layout, size) };
        if !moved.is_null() {
            METER.with(|meter| {
                meter.shrink(layout.size());
                meter.grow(size, layout.align());
            });
        }
        moved
    }
}

/// One run's share of the meter of its thread, from `open` to drop.
pub struct Session {
    outer: Share,
    outer_high: isize,
    start: isize,
}

impl Session {
    /// Starts to count for a run. `watch` must outlive the session, and `data_bytes` of stack bound nesting.
    pub fn open(limits: &Limits, watch: &Watch, data_bytes: usize) -> Self {
        METER.with(|meter| {
            let (outer, start) = (meter.share.get(), meter.live.get());
            let bounded = |cap: Option<usize>, scale: usize, from: isize| {
                cap.map_or(isize::MAX, |cap| {
                    from.saturating_add(isize::try_from(cap.saturating_mul(scale)).unwrap_or(isize::MAX))
                })
            };
            // A buffer that grows piece by piece doubles, so one that holds no more than the limit never exceeds
            // twice its bytes. Small blocks are left alone: other things of the crate have such sizes.
            let cap = |limit: Option<usize>, item: usize| {
                limit.map_or(usize::MAX, |limit| limit.saturating_mul(2 * item).max(4096))
            };
            let (string_cap, array_cap) = (cap(limits.string_bytes, 1), cap(limits.array_items, size_of::<Dynamic>()));
            let share = Share {
                // A nested run may not hold what the outer one may not.
                budget: bounded(limits.memory_bytes, 1, start).min(outer.budget),
                containers_cap: bounded(Some(data_bytes / BYTES_PER_LEVEL), 1, meter.containers.get()),
                leaves_cap: bounded(limits.map_items, 1, meter.leaves.get()),
                string_cap,
                array_cap,
                block_cap: string_cap.min(array_cap),
                string_limit: limits.string_bytes.unwrap_or(usize::MAX),
                array_limit: limits.array_items.unwrap_or(usize::MAX),
                over: None,
                watch,
            };
            meter.share.set(share);
            let outer_high = meter.high.replace(start);
            meter.block_cap.set(share.block_cap);
            Self { outer, outer_high, start }
        })
    }

    /// The most bytes that the run has held at once.
    pub fn peak_bytes(&self) -> usize {
        METER.with(|meter| usize::try_from(meter.high.get() - self.start).unwrap_or(0))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        METER.with(|meter| {
            let high = meter.high.get();
            meter.high.set(if self.outer.watch.is_null() { isize::MAX } else { self.outer_high.max(high) });
            meter.share.set(self.outer);
            meter.block_cap.set(self.outer.block_cap);
        });
    }
}

/// What the current run has overdrawn.
pub fn over() -> Option<Over> {
    METER.with(|meter| meter.share.get().over)
}

/// Ends the current run as overdrawn at its next operation.
pub fn overdraw(over: Over) {
    METER.with(|meter| meter.overdraw(over));
}

/// `Limits.string_bytes` of the current run.
pub fn string_limit() -> usize {
    METER.with(|meter| meter.share.get().string_limit)
}

/// `Limits.array_items` of the current run.
pub fn array_limit() -> usize {
    METER.with(|meter| meter.share.get().array_limit)
}

/// Bytes that the current run may still allocate. Without a budget: what one operation may ask for at most, since a
/// request that the system cannot serve aborts the process.
pub fn room() -> usize {
    const WITHOUT_BUDGET: usize = 1 << 30;
    METER.with(|meter| match meter.share.get().budget {
        isize::MAX => WITHOUT_BUDGET,
        budget => usize::try_from(budget - meter.live.get()).unwrap_or(0),
    })
}

/// Returns freed memory to the system; the C library keeps it otherwise, per arena and so per thread.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: has no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
}
