//! `Script`: a compiled script, shared by threads and engines.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::program::Program;

/// A compiled script. Immutable; any number of threads may evaluate it at once.
#[pyclass(frozen, module = "rhai")]
pub struct Script {
    /// What was compiled.
    pub program: Arc<Program>,
}

#[pymethods]
impl Script {
    /// The name that was given to `compile`.
    #[getter]
    fn name(&self) -> Option<&str> {
        self.program.name.as_deref()
    }

    /// The text.
    #[getter]
    fn source(&self) -> &str {
        &self.program.source
    }

    fn __repr__(&self) -> String {
        let name = self.program.name.as_deref().unwrap_or("<script>");
        format!("<rhai.Script {name}, {} bytes>", self.program.source.len())
    }
}
