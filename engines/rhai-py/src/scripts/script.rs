//! `Script`: the Python class of a compiled script.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::scripts::program::Program;

/// A compiled script. It is immutable; any number of threads and engines may evaluate it simultaneously.
#[pyclass(frozen, module = "rhai")]
pub struct Script {
    /// The compiled forms.
    pub program: Arc<Program>,
}

#[pymethods]
impl Script {
    /// The name that `compile` got.
    #[getter]
    fn name(&self) -> Option<&str> {
        self.program.name.as_deref()
    }

    /// The source text.
    #[getter]
    fn source(&self) -> &str {
        &self.program.source
    }

    fn __repr__(&self) -> String {
        let name = self.program.name.as_deref().unwrap_or("<script>");
        format!("<rhai.Script {name}, {} bytes>", self.program.source.len())
    }
}
