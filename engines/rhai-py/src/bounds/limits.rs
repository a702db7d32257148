//! `Limits`: the limits of one evaluation, as plain data.
//!
//! Python code creates them. Nothing is enforced here: `watch.rs` and `meter.rs` count against these numbers, and
//! `evaluation/core.rs` passes the static ones to the Rhai crate. Invariant: a `Limits` that exists is valid, so no
//! other module checks it again.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// Longer timeouts count as "no timeout". A hundred years keeps every sum of a start and a timeout far inside 64 bits
/// of nanoseconds.
const LONGEST_TIMEOUT_S: f64 = 100.0 * 365.0 * 86_400.0;
const CALL_LEVELS: usize = 64;
const EXPR_DEPTH: usize = 64;
const OUTPUT_BYTES: usize = 1024 * 1024;

/// The limits of one evaluation; immutable.
#[pyclass(frozen, eq, hash, module = "rhai")]
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Wall-clock seconds from the start of the evaluation.
    #[pyo3(get)]
    pub timeout_s: Option<f64>,
    /// Operations of the Rhai crate, including those in callbacks of `map`, `sort` and similar functions.
    #[pyo3(get)]
    pub operations: Option<u64>,
    /// Bytes that the script may hold at the same time.
    #[pyo3(get)]
    pub memory_bytes: Option<usize>,
    /// Depth of nested calls of script functions.
    #[pyo3(get)]
    pub call_levels: usize,
    /// Nesting depth of expressions and blocks that the parser accepts.
    #[pyo3(get)]
    pub expr_depth: usize,
    /// Bytes of collected `print` and `debug` text, and of one text that goes to a callback; the rest is cut off.
    #[pyo3(get)]
    pub output_bytes: usize,
    /// Size of a value that leaves the script; see `values/size.rs`.
    #[pyo3(get)]
    pub result_bytes: Option<usize>,
    /// Bytes of one string.
    #[pyo3(get)]
    pub string_bytes: Option<usize>,
    /// Items of one array or bytes of one blob.
    #[pyo3(get)]
    pub array_items: Option<usize>,
    /// Items of all object maps together.
    #[pyo3(get)]
    pub map_items: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout_s: None,
            operations: None,
            memory_bytes: None,
            call_levels: CALL_LEVELS,
            expr_depth: EXPR_DEPTH,
            output_bytes: OUTPUT_BYTES,
            result_bytes: None,
            string_bytes: None,
            array_items: None,
            map_items: None,
        }
    }
}

impl std::hash::Hash for Limits {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.timeout_s.map(f64::to_bits).hash(state);
        self.operations.hash(state);
        self.memory_bytes.hash(state);
        (self.call_levels, self.expr_depth, self.output_bytes).hash(state);
        (self.result_bytes, self.string_bytes, self.array_items, self.map_items).hash(state);
    }
}

impl Limits {
    /// The timeout in nanoseconds, or `None` if there is none that could ever pass.
    pub fn timeout_ns(&self) -> Option<u64> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`new` has checked that it is positive, and the filter keeps it far below 2^63"
        )]
        self.timeout_s.filter(|s| *s < LONGEST_TIMEOUT_S).map(|s| (s * 1e9) as u64)
    }
}

fn positive<T: PartialOrd + Default + Copy>(name: &str, value: Option<T>) -> PyResult<Option<T>> {
    match value {
        Some(v) if v <= T::default() => {
            Err(PyValueError::new_err(format!("{name} must be above 0 (or None for no limit)")))
        }
        v => Ok(v),
    }
}

#[pymethods]
impl Limits {
    #[new]
    #[pyo3(signature = (timeout_s=None, operations=None, memory_bytes=None, call_levels=64,
        expr_depth=64, output_bytes=1048576, string_bytes=None, array_items=None, map_items=None,
        result_bytes=None))]
    #[expect(clippy::too_many_arguments, reason = "the parameters are the list of limits")]
    fn new(
        timeout_s: Option<f64>,
        operations: Option<u64>,
        memory_bytes: Option<usize>,
        call_levels: usize,
        expr_depth: usize,
        output_bytes: usize,
        string_bytes: Option<usize>,
        array_items: Option<usize>,
        map_items: Option<usize>,
        result_bytes: Option<usize>,
    ) -> PyResult<Self> {
        if timeout_s.is_some_and(f64::is_nan) {
            return Err(PyValueError::new_err("timeout_s must be a number of seconds, not NaN"));
        }
        if expr_depth == 0 {
            // The crate takes 0 for "no limit", and its parser recurses on the machine stack.
            return Err(PyValueError::new_err("expr_depth must be above 0"));
        }
        Ok(Self {
            timeout_s: positive("timeout_s", timeout_s)?,
            operations: positive("operations", operations)?,
            memory_bytes: positive("memory_bytes", memory_bytes)?,
            call_levels,
            expr_depth,
            output_bytes,
            result_bytes: positive("result_bytes", result_bytes)?,
            string_bytes: positive("string_bytes", string_bytes)?,
            array_items: positive("array_items", array_items)?,
            map_items: positive("map_items", map_items)?,
        })
    }

    /// A copy of these limits with some of them changed.
    #[pyo3(signature = (**changes))]
    fn replace(slf: &Bound<'_, Self>, changes: Option<&Bound<'_, PyDict>>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let fields = PyDict::new(py);
        for name in FIELDS {
            fields.set_item(name, slf.getattr(name)?)?;
        }
        for (name, value) in changes.into_iter().flatten() {
            if !fields.contains(&name)? {
                return Err(PyTypeError::new_err(format!("Limits has no limit named {}", name.repr()?)));
            }
            fields.set_item(name, value)?;
        }
        Ok(slf.get_type().call(PyTuple::empty(py), Some(&fields))?.unbind())
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let fields = FIELDS
            .iter()
            .map(|name| Ok(format!("{name}={}", slf.getattr(*name)?.repr()?)))
            .collect::<PyResult<Vec<_>>>()?;
        Ok(format!("Limits({})", fields.join(", ")))
    }
}

/// The names of the limits, in the order of `__init__`.
const FIELDS: [&str; 10] = [
    "timeout_s",
    "operations",
    "memory_bytes",
    "call_levels",
    "expr_depth",
    "output_bytes",
    "string_bytes",
    "array_items",
    "map_items",
    "result_bytes",
];
