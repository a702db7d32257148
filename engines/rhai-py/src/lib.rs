//! `rhai._rhai`, the native half of the Python package `rhai`.
//!
//! Table of contents: `engine` (what Python calls), `core` (compile and run, without Python), `watch` (budgets and
//! stop signals), `meter` (the counting allocator), `stack` (where scripts run), `builtins`, `guards`, `text` and `equal` (safe
//! versions of built-in functions), `report` and `errors`, `from_py`, `to_py` and `depth` (values), and the small ones:
//! `limits`, `run`, `script`, `cache`, `current`.

mod builtins;
mod cache;
mod core;
mod current;
mod depth;
mod engine;
mod equal;
mod errors;
mod from_py;
mod function;
mod guards;
mod host;
mod limits;
mod meter;
mod modules;
mod opaque;
mod program;
mod report;
mod resolver;
mod run;
mod script;
mod stack;
mod text;
mod to_py;
mod watch;

/// The native module; `rhai/__init__.py` re-exports what is public.
#[pyo3::pymodule(gil_used = false)]
mod _rhai {
    use std::panic;

    use pyo3::exceptions::PyImportError;
    use pyo3::types::PyModule;
    use pyo3::{Bound, PyResult, ffi};

    use super::current;

    /// Refuses sub-interpreters: classes and caches are static, and PyO3 checks only single-phase initialisation.
    /// Silences panics inside of evaluations: each becomes an exception, and a script that provokes one over and over
    /// must not fill the log.
    #[pymodule_init]
    fn init(_module: &Bound<'_, PyModule>) -> PyResult<()> {
        // SAFETY: the interpreter is attached, because it is running this function.
        let interpreter = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
        if interpreter != 0 {
            return Err(PyImportError::new_err("rhai cannot be used in a sub-interpreter"));
        }
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if current::with(|_| ()).is_none() {
                usual(info);
            }
        }));
        Ok(())
    }

    #[pymodule_export]
    use super::engine::{Engine, remaining_s};
    #[pymodule_export]
    use super::function::Function;
    #[pymodule_export]
    use super::limits::Limits;
    #[pymodule_export]
    use super::modules::{FolderModules, MemoryModules};
    #[pymodule_export]
    use super::opaque::Timestamp;
    #[pymodule_export]
    use super::run::{Run, Usage};
    #[pymodule_export]
    use super::script::Script;
}
