//! `Engine`: what Python code compiles and evaluates with.
//!
//! Converts arguments, releases the interpreter lock, lets `core` work, and converts the answer. Invariant: nothing
//! that a script does changes an engine, and any number of threads may use it at once.

use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError, RwLock};

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use rhai::Module;

use crate::cache::Cache;
use crate::core::{self, Core, Goal, Origin, Sink};
use crate::limits::Limits;
use crate::modules::library_of;
use crate::program::{self, Program};
use crate::report::Report;
use crate::run::{Printer, Run};
use crate::script::Script;
use crate::watch::{Watch, now_ns};
use crate::{current, errors, from_py, to_py};

thread_local! {
    static ON_MAIN_THREAD: Cell<Option<bool>> = const { Cell::new(None) };
}

/// An engine: limits, functions, modules, and a cache of compiled scripts. Safe to share by many threads.
#[pyclass(frozen, module = "rhai")]
pub struct Engine {
    core: Arc<Core>,
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (*, limits=None, cached_scripts=256, functions=None, modules=None, allow_eval=true,
        allow_import=true))]
    fn new(
        limits: Option<&Bound<'_, Limits>>,
        cached_scripts: usize,
        functions: Option<&Bound<'_, PyAny>>,
        modules: Option<&Bound<'_, PyAny>>,
        allow_eval: bool,
        allow_import: bool,
    ) -> PyResult<Self> {
        let core = Core {
            limits: limits.map(|limits| limits.get().clone()).unwrap_or_default(),
            cache: Cache::new(cached_scripts),
            host: RwLock::default(),
            allow_eval,
            allow_import,
            library: modules.map(library_of).transpose()?,
        };
        let engine = Self { core: Arc::new(core) };
        if let Some(functions) = functions {
            from_py::each_item(functions, |name, function| engine.put(name, &function, ""))?;
        }
        Ok(engine)
    }

    /// The limits that hold where a call gives none.
    #[getter]
    fn limits(&self) -> Limits {
        self.core.limits.clone()
    }

    /// Lets scripts call `function` as `name`.
    #[pyo3(signature = (name, function, *, module=None))]
    fn register(&self, name: &str, function: &Bound<'_, PyAny>, module: Option<&str>) -> PyResult<()> {
        self.put(name, function, module.unwrap_or(""))
    }

    /// Lets scripts call each of `functions` as `module::name`.
    fn register_module(&self, module: &str, functions: &Bound<'_, PyAny>) -> PyResult<()> {
        from_py::each_item(functions, |name, function| self.put(name, &function, module))
    }

    /// The registered functions as a `.d.rhai` file.
    fn definitions(&self) -> String {
        self.core.host().definitions()
    }

    /// Compiles a script.
    #[pyo3(signature = (source, name=None))]
    fn compile(&self, py: Python<'_>, source: &str, name: Option<&str>) -> PyResult<Script> {
        let watch = self.parse_watch(py)?;
        let program = py.detach(|| program::compile(&self.core, source, name, &self.core.limits, &watch));
        program.map(|program| Script { program }).map_err(|report| raised(py, report, &watch, source, name))
    }

    /// What is wrong with a script, without running it.
    #[pyo3(signature = (source, *, constants=None))]
    fn check<'py>(
        &self,
        py: Python<'py>,
        source: &str,
        constants: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let mut known = Vec::new();
        for name in constants.map(Bound::as_any).map(|names| names.try_iter()).transpose()?.into_iter().flatten() {
            known.push(name?.extract::<String>()?);
        }
        let watch = self.parse_watch(py)?;
        let reports = py.detach(|| program::check(&self.core, source, &known, &self.core.limits, &watch));
        let diagnostic = errors::errors_item(py, "Diagnostic")?;
        let as_diagnostic = |report: Report| {
            let (line, column) = (report.position.line(), report.position.position());
            let text = line.and_then(|line| source.lines().nth(line - 1));
            diagnostic.call1((report.kind, report.message, line, column, text))
        };
        reports.into_iter().map(as_diagnostic).collect()
    }

    /// Evaluates a script to its value.
    #[pyo3(signature = (script, *, constants=None, limits=None, run=None, on_print=None, on_debug=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of the Python method")]
    fn eval(
        &self,
        py: Python<'_>,
        script: &Bound<'_, PyAny>,
        constants: Option<&Bound<'_, PyAny>>,
        limits: Option<&Bound<'_, Limits>>,
        run: Option<&Bound<'_, Run>>,
        on_print: Option<Py<PyAny>>,
        on_debug: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let limits = limits.map_or(&self.core.limits, |limits| limits.get());
        let run = run.map(Bound::get);
        let watch = start(py, limits, run)?;
        let origin = self.origin(script, constants, limits, &watch)?;
        let sink = sink(run, on_print, on_debug, &watch, limits);
        evaluate_started(py, &origin, Goal::Body, limits, watch, run, sink)
    }

    /// Calls a function of a script, without running its body.
    #[pyo3(signature = (script, function, *args, constants=None, limits=None, run=None, on_print=None, on_debug=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of the Python method")]
    fn call(
        &self,
        script: &Bound<'_, PyAny>,
        function: &str,
        args: &Bound<'_, PyTuple>,
        constants: Option<&Bound<'_, PyAny>>,
        limits: Option<&Bound<'_, Limits>>,
        run: Option<&Bound<'_, Run>>,
        on_print: Option<Py<PyAny>>,
        on_debug: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let py = script.py();
        let limits = limits.map_or(&self.core.limits, |limits| limits.get());
        let run = run.map(Bound::get);
        let watch = start(py, limits, run)?;
        let origin = self.origin(script, constants, limits, &watch)?;
        let sink = sink(run, on_print, on_debug, &watch, limits);
        let arguments = args.iter().map(|argument| from_py::convert(&argument)).collect::<PyResult<Vec<_>>>()?;
        evaluate_started(py, &origin, Goal::Function(function, arguments), limits, watch, run, sink)
    }

    /// Hits, misses, size and capacity of the cache of compiled scripts.
    fn cache_info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let info = self.core.cache.info();
        errors::errors_item(py, "CacheInfo")?.call1((info.hits, info.misses, info.size, info.capacity))
    }

    /// Forgets the compiled scripts of the cache.
    fn clear_cache(&self) {
        self.core.cache.clear();
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        Ok(format!("Engine(limits={})", slf.getattr("limits")?.repr()?))
    }
}

impl Engine {
    fn put(&self, name: &str, function: &Bound<'_, PyAny>, module: &str) -> PyResult<()> {
        // Described outside of the lock, because that runs Python code, which may register on its own.
        loop {
            let before = self.core.host();
            let after = Arc::new(before.with(module, name, function)?);
            let mut host = self.core.host.write().unwrap_or_else(PoisonError::into_inner);
            if Arc::ptr_eq(&host, &before) {
                *host = after;
                return Ok(());
            }
        }
    }

    fn parse_watch(&self, py: Python<'_>) -> PyResult<Arc<Watch>> {
        let watch = Arc::new(Watch::new());
        watch.start(self.core.limits.timeout_ns(), None, on_main_thread(py)?);
        Ok(watch)
    }

    fn origin(
        &self,
        script: &Bound<'_, PyAny>,
        constants: Option<&Bound<'_, PyAny>>,
        limits: &Limits,
        watch: &Arc<Watch>,
    ) -> PyResult<Origin> {
        let program = self.program(script, limits, watch)?;
        let constants: Option<Module> = constants.map(from_py::constants).transpose()?;
        Ok(Origin { core: self.core.clone(), program, constants: constants.map(Arc::new) })
    }

    fn program(&self, script: &Bound<'_, PyAny>, limits: &Limits, watch: &Arc<Watch>) -> PyResult<Arc<Program>> {
        if let Ok(script) = script.cast::<Script>() {
            return Ok(script.get().program.clone());
        }
        let Ok(source) = script.cast::<PyString>() else {
            let class = script.get_type().fully_qualified_name()?;
            return Err(PyTypeError::new_err(format!("a script is a str or a rhai.Script, not {class}")));
        };
        let (py, source) = (script.py(), source.to_str()?);
        let compile = || py.detach(|| program::compile(&self.core, source, None, limits, watch));
        self.core.cache.get_or_compile(source, compile).map_err(|report| raised(py, report, watch, source, None))
    }
}

/// Starts the clock of an evaluation.
fn start(py: Python<'_>, limits: &Limits, run: Option<&Run>) -> PyResult<Arc<Watch>> {
    let watch = run.map_or_else(|| Arc::new(Watch::new()), |run| run.watch.clone());
    // An evaluation inside of a callback cannot outlive the one around it.
    let outer_ns = current::with(|frame| frame.watch.remaining_ns()).flatten();
    let timeout_ns = limits.timeout_ns().into_iter().chain(outer_ns).min();
    if !watch.start(timeout_ns, limits.operations, on_main_thread(py)?) {
        return Err(PyRuntimeError::new_err("this Run has been used: a Run serves one evaluation"));
    }
    Ok(watch)
}

fn sink(
    run: Option<&Run>,
    on_print: Option<Py<PyAny>>,
    on_debug: Option<Py<PyAny>>,
    watch: &Arc<Watch>,
    limits: &Limits,
) -> Option<Arc<dyn Sink>> {
    if run.is_none() && on_print.is_none() && on_debug.is_none() {
        return None;
    }
    let output = run.map(|run| {
        run.set_output_bytes(limits.output_bytes);
        run.output.clone()
    });
    Some(Arc::new(Printer { on_print, on_debug, output, watch: watch.clone() }))
}

/// Evaluates `goal` with a watch that has not been started.
pub fn evaluate(
    py: Python<'_>,
    origin: &Origin,
    goal: Goal<'_>,
    limits: &Limits,
    sink: Option<Arc<dyn Sink>>,
) -> PyResult<Py<PyAny>> {
    let watch = start(py, limits, None)?;
    evaluate_started(py, origin, goal, limits, watch, None, sink)
}

fn evaluate_started(
    py: Python<'_>,
    origin: &Origin,
    goal: Goal<'_>,
    limits: &Limits,
    watch: Arc<Watch>,
    run: Option<&Run>,
    sink: Option<Arc<dyn Sink>>,
) -> PyResult<Py<PyAny>> {
    let started_ns = run.map(|_| now_ns());
    let outcome = py.detach(|| core::run(origin, goal, limits, &watch, sink));
    if let (Some(run), Some(started_ns)) = (run, started_ns) {
        run.took_ns.store(now_ns().saturating_sub(started_ns), Relaxed);
    }
    match outcome {
        Ok(value) => to_py::convert(py, &value, Some(origin)),
        Err(report) => Err(raised(py, report, &watch, &origin.program.source, origin.program.name.as_deref())),
    }
}

/// The exception for a report: one that ended the run from a callback passes through as it is.
fn raised(py: Python<'_>, report: Report, watch: &Watch, source: &str, name: Option<&str>) -> PyErr {
    watch.take_raised().unwrap_or_else(|| errors::exception(py, report, Some((source, name))))
}

/// Seconds that the evaluation has left whose callback is running on this thread.
///
/// Returns `None` outside of a callback, and where there is no timeout.
#[pyfunction]
pub fn remaining_s() -> Option<f64> {
    let remaining_ns = current::with(|frame| frame.watch.remaining_ns()).flatten()?;
    Some(std::time::Duration::from_nanos(remaining_ns).as_secs_f64())
}

/// Only the main thread of Python sees signals; asked once a thread because asking imports and calls.
fn on_main_thread(py: Python<'_>) -> PyResult<bool> {
    if let Some(known) = ON_MAIN_THREAD.get() {
        return Ok(known);
    }
    let threading = py.import("threading")?;
    let main: u64 = threading.call_method0("main_thread")?.getattr("ident")?.extract()?;
    let this: u64 = threading.call_method0("get_ident")?.extract()?;
    ON_MAIN_THREAD.set(Some(main == this));
    Ok(main == this)
}
