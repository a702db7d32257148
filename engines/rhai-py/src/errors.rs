//! From reports to the exceptions of the package.
//!
//! The exception classes are written in Python (`rhai/_errors.py`); this module fills them.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::report::{Class, Report};
use crate::to_py;

fn class_name(class: Class) -> &'static str {
    match class {
        Class::Parse => "RhaiParseError",
        Class::Runtime => "RhaiRuntimeError",
        Class::Limit => "RhaiLimitError",
        Class::Timeout => "RhaiTimeoutError",
        Class::Cancelled => "RhaiCancelledError",
        Class::Module => "RhaiModuleError",
        Class::Conversion => "RhaiConversionError",
        Class::Internal => "RhaiInternalError",
    }
}

static ERRORS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// An attribute of `rhai._errors`.
pub fn errors_item<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    ERRORS.get_or_try_init(py, || py.import("rhai._errors").map(Bound::unbind))?.bind(py).getattr(name)
}

/// The exception for a value that cannot be converted.
pub fn conversion_error(py: Python<'_>, message: impl Into<String>) -> PyErr {
    exception(py, Report::new(Class::Conversion, "ErrorMismatchDataType", message), None)
}

/// The exception of a report. `script` is the text and the name of the script that ran.
pub fn exception(py: Python<'_>, report: Report, script: Option<(&str, Option<&str>)>) -> PyErr {
    build(py, report, script).unwrap_or_else(|error| error)
}

fn build(py: Python<'_>, report: Report, script: Option<(&str, Option<&str>)>) -> PyResult<PyErr> {
    if let Some(raised) = &report.raised {
        let error = raised.clone_ref(py);
        // Frozen or slotted exceptions keep their secret; the exception itself matters more.
        let _unattached = attach_frames(py, &error, &report);
        return Ok(error);
    }
    let fields = PyDict::new(py);
    fields.set_item("kind", &report.kind)?;
    fields.set_item("line", report.position.line())?;
    fields.set_item("column", report.position.position())?;
    if let (Some((text, name)), Some(line)) = (script, report.position.line())
        && report.source.as_deref() == name
    {
        fields.set_item("source_line", text.lines().nth(line - 1))?;
    }
    fields.set_item("source", &report.source)?;
    fields.set_item("function", report.frames.last().map(|call| call.function.as_str()))?;
    // A value without counterpart, such as a closure, is not worth losing the error for.
    fields.set_item("frames", frames(py, &report)?)?;
    fields.set_item("value", report.value.and_then(|value| to_py::convert(py, &value, None).ok()))?;
    let class = errors_item(py, class_name(report.class))?;
    Ok(PyErr::from_value(class.call((PyString::new(py, &report.message),), Some(&fields))?))
}

fn frames<'py>(py: Python<'py>, report: &Report) -> PyResult<Bound<'py, PyTuple>> {
    let frame = errors_item(py, "Frame")?;
    let frames = report
        .frames
        .iter()
        .map(|call| frame.call1((&call.function, &call.source, call.position.line(), call.position.position())))
        .collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(py, frames)
}

/// Tells an exception of a callback which calls of the script led to it.
fn attach_frames(py: Python<'_>, error: &PyErr, report: &Report) -> PyResult<()> {
    let place =
        errors_item(py, "Position")?.call1((&report.source, report.position.line(), report.position.position()))?;
    errors_item(py, "attach")?.call1((error.value(py), place, frames(py, report)?)).map(drop)
}
