//! Python objects as values of a script.
//!
//! Used for constants, for arguments of script functions and for results of callbacks. Invariant: no conversion loses
//! information silently. What does not fit is a conversion error that names the path to it inside of the value.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyIterator, PyList, PyMapping, PyRange, PyRangeMethods,
    PyString, PyTuple, PyType,
};
use rhai::{Array, Blob, Dynamic, FnPtr, ImmutableString, Map, Module};

use crate::values::callable;
use crate::values::decimal::{self, decimal_class};
use crate::values::depth::DEPTH;
use crate::values::function::Function;
use crate::values::opaque::{Opaque, Timestamp};
use crate::values::package::conversion_error;

/// The script value for `object`.
pub fn convert(object: &Bound<'_, PyAny>) -> PyResult<Dynamic> {
    at_depth(object, DEPTH)
}

/// The constants of a run as a module for the global namespace. `object` maps names to values.
pub fn constants(object: &Bound<'_, PyAny>) -> PyResult<Module> {
    let mut module = Module::new();
    each_item(object, |name, value| {
        let constant = convert(&value).map_err(|error| at(object.py(), &error, &format!("constant {name}")))?;
        module.set_var(name, constant);
        Ok(())
    })?;
    Ok(module)
}

fn at_depth(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Dynamic> {
    let py = object.py();
    if let Ok(text) = object.cast::<PyString>() {
        return string(text).map(Dynamic::from);
    }
    if object.is_none() {
        return Ok(Dynamic::UNIT);
    }
    if let Ok(truth) = object.cast::<PyBool>() {
        return Ok(Dynamic::from(truth.is_true()));
    }
    if let Ok(number) = object.cast::<PyInt>() {
        return number
            .extract::<i64>()
            .map(Dynamic::from)
            .map_err(|_| conversion_error(py, "the integer does not fit into 64 bits"));
    }
    if let Ok(number) = object.cast::<PyFloat>() {
        return Ok(Dynamic::from(number.value()));
    }
    if depth == 0 {
        return Err(conversion_error(py, format!("the value is nested deeper than {DEPTH} levels")));
    }
    if let Ok(items) = object.cast::<PyDict>() {
        return map(items.as_any(), depth);
    }
    if object.cast::<PyList>().is_ok() || object.cast::<PyTuple>().is_ok() {
        return array(object, depth);
    }
    other(object, depth)
}

fn other(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Dynamic> {
    let py = object.py();
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Dynamic::from_blob(bytes.as_bytes().to_vec()));
    }
    if let Ok(bytes) = object.cast::<PyByteArray>() {
        let blob: Blob = bytes.to_vec();
        return Ok(Dynamic::from_blob(blob));
    }
    if object.is_instance(decimal_class(py)?)? {
        let text: String = object.str()?.extract()?;
        return decimal::exact(&text).map(Dynamic::from).ok_or_else(|| {
            conversion_error(py, format!("the decimal {text} does not fit into 96 bits with at most 28 places"))
        });
    }
    if object.cast::<PyMapping>().is_ok() {
        return map(object, depth);
    }
    if let Ok(range) = object.cast::<PyRange>() {
        return match range.step()? {
            1 => Ok(Dynamic::from(i64::try_from(range.start()?)?..i64::try_from(range.stop()?)?)),
            _ => array(object, depth),
        };
    }
    unusual(object, depth)
}

fn unusual(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Dynamic> {
    let py = object.py();
    if let Ok(function) = object.cast::<Function>() {
        return Ok(Dynamic::from(FnPtr::clone(&function.get().pointer)));
    }
    if let Ok(timestamp) = object.cast::<Timestamp>() {
        return Ok(Dynamic::from(timestamp.get().instant));
    }
    let class = object.get_type();
    if class.hasattr("__dataclass_fields__")? && !object.is_instance_of::<PyType>() {
        return fields(object, class.getattr("__dataclass_fields__")?.try_iter()?, depth);
    }
    if class.hasattr("model_fields")? && class.hasattr("model_dump")? {
        return map(&object.call_method0("model_dump")?, depth);
    }
    let module: String = class.getattr("__module__")?.extract()?;
    let name = class.fully_qualified_name()?;
    // A script would expect to use these, but they have no faithful counterpart. Passing them on as opaque objects
    // would only move the surprise into the script.
    if matches!(module.as_str(), "datetime") || matches!(name.to_str()?, "set" | "frozenset" | "complex" | "generator")
    {
        return Err(conversion_error(py, format!("a value of type {name} has no counterpart in a script")));
    }
    if object.is_callable() && !object.is_instance_of::<PyType>() {
        return callable::pointer_to(object).map(Dynamic::from);
    }
    Ok(Dynamic::from(Opaque(Arc::new(object.clone().unbind()))))
}

fn fields<'py>(object: &Bound<'py, PyAny>, names: Bound<'py, PyIterator>, depth: usize) -> PyResult<Dynamic> {
    let mut items = Map::new();
    for name in names {
        let name = name?;
        let name = name.cast::<PyString>()?;
        let value = at_depth(&object.getattr(name)?, depth - 1)
            .map_err(|error| at(object.py(), &error, &format!(".{name}")))?;
        items.insert(name.to_str()?.into(), value);
    }
    Ok(Dynamic::from_map(items))
}

fn string(text: &Bound<'_, PyString>) -> PyResult<ImmutableString> {
    match text.to_str() {
        Ok(text) => Ok(ImmutableString::from(text)),
        Err(_) => Err(conversion_error(text.py(), "the string holds a lone surrogate, which is not text")),
    }
}

fn array(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Dynamic> {
    let mut items = Array::with_capacity(object.len()?);
    for (index, item) in object.try_iter()?.enumerate() {
        items.push(at_depth(&item?, depth - 1).map_err(|error| at(object.py(), &error, &format!("[{index}]")))?);
    }
    Ok(Dynamic::from_array(items))
}

fn map(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Dynamic> {
    let mut items = Map::new();
    each_item(object, |key, value| {
        let value = at_depth(&value, depth - 1).map_err(|error| at(object.py(), &error, &format!("[{key:?}]")))?;
        items.insert(key.into(), value);
        Ok(())
    })?;
    Ok(Dynamic::from_map(items))
}

/// Calls `f` with each key and value of a mapping whose keys are strings.
pub fn each_item<'py>(
    object: &Bound<'py, PyAny>,
    mut f: impl FnMut(&str, Bound<'py, PyAny>) -> PyResult<()>,
) -> PyResult<()> {
    let key_text = |key: &Bound<'py, PyAny>| match key.cast::<PyString>() {
        Ok(key) => string(key),
        Err(_) => Err(conversion_error(object.py(), "a key that is not a string has no counterpart in a script")),
    };
    if let Ok(items) = object.cast::<PyDict>() {
        for (key, value) in items {
            f(&key_text(&key)?, value)?;
        }
        return Ok(());
    }
    for pair in object.call_method0("items")?.try_iter()? {
        let (key, value): (Bound<'py, PyAny>, Bound<'py, PyAny>) = pair?.extract()?;
        f(&key_text(&key)?, value)?;
    }
    Ok(())
}

/// The same conversion error with one more step in front of its path.
fn at(py: Python<'_>, error: &PyErr, step: &str) -> PyErr {
    match error.value(py).getattr("message").and_then(|message| message.extract::<String>()) {
        Ok(message) => {
            let separator = if message.starts_with('[') { "" } else { ": " };
            conversion_error(py, format!("{step}{separator}{message}"))
        }
        Err(_) => error.clone_ref(py),
    }
}
