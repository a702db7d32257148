//! `rhai._rhai`, the native half of the Python package `rhai`.
//!
//! The rooms from bottom to top. Each imports only from those above it in this list, and
//! `tests/rhai/test_crate_imports.py` checks that no files import each other in a circle.
//!
//! - `bounds`: limits, the stop signal, the counting allocator, the large stack
//! - `values`: conversion between Python objects and values of scripts
//! - `builtins`: the built-in functions of scripts, within the limits
//! - `errors`: failed evaluations as reports and as Python exceptions
//! - `scripts`: compiled scripts, their cache, importable modules
//! - `evaluation`: the `Engine` class, compiling and evaluating
//!
//! In the comments of all files, "the crate" is the crate `rhai`, which parses and evaluates the scripts.

#![cfg_attr(refusals, feature(alloc_error_hook))]

mod bounds;
mod builtins;
mod errors;
mod evaluation;
mod scripts;
mod values;

/// The native module; `rhai/__init__.py` re-exports what is public.
#[pyo3::pymodule(gil_used = false)]
mod _rhai {
    use std::panic;

    use pyo3::exceptions::PyImportError;
    use pyo3::types::PyModule;
    use pyo3::{Bound, PyResult, ffi};

    use super::bounds::{allocator, current};

    /// Refuses sub-interpreters, because classes and caches are static and PyO3 checks only single-phase modules.
    /// Silences panics inside of evaluations, because each becomes an exception, and a script that provokes one in a
    /// loop must not fill the log.
    #[pymodule_init]
    fn init(_module: &Bound<'_, PyModule>) -> PyResult<()> {
        // SAFETY: the interpreter is attached, because it is running this function.
        let interpreter = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
        if interpreter != 0 {
            return Err(PyImportError::new_err(
                "rhai cannot be used in a sub-interpreter; import it in the main interpreter of a process",
            ));
        }
        allocator::install_hook();
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if current::with(|_| ()).is_none() {
                usual(info);
            }
        }));
        Ok(())
    }

    #[pymodule_export]
    use super::bounds::limits::Limits;
    #[pymodule_export]
    use super::evaluation::engine::Engine;
    #[pymodule_export]
    use super::evaluation::entry::{builtin_functions, remaining_s};
    #[pymodule_export]
    use super::evaluation::run::{Run, Usage};
    #[pymodule_export]
    use super::scripts::modules::{FolderModules, MemoryModules};
    #[pymodule_export]
    use super::scripts::script::Script;
    #[pymodule_export]
    use super::values::function::Function;
    #[pymodule_export]
    use super::values::opaque::Timestamp;
}
