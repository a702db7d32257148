//! The global allocator of the extension: the system's, with every call reported to the meter of its thread. When the
//! system refuses a request of a run, the meter makes room for it and the run ends.
//!
//! Invariant: nothing here allocates, locks or panics.

use std::alloc::{GlobalAlloc, Layout, System};

use crate::bounds::meter::{METER, Meter};

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
        if !block.is_null() {
            METER.with(|meter| meter.grow(layout.size(), layout.align()));
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
        let mut moved = unsafe { System.realloc(block, layout, size) };
        if moved.is_null() && METER.with(Meter::rescue) {
            // SAFETY: the caller's contract is passed on; a refused request leaves the block as it was.
            moved = unsafe { System.realloc(block, layout, size) };
        }
        if !moved.is_null() {
            METER.with(|meter| {
                meter.shrink(layout.size());
                meter.grow(size, layout.align());
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
