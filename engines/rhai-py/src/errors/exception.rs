//! Python exceptions from reports.
//!
//! The exception classes are written in Python (`rhai/_errors.py`); this module creates their instances.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::errors::report::{Class, Report};
use crate::values::package::errors_item;
use crate::values::{depth, to_py};

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

/// The exception of a report. `text` and `name` are those of the script that ran.
pub fn exception(py: Python<'_>, report: Report, text: &str, name: Option<&str>) -> PyErr {
    build(py, report, text, name).unwrap_or_else(|error| error)
}

fn build(py: Python<'_>, report: Report, text: &str, name: Option<&str>) -> PyResult<PyErr> {
    if let Some(raised) = &report.raised {
        let error = raised.clone_ref(py);
        // A frozen or slotted exception takes no attributes; the exception itself matters more.
        let _unattached = attach_frames(py, &error, &report);
        return Ok(error);
    }
    let fields = PyDict::new(py);
    fields.set_item("kind", &report.kind)?;
    fields.set_item("line", report.position.line())?;
    fields.set_item("column", report.position.position())?;
    let is_here = report.source.as_deref() == name;
    if let Some(line) = report.position.line().filter(|_| is_here) {
        fields.set_item("source_line", text.lines().nth(line - 1))?;
    }
    fields.set_item("source", &report.source)?;
    fields.set_item("function", report.frames.last().map(|call| call.function.as_str()))?;
    fields.set_item("frames", frames(py, &report)?)?;
    // A value without a counterpart, such as a closure, must not hide the error itself.
    fields.set_item("value", report.value.as_ref().and_then(|value| to_py::convert(py, value, None).ok()))?;
    depth::discard(report.value);
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

/// Adds the place and the calls of the script to an exception of a callback.
fn attach_frames(py: Python<'_>, error: &PyErr, report: &Report) -> PyResult<()> {
    let place =
        errors_item(py, "Position")?.call1((&report.source, report.position.line(), report.position.position()))?;
    errors_item(py, "attach")?.call1((error.value(py), place, frames(py, report)?)).map(drop)
}
