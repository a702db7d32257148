//! Values of a script as Python objects.
//!
//! Used for results, for arguments of callbacks and for thrown values. Invariant: a value nested deeper than `DEPTH` is
//! a conversion error, so no value that a script can build exhausts the stack here. The caller has checked functions
//! with `depth::fits`, because their captured variables are not converted but copied.

use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::ops::{Range, RangeInclusive};
use std::time::Instant;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyRecursionError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyRange, PyString};
use rhai::{Array, Blob, Dynamic, FnPtr, Map};
use rust_decimal::Decimal;

use crate::bounds::current::{self, Owner};
use crate::values::decimal::decimal_class;
use crate::values::depth::DEPTH;
use crate::values::function::Function;
use crate::values::opaque::{Opaque, Timestamp};
use crate::values::package::conversion_error;
use crate::values::raised::Raised;

/// Strings of at least this size are looked up before they are copied.
const SHARED_TEXT_BYTES: usize = 512;

/// The Python object for `value`. `owner` is the script that its function pointers belong to.
pub fn convert(py: Python<'_>, value: &Dynamic, owner: Option<&dyn Owner>) -> PyResult<Py<PyAny>> {
    Conversion { py, owner, texts: HashMap::new() }.at_depth(value, DEPTH)
}

struct Conversion<'a, 'py> {
    py: Python<'py>,
    owner: Option<&'a dyn Owner>,
    /// Long strings that were converted already, by address. A script can share one string of a megabyte in a hundred
    /// thousand places; that many copies would end the process.
    texts: HashMap<*const u8, Py<PyString>>,
}

impl Conversion<'_, '_> {
    fn at_depth(&mut self, value: &Dynamic, depth: usize) -> PyResult<Py<PyAny>> {
        let py = self.py;
        if value.is_shared() {
            let Some(inner) = value.read_lock::<Dynamic>() else {
                return Err(conversion_error(py, "a shared value is locked"));
            };
            // This is not a level of nesting, but a chain of shared values must end as well.
            return self.deeper(&inner, depth);
        }
        if value.is_unit() {
            return Ok(py.None());
        }
        if let Ok(text) = value.as_immutable_string_ref() {
            return Ok(self.text(&text));
        }
        if let Ok(number) = value.as_int() {
            return number.into_py_any(py);
        }
        if let Ok(truth) = value.as_bool() {
            return truth.into_py_any(py);
        }
        if let Ok(number) = value.as_float() {
            return number.into_py_any(py);
        }
        if let Some(items) = value.read_lock::<Array>() {
            let list = PyList::empty(py);
            for item in items.iter() {
                list.append(self.deeper(item, depth)?)?;
            }
            return Ok(list.into_any().unbind());
        }
        if let Some(items) = value.read_lock::<Map>() {
            let dict = PyDict::new(py);
            for (key, item) in items.iter() {
                dict.set_item(key.as_str(), self.deeper(item, depth)?)?;
            }
            return Ok(dict.into_any().unbind());
        }
        rare(py, value, self.owner)
    }

    fn deeper(&mut self, value: &Dynamic, depth: usize) -> PyResult<Py<PyAny>> {
        match depth.checked_sub(1) {
            Some(depth) => self.at_depth(value, depth),
            None => {
                let error = conversion_error(self.py, format!("the value is nested deeper than {DEPTH} levels"));
                error.set_cause(self.py, Some(PyRecursionError::new_err("nested too deeply")));
                Err(error)
            }
        }
    }

    fn text(&mut self, text: &str) -> Py<PyAny> {
        if text.len() < SHARED_TEXT_BYTES {
            return PyString::new(self.py, text).into_any().unbind();
        }
        let shared = self.texts.entry(text.as_ptr()).or_insert_with(|| PyString::new(self.py, text).unbind());
        shared.clone_ref(self.py).into_any()
    }
}

fn rare(py: Python<'_>, value: &Dynamic, owner: Option<&dyn Owner>) -> PyResult<Py<PyAny>> {
    if let Ok(char) = value.as_char() {
        return char.into_py_any(py);
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        return Ok(PyBytes::new(py, &bytes).into_any().unbind());
    }
    if let Some(number) = value.read_lock::<Decimal>() {
        return decimal_class(py)?.call1((number.to_string(),)).map(Bound::unbind);
    }
    if let Some(object) = value.read_lock::<Opaque>() {
        return Ok(object.0.clone_ref(py));
    }
    if let Some(raised) = value.read_lock::<Raised>() {
        return Ok(raised.0.value(py).clone().into_any().unbind());
    }
    if let Some(instant) = value.read_lock::<Instant>() {
        return Timestamp { instant: *instant }.into_py_any(py);
    }
    if let Some(range) = value.read_lock::<Range<i64>>() {
        return PyRange::new(py, range.start.try_into()?, range.end.try_into()?).map(|range| range.into_any().unbind());
    }
    if let Some(range) = value.read_lock::<RangeInclusive<i64>>() {
        let end = range.end().checked_add(1).ok_or_else(|| conversion_error(py, "the range does not end"))?;
        return PyRange::new(py, (*range.start()).try_into()?, end.try_into()?).map(|range| range.into_any().unbind());
    }
    if let (Some(pointer), Some(owner)) = (value.read_lock::<FnPtr>(), owner) {
        // In a callback the run goes on. At its end it must not empty the variables that this function has captured.
        current::with(|frame| frame.watch.escape());
        let pointer = ManuallyDrop::new(pointer.clone());
        return Function { pointer, owner: owner.share() }.into_py_any(py);
    }
    Err(conversion_error(py, format!("a value of type {} has no Python counterpart", value.type_name())))
}
