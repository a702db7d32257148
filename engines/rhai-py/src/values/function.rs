//! `Function`: a function pointer or closure of a script as a Python callable.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rhai::FnPtr;

use crate::bounds::current::Owner;
use crate::values::depth;

/// A function of a script. A call runs it under the limits of its engine; a call from a callback shares the deadline
/// of the run around it.
#[pyclass(frozen, module = "rhai")]
pub struct Function {
    /// The function with its captured values.
    pub pointer: ManuallyDrop<FnPtr>,
    /// The script that it is part of.
    pub owner: Arc<dyn Owner>,
}

impl Drop for Function {
    fn drop(&mut self) {
        // SAFETY: nothing uses the function after its drop.
        depth::discard_pointer(unsafe { ManuallyDrop::take(&mut self.pointer) });
    }
}

#[pymethods]
impl Function {
    /// The name; a closure has a generated one.
    #[getter]
    fn name(&self) -> &str {
        self.pointer.fn_name()
    }

    #[pyo3(signature = (*args))]
    fn __call__(&self, py: Python<'_>, args: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        self.owner.call(py, &self.pointer, args)
    }

    fn __repr__(&self) -> String {
        format!("<rhai.Function {}>", self.pointer.fn_name())
    }
}
