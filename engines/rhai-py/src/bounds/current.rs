//! The evaluation that is running on the calling thread.
//!
//! Functions of the Rhai crate get no state of their run at a bearable price (a tag costs two allocations per run),
//! and a run never leaves its thread. So functions find their run through a thread-local pointer. Invariant: only
//! `enter` sets the pointer, `enter` outlives every function that the script can call, and it restores the pointer on
//! every way out. So nested evaluations (a callback that evaluates another script) each see their own frame.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rhai::{Dynamic, EvalAltResult, FnPtr, NativeCallContext, Position};

use crate::bounds::limits::Limits;
use crate::bounds::watch::Watch;

/// What a native function returns to a script.
pub type Answer<T> = Result<T, Box<EvalAltResult>>;

/// The script that function pointers come from. It can call them again after its run has ended.
///
/// A trait, so that values can be converted without knowing how scripts are evaluated.
pub trait Owner: Send + Sync {
    /// Calls a function pointer of this script and converts arguments and result.
    fn call(&self, py: Python<'_>, pointer: &FnPtr, arguments: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>>;

    /// The same script as a handle that may outlive the run.
    fn share(&self) -> Arc<dyn Owner>;
}

/// What belongs to one evaluation.
pub struct Frame<'a> {
    /// Budget and stop signal.
    pub watch: &'a Watch,
    /// The script that runs; `None` while parsing.
    pub owner: Option<&'a dyn Owner>,
    /// Its limits.
    pub limits: &'a Limits,
}

/// Work between two looks at the deadline, in bytes touched: well below a millisecond for the slowest of our loops.
const WORK_PER_LOOK: usize = 64 << 10;

thread_local! {
    /// Work since the last look.
    static WORK: Cell<usize> = const { Cell::new(0) };
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

/// Ends the calling function if the current evaluation must end. For loops that are not operations of the crate.
pub fn poll() -> Answer<()> {
    match with(|frame| frame.watch.poll()) {
        Some(false) => Err(terminated()),
        _ => Ok(()),
    }
}

/// Counts work of a native function, in bytes touched or units of that size, and looks at the deadline every
/// `WORK_PER_LOOK` of it. So the deadline holds however much a single item of a loop costs.
#[inline]
pub fn spend(work: usize) -> Answer<()> {
    let spent = WORK.get().saturating_add(work);
    if spent < WORK_PER_LOOK {
        WORK.set(spent);
        return Ok(());
    }
    WORK.set(0);
    poll()
}

/// The error that ends a run; its watch knows the reason.
pub fn terminated() -> Box<EvalAltResult> {
    EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into()
}

/// Remembers where `print` is called, because the crate does not tell its print callback.
pub fn note_print(context: &NativeCallContext<'_>) {
    let place = (context.call_source().map(Into::into), context.call_position());
    PRINTING.set(place);
}

/// Where `print` was called last.
pub fn take_print() -> (Option<String>, Position) {
    PRINTING.replace((None, Position::NONE))
}
