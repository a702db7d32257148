//! `Engine`: the Python class that compiles and evaluates scripts.
//!
//! Invariant: nothing that a script does changes an engine, and any number of threads may use it simultaneously.

use std::sync::{Arc, PoisonError, RwLock};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::bounds::limits::Limits;
use crate::bounds::watch::Watch;
use crate::errors::report::Report;
use crate::evaluation::compile;
use crate::evaluation::constants::Constants;
use crate::evaluation::core::{BoundScript, Core};
use crate::evaluation::entry::{convert_arguments, evaluate, on_main_thread, raised, start};
use crate::evaluation::evaluate::Goal;
use crate::evaluation::output::Printer;
use crate::evaluation::run::Run;
use crate::scripts::cache::Cache;
use crate::scripts::modules::library_of;
use crate::scripts::program::Program;
use crate::scripts::script::Script;
use crate::values::from_py;
use crate::values::package::errors_item;

/// An engine: limits, functions, modules, and a cache of compiled scripts. Threads may share it.
#[pyclass(frozen, module = "rhai")]
pub struct Engine {
    core: Arc<Core>,
}

/// The keyword arguments that `eval` and `call` have in common.
struct Options<'a, 'py> {
    constants: Option<&'a Bound<'py, PyAny>>,
    limits: Option<&'a Bound<'py, Limits>>,
    run: Option<&'a Bound<'py, Run>>,
    on_print: Option<Py<PyAny>>,
    on_debug: Option<Py<PyAny>>,
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
            from_py::each_item(functions, |name, function| engine.add(name, &function, ""))?;
        }
        Ok(engine)
    }

    /// The limits of calls that give none.
    #[getter]
    fn limits(&self) -> Limits {
        self.core.limits.clone()
    }

    /// Lets scripts call `function` as `name`.
    #[pyo3(signature = (name, function, *, module=None))]
    fn register(&self, name: &str, function: &Bound<'_, PyAny>, module: Option<&str>) -> PyResult<()> {
        self.add(name, function, module.unwrap_or(""))
    }

    /// Lets scripts call each of `functions` as `module::name`.
    fn register_module(&self, module: &str, functions: &Bound<'_, PyAny>) -> PyResult<()> {
        from_py::each_item(functions, |name, function| self.add(name, &function, module))
    }

    /// The registered functions as a `.d.rhai` file.
    fn definitions(&self) -> String {
        self.core.host().definitions()
    }

    /// Compiles a script.
    #[pyo3(signature = (source, name=None))]
    fn compile(&self, py: Python<'_>, source: &str, name: Option<&str>) -> PyResult<Script> {
        let watch = self.parse_watch(py)?;
        let program = py.detach(|| compile::compile(&self.core, source, name, &self.core.limits, &watch));
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
        let reports = py.detach(|| compile::check(&self.core, source, &known, &self.core.limits, &watch));
        let diagnostic = errors_item(py, "Diagnostic")?;
        let as_diagnostic = |report: Report| {
            let (line, column) = (report.position.line(), report.position.position());
            let text = line.and_then(|line| source.lines().nth(line - 1));
            diagnostic.call1((report.kind, report.message, line, column, text))
        };
        reports.into_iter().map(as_diagnostic).collect()
    }

    /// Evaluates a script to its value.
    #[pyo3(signature = (script, *, constants=None, limits=None, run=None, on_print=None, on_debug=None))]
    fn eval<'py>(
        &self,
        script: &Bound<'py, PyAny>,
        constants: Option<&Bound<'py, PyAny>>,
        limits: Option<&Bound<'py, Limits>>,
        run: Option<&Bound<'py, Run>>,
        on_print: Option<Py<PyAny>>,
        on_debug: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        self.evaluate(script, None, Options { constants, limits, run, on_print, on_debug })
    }

    /// Calls a function of a script, without running its body.
    #[pyo3(signature = (script, function, *args, constants=None, limits=None, run=None, on_print=None, on_debug=None))]
    #[expect(clippy::too_many_arguments, reason = "they are the arguments of the Python method")]
    fn call<'py>(
        &self,
        script: &Bound<'py, PyAny>,
        function: &str,
        args: &Bound<'py, PyTuple>,
        constants: Option<&Bound<'py, PyAny>>,
        limits: Option<&Bound<'py, Limits>>,
        run: Option<&Bound<'py, Run>>,
        on_print: Option<Py<PyAny>>,
        on_debug: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        self.evaluate(script, Some((function, args)), Options { constants, limits, run, on_print, on_debug })
    }

    /// Hits, misses, size and capacity of the cache of compiled scripts.
    fn cache_info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let info = self.core.cache.info();
        errors_item(py, "CacheInfo")?.call1((info.hits, info.misses, info.size, info.capacity))
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
    fn add(&self, name: &str, function: &Bound<'_, PyAny>, module: &str) -> PyResult<()> {
        // Builds the new registry outside of the lock, because that runs Python code, which may register functions.
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

    /// Evaluates the body of a script, or calls one of its functions.
    fn evaluate(
        &self,
        script: &Bound<'_, PyAny>,
        function: Option<(&str, &Bound<'_, PyTuple>)>,
        options: Options<'_, '_>,
    ) -> PyResult<Py<PyAny>> {
        let py = script.py();
        let limits = options.limits.map_or(&self.core.limits, |limits| limits.get());
        let run = options.run.map(Bound::get);
        let watch = start(py, limits, run)?;
        let program = self.program(script, limits, &watch)?;
        let constants = options.constants.map(from_py::constants).transpose()?.map(Constants::new);
        let script = BoundScript { core: self.core.clone(), program, constants };
        let goal = match function {
            None => Goal::Body,
            Some((name, arguments)) => Goal::Function(name, convert_arguments(arguments)?),
        };
        let printer = printer(run, options.on_print, options.on_debug, &watch, limits);
        evaluate(py, &script, goal, limits, &watch, run, printer)
    }

    fn program(&self, script: &Bound<'_, PyAny>, limits: &Limits, watch: &Arc<Watch>) -> PyResult<Arc<Program>> {
        if let Ok(script) = script.cast::<Script>() {
            return Ok(script.get().program.clone());
        }
        let Ok(source) = script.cast::<PyString>() else {
            let class = script.get_type().fully_qualified_name()?;
            return Err(PyTypeError::new_err(format!("script must be a str or a rhai.Script, not {class}")));
        };
        let (py, source) = (script.py(), source.to_str()?);
        let compile = || {
            let program = py.detach(|| compile::compile(&self.core, source, None, limits, watch))?;
            Ok((program.source.clone(), program))
        };
        self.core.cache.get_or_compile(source, compile).map_err(|report| raised(py, report, watch, source, None))
    }
}

fn printer(
    run: Option<&Run>,
    on_print: Option<Py<PyAny>>,
    on_debug: Option<Py<PyAny>>,
    watch: &Arc<Watch>,
    limits: &Limits,
) -> Option<Arc<Printer>> {
    if run.is_none() && on_print.is_none() && on_debug.is_none() {
        return None;
    }
    let output = run.map(|run| {
        run.output.set_max_bytes(limits.output_bytes);
        run.output.clone()
    });
    Some(Arc::new(Printer { on_print, on_debug, output, watch: watch.clone(), max_bytes: limits.output_bytes }))
}
