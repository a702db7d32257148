//! Access to the Python half of the package: the exceptions and tuples of `rhai/_errors.py`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

static ERRORS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// An attribute of `rhai._errors`.
pub fn errors_item<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    ERRORS.get_or_try_init(py, || py.import("rhai._errors").map(Bound::unbind))?.bind(py).getattr(name)
}

/// The exception for a value that has no counterpart on the other side.
pub fn conversion_error(py: Python<'_>, message: impl Into<String>) -> PyErr {
    let build = || {
        let fields = PyDict::new(py);
        fields.set_item("kind", "ErrorMismatchDataType")?;
        errors_item(py, "RhaiConversionError")?.call((message.into(),), Some(&fields))
    };
    build().map_or_else(|error| error, PyErr::from_value)
}
