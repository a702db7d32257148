//! `Function`: a function pointer or closure of a script as a Python callable.

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rhai::FnPtr;

use crate::core::{Goal, Origin};
use crate::engine::evaluate;
use crate::from_py;

/// A function of a script. Calling it runs it under the limits of its engine; inside of a callback it shares the
/// deadline of the run that it belongs to.
#[pyclass(frozen, module = "rhai")]
pub struct Function {
    /// The function with its captured values.
    pub pointer: FnPtr,
    /// The script that it is part of.
    pub origin: Origin,
}

#[pymethods]
impl Function {
    /// The name; that of a closure is made up.
    #[getter]
    fn name(&self) -> &str {
        self.pointer.fn_name()
    }

    #[pyo3(signature = (*args))]
    fn __call__(&self, py: Python<'_>, args: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        let arguments = args.iter().map(|argument| from_py::convert(&argument)).collect::<PyResult<Vec<_>>>()?;
        let goal = Goal::Pointer(&self.pointer, arguments);
        evaluate(py, &self.origin, goal, &self.origin.core.limits, None)
    }

    fn __repr__(&self) -> String {
        format!("<rhai.Function {}>", self.pointer.fn_name())
    }
}
