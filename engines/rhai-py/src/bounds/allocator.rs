//! The global allocator of the extension: the system's, with every call reported to the meter of its thread. When the
//! system refuses a request of a run, the meter makes room for it and the run ends.
//!
//! The meter may also refuse a request itself: one operation of the crate (the clone of an array, `+` of two strings)
//! can ask for far more than the run may hold, or work long after its deadline, and nothing but a refused request ends
//! it. Then the allocation error hook unwinds to `evaluation/bounded.rs`. The hook is not yet stable in Rust; without it
//! (see `build.rs`) such an operation ends by itself before the run does.
//!
//! Invariant: nothing in the allocator allocates, locks or panics.

use std::alloc::{GlobalAlloc, Layout, System};

use crate::bounds::meter::{METER, Meter};
use crate::bounds::stop::Stop;

/// What a refused request unwinds with.
pub struct Refused;

/// Lets refused requests unwind. To be called before the first run.
pub fn install_hook() {
    #[cfg(refusals)]
    std::alloc::set_alloc_error_hook(|_| {
        // Without a refusal by the meter, the system has no memory, and the process ends as it always would.
        if METER.with(Meter::has_refused) {
            std::panic::resume_unwind(Box::new(Refused));
        }
    });
}

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

struct CountingAllocator;

// SAFETY: every call goes to the system allocator; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for CountingAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is passed on.
        let mut block = unsafe { System.alloc(layout) };
        if block.is_null() && METER.with(Meter::rescue) {
            // SAFETY: the caller's contract is passed on.
            block = unsafe { System.alloc(layout) };
        }
        if !block.is_null() && METER.with(|meter| meter.grow(layout.size(), layout.align())) {
            // SAFETY: the block was just allocated, and nothing knows it.
            unsafe { self.dealloc(block, layout) };
            return std::ptr::null_mut();
        }
        if block.is_null() {
            METER.with(|meter| meter.refuse(Stop::Refused));
        }
        block
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is passed on.
        let mut block = unsafe { System.alloc_zeroed(layout) };
        if block.is_null() && METER.with(Meter::rescue) {
            // SAFETY: the caller's contract is passed on.
            block = unsafe { System.alloc_zeroed(layout) };
        }
        if !block.is_null() && METER.with(|meter| meter.grow(layout.size(), layout.align())) {
            // SAFETY: the block was just allocated, and nothing knows it.
            unsafe { self.dealloc(block, layout) };
            return std::ptr::null_mut();
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
        if METER.with(|meter| meter.refuses_growth(layout.size(), size)) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's contract is passed on.
        let mut moved = unsafe { System.realloc(block, layout, size) };
        if moved.is_null() && METER.with(Meter::rescue) {
            // SAFETY: the caller's contract is passed on; a refused request leaves the block as it was.
            moved = unsafe { System.realloc(block, layout, size) };
        }
        if moved.is_null() {
            METER.with(|meter| meter.refuse(Stop::Refused));
        } else {
            METER.with(|meter| {
                meter.shrink(layout.size());
                meter.count(size, layout.align());
            });
        }
        moved
    }
}

/// Returns freed memory to the system. The C library would keep it, separately for each thread.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: has no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
}
