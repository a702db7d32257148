//! The evaluation that the calling thread is running right now.
//!
//! Functions of the crate get no per-run state at a bearable price (a tag costs two allocations a run), and a run
//! never leaves its thread, so the run is found through a thread-local pointer. Invariant: the pointer is set only
//! inside `enter`, which outlives every function that the script can call, and restored on every way out, so nested
//! evaluations (a callback that evaluates another script) each see their own.

use std::cell::{Cell, RefCell};
use std::ptr;

use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};

use crate::core::Origin;
use crate::watch::Watch;

/// What belongs to one evaluation.
pub struct Frame<'a> {
    /// Budget and stop signal.
    pub watch: &'a Watch,
    /// Where function pointers come from; none while parsing.
    pub origin: Option<&'a Origin>,
}

thread_local! {
    static CURRENT: Cell<*const Frame<'static>> = const { Cell::new(ptr::null()) };
    static PRINTING: RefCell<(Option<String>, Position)> = const { RefCell::new((None, Position::NONE)) };
}

struct Restore(*const Frame<'static>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// Runs `f` with `frame` as the current evaluation of this thread.
pub fn enter<R>(frame: &Frame<'_>, f: impl FnOnce() -> R) -> R {
    let _restore = Restore(CURRENT.replace(ptr::from_ref(frame).cast()));
    f()
}

/// Calls `f` with the current evaluation, if there is one.
pub fn with<R>(f: impl FnOnce(&Frame<'_>) -> R) -> Option<R> {
    let frame = CURRENT.get();
    // SAFETY: non-null only between `enter` and its return, during which the borrow passed to it is alive.
    (!frame.is_null()).then(|| f(unsafe { &*frame }))
}

/// Ends the calling function if the current evaluation must end; for loops that are no operations of the crate.
pub fn poll() -> Result<(), Box<EvalAltResult>> {
    match with(|frame| frame.watch.poll()) {
        Some(false) => Err(terminated()),
        _ => Ok(()),
    }
}

/// The error that ends a run; the reason is kept by its watch.
pub fn terminated() -> Box<EvalAltResult> {
    EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into()
}

/// Notes where `print` is called; the callback of the crate is not told.
pub fn note_print(context: &NativeCallContext<'_>) {
    let place = (context.call_source().map(Into::into), context.call_position());
    PRINTING.set(place);
}

/// Where `print` was called last.
pub fn take_print() -> (Option<String>, Position) {
    PRINTING.replace((None, Position::NONE))
}
