//! From a call of Python into an evaluation and back.
//!
//! Starts the clock, releases the interpreter lock, lets `evaluate.rs` work, and converts the value or the error.
//! `Engine` calls this module, and so do function pointers that Python calls (`impl Owner`).

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rhai::{Dynamic, FnPtr};

use crate::bounds::clock::now_ns;
use crate::bounds::current::{self, Owner};
use crate::bounds::limits::Limits;
use crate::bounds::watch::Watch;
use crate::builtins::{self, listing};
use crate::errors::exception::exception;
use crate::errors::report::Report;
use crate::evaluation::core::BoundScript;
use crate::evaluation::evaluate::{self, Goal};
use crate::evaluation::output::Printer;
use crate::evaluation::run::Run;
use crate::values::{depth, from_py, to_py};

thread_local! {
    static ON_MAIN_THREAD: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Starts the clock of an evaluation; returns its watch, which is that of `run` if there is one.
pub fn start(py: Python<'_>, limits: &Limits, run: Option<&Run>) -> PyResult<Arc<Watch>> {
    let watch = run.map_or_else(|| Arc::new(Watch::new()), |run| run.watch.clone());
    // An evaluation in a callback cannot outlive the one around it.
    let outer_ns = current::with(|frame| frame.watch.remaining_ns()).flatten();
    let timeout_ns = limits.timeout_ns().into_iter().chain(outer_ns).min();
    if !watch.start(timeout_ns, limits.operations, on_main_thread(py)?) {
        return Err(PyRuntimeError::new_err("this Run was used before: create a new Run, each serves one evaluation"));
    }
    Ok(watch)
}

/// Evaluates `goal` with a watch that `start` returned.
pub fn evaluate(
    py: Python<'_>,
    script: &BoundScript,
    goal: Goal<'_>,
    limits: &Limits,
    watch: &Arc<Watch>,
    run: Option<&Run>,
    printer: Option<Arc<Printer>>,
) -> PyResult<Py<PyAny>> {
    let started_ns = run.map(|_| now_ns());
    let outcome = py.detach(|| evaluate::evaluate(script, goal, limits, watch, printer));
    if let (Some(run), Some(started_ns)) = (run, started_ns) {
        run.took_ns.store(now_ns().saturating_sub(started_ns), Relaxed);
    }
    match outcome {
        Ok(value) => {
            let converted = to_py::convert(py, &value, Some(script));
            depth::discard([value]);
            converted
        }
        Err(report) => Err(raised(py, report, watch, &script.program.source, script.program.name.as_deref())),
    }
}

impl Owner for BoundScript {
    fn call(&self, py: Python<'_>, pointer: &FnPtr, arguments: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        let goal = Goal::Pointer(pointer, convert_arguments(arguments)?);
        let limits = &self.core.limits;
        let watch = start(py, limits, None)?;
        evaluate(py, self, goal, limits, &watch, None, None)
    }

    fn share(&self) -> Arc<dyn Owner> {
        Arc::new(self.clone())
    }
}

/// The positional arguments of a call as values of a script.
pub fn convert_arguments(arguments: &Bound<'_, PyTuple>) -> PyResult<Vec<Dynamic>> {
    arguments.iter().map(|argument| from_py::convert(&argument)).collect()
}

/// The exception for a report. If an exception of a callback ended the run, it is that exception.
pub fn raised(py: Python<'_>, report: Report, watch: &Watch, source: &str, name: Option<&str>) -> PyErr {
    watch.take_raised().unwrap_or_else(|| exception(py, report, source, name))
}

/// Seconds that are left to the evaluation whose callback is running on this thread.
///
/// Returns `None` outside of a callback, and if there is no timeout.
#[pyfunction]
pub fn remaining_s() -> Option<f64> {
    let remaining_ns = current::with(|frame| frame.watch.remaining_ns()).flatten()?;
    Some(Duration::from_nanos(remaining_ns).as_secs_f64())
}

/// The built-in functions of scripts: their names and the types of their parameters.
#[pyfunction]
pub fn builtin_functions() -> Vec<(String, Vec<&'static str>)> {
    listing::functions(builtins::modules())
}

/// Whether this is Python's main thread, the only one that sees signals. Asked once per thread, because asking imports
/// a module and calls functions.
pub fn on_main_thread(py: Python<'_>) -> PyResult<bool> {
    if let Some(known) = ON_MAIN_THREAD.get() {
        return Ok(known);
    }
    let threading = py.import("threading")?;
    let main: u64 = threading.call_method0("main_thread")?.getattr("ident")?.extract()?;
    let this: u64 = threading.call_method0("get_ident")?.extract()?;
    ON_MAIN_THREAD.set(Some(main == this));
    Ok(main == this)
}
