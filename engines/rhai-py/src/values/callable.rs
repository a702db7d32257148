//! Python callables that scripts call: choosing the overload, converting arguments and result, passing on errors.
//!
//! `evaluation/host.rs` registers callables by name; `from_py` makes a function pointer of a callable that is a value.
//! An exception of the callable becomes an error that the script can catch. One that does not derive from `Exception`
//! (`KeyboardInterrupt`, `SystemExit`) ends the run.
//! Invariant: Python code runs on the thread's own stack, attached to the interpreter.

use std::array;
use std::mem;
use std::sync::Arc;

use pyo3::exceptions::{PyException, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString, PyTuple};
use rhai::{Dynamic, EvalAltResult, FnPtr, NativeCallContext, Position};

use crate::bounds::current::{self, Answer, Frame, Owner};
use crate::bounds::stack;
use crate::values::depth::{self, DEPTH};
use crate::values::package::{conversion_error, errors_item};
use crate::values::raised::Raised;
use crate::values::{from_py, size, to_py};

/// The most parameters of a function. The crate looks functions up by the combination of their types and therefore
/// stops at 16; a script that passes more than 12 arguments should pass a map.
pub const MAX_PARAMETERS: usize = 12;

/// What a parameter accepts.
enum Accepts {
    /// Anything.
    Any,
    /// `int` only.
    Int,
    /// `float`, and `int`, which is converted.
    Float,
    /// `str`
    Str,
    /// `bool`
    Bool,
    /// What this function returns for the converted value; it raises `TypeError` or `ValueError` to refuse.
    Convert(Py<PyAny>),
}

/// One registered callable.
pub struct Overload {
    callable: Py<PyAny>,
    accepts: Vec<Accepts>,
    least: usize,
    most: usize,
    /// The declaration, for the definitions of editors.
    pub signature: String,
    /// The docstring, for the same.
    pub doc: String,
}

/// A failed call.
enum Failure {
    /// A value that the callable throws into the script with `rhai.Throw`.
    Thrown(Dynamic),
    /// An exception that the script may catch.
    Error(PyErr),
    /// One that ends the run.
    Fatal(PyErr),
}

impl Failure {
    fn of(py: Python<'_>, error: PyErr) -> Self {
        if !error.is_instance_of::<PyException>(py) {
            return Self::Fatal(error);
        }
        let thrown = || -> PyResult<Option<Dynamic>> {
            let exception = error.value(py);
            if !exception.is_instance(&errors_item(py, "Throw")?)? {
                return Ok(None);
            }
            from_py::convert(&exception.getattr("value")?).map(Some)
        };
        match thrown() {
            Ok(None) => Self::Error(error),
            Ok(Some(value)) => Self::Thrown(value),
            // The value has no counterpart in a script.
            Err(refused) => Self::Error(refused),
        }
    }
}

impl Overload {
    /// Reads the signature and annotations of `callable`.
    pub fn describe(name: &str, callable: &Bound<'_, PyAny>) -> PyResult<Self> {
        if !callable.is_callable() {
            let class = callable.get_type().fully_qualified_name()?;
            return Err(PyTypeError::new_err(format!("the function {name} must be a callable, not {class}")));
        }
        let described = callable.py().import("rhai._signature")?.call_method1("describe", (name, callable))?;
        let (least, most, accepts, signature, doc): (usize, Option<usize>, Vec<Bound<'_, PyAny>>, String, String) =
            described.extract()?;
        if least > MAX_PARAMETERS || accepts.len() > MAX_PARAMETERS {
            return Err(PyTypeError::new_err(format!(
                "{name} takes more than {MAX_PARAMETERS} parameters; let it take a dict instead"
            )));
        }
        let accepts = accepts.into_iter().map(Accepts::of).collect::<PyResult<_>>()?;
        let most = most.unwrap_or(MAX_PARAMETERS);
        Ok(Self { callable: callable.clone().unbind(), accepts, least, most, signature, doc })
    }

    /// Whether the callable takes this number of arguments.
    pub fn takes_count(&self, count: usize) -> bool {
        self.least <= count && count <= self.most
    }

    fn takes(&self, arguments: &[Dynamic]) -> bool {
        arguments.iter().zip(&self.accepts).all(|(argument, accepts)| match accepts {
            Accepts::Any | Accepts::Convert(_) => true,
            Accepts::Int => argument.is_int(),
            Accepts::Float => argument.is_float() || argument.is_int(),
            Accepts::Str => argument.is_string() || argument.is_char(),
            Accepts::Bool => argument.is_bool(),
        })
    }

    fn call<const N: usize>(
        &self,
        py: Python<'_>,
        owner: Option<&dyn Owner>,
        arguments: &[Dynamic; N],
    ) -> Result<Dynamic, Failure> {
        let called = || {
            let mut converted = Vec::with_capacity(N);
            for (index, argument) in arguments.iter().enumerate() {
                let value = to_py::convert(py, argument, owner)?.into_bound(py);
                converted.push(self.accepts.get(index).unwrap_or(&Accepts::Any).admit(value, index)?);
            }
            let result = self.callable.bind(py).call1(PyTuple::new(py, converted)?)?;
            from_py::convert(&result)
        };
        called().map_err(|error| Failure::of(py, error))
    }
}

impl Accepts {
    /// From what `rhai/_signature.py` returns for a parameter: the name of a type, or a converter.
    fn of(described: Bound<'_, PyAny>) -> PyResult<Self> {
        let Ok(name) = described.cast::<PyString>() else {
            return Ok(Self::Convert(described.unbind()));
        };
        Ok(match name.to_str()? {
            "int" => Self::Int,
            "float" => Self::Float,
            "str" => Self::Str,
            "bool" => Self::Bool,
            _ => Self::Any,
        })
    }

    fn admit<'py>(&self, value: Bound<'py, PyAny>, index: usize) -> PyResult<Bound<'py, PyAny>> {
        let refuse = |wanted: &str| {
            let class = value.get_type().name()?;
            Err(PyTypeError::new_err(format!("argument {} must be {wanted}, not {class}", index + 1)))
        };
        match self {
            Self::Any => Ok(value),
            Self::Convert(convert) => convert.bind(value.py()).call1((value,)),
            Self::Int if value.is_exact_instance_of::<PyInt>() => Ok(value),
            Self::Int => refuse("int"),
            Self::Float if value.is_exact_instance_of::<PyFloat>() => Ok(value),
            Self::Float if value.is_exact_instance_of::<PyInt>() => {
                Ok(PyFloat::new(value.py(), value.extract()?).into_any())
            }
            Self::Float => refuse("float"),
            Self::Str if value.is_exact_instance_of::<PyString>() => Ok(value),
            Self::Str => refuse("str"),
            Self::Bool if value.is_exact_instance_of::<PyBool>() => Ok(value),
            Self::Bool => refuse("bool"),
        }
    }
}

/// Calls the first overload that takes the arguments.
pub fn dispatch<const N: usize>(
    context: &NativeCallContext<'_>,
    overloads: &[Arc<Overload>],
    arguments: [Dynamic; N],
) -> Answer<Dynamic> {
    let fitting = match overloads {
        [only] => Some(only),
        several => several.iter().find(|overload| overload.takes(&arguments)),
    };
    let Some(overload) = fitting else {
        let types = arguments.iter().map(Dynamic::type_name).collect::<Vec<_>>().join(", ");
        let signature = format!("{} ({types})", context.fn_name());
        return Err(EvalAltResult::ErrorFunctionNotFound(signature, Position::NONE).into());
    };
    current::with(|frame| {
        // Here on the large stack, because a walk through a deep value takes as much stack as its drop. The arguments
        // are dropped here as well.
        let refused = arguments.iter().enumerate().find_map(|(index, argument)| refusal(index + 1, argument, frame));
        let called = stack::at_home(|| {
            Python::try_attach(|py| match refused {
                None => overload.call(py, frame.owner, &arguments),
                Some(message) => Err(Failure::Error(conversion_error(py, message))),
            })
        });
        match called {
            Some(Ok(value)) => Ok(value),
            Some(Err(Failure::Thrown(value))) => Err(EvalAltResult::ErrorRuntime(value, Position::NONE).into()),
            Some(Err(Failure::Error(error))) => {
                let value = Dynamic::from(Raised(Arc::new(error)));
                Err(EvalAltResult::ErrorRuntime(value, Position::NONE).into())
            }
            Some(Err(Failure::Fatal(error))) => {
                frame.watch.raise(error);
                Err(current::terminated())
            }
            // The interpreter is shutting down, so nobody will read the result.
            None => Err(current::terminated()),
        }
    })
    .unwrap_or_else(|| Err(current::terminated()))
}

/// Why an argument cannot go to Python.
fn refusal(number: usize, argument: &Dynamic, frame: &Frame<'_>) -> Option<String> {
    let most = frame.limits.result_bytes;
    if !depth::fits(argument) {
        return Some(format!("argument {number} is nested deeper than {DEPTH} levels"));
    }
    (!size::fits(argument, most)).then(|| format!("argument {number} has more than {} bytes", most.unwrap_or(0)))
}

/// A Python callable as a value of a script.
pub fn pointer_to(callable: &Bound<'_, PyAny>) -> PyResult<FnPtr> {
    let name = callable.getattr("__name__").and_then(|name| name.extract::<String>()).unwrap_or_default();
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && name.starts_with(char::is_alphabetic);
    let overloads = [Arc::new(Overload {
        callable: callable.clone().unbind(),
        accepts: Vec::new(),
        least: 0,
        most: MAX_PARAMETERS,
        signature: String::new(),
        doc: String::new(),
    })];
    #[expect(deprecated, reason = "marked volatile, not deprecated; the only way to a native function pointer")]
    let pointer = FnPtr::from_fn(if plain { name.as_str() } else { "python" }, move |context, arguments| {
        macro_rules! call_with {
            ($($count:literal)*) => {
                match arguments.len() {
                    $($count => dispatch::<$count>(
                        &context, &overloads, array::from_fn(|index| mem::take(&mut *arguments[index])),
                    ),)*
                    many => {
                        let message = format!("{many} arguments are too many: {MAX_PARAMETERS} are the most");
                        Err(EvalAltResult::from(message).into())
                    }
                }
            };
        }
        call_with!(0 1 2 3 4 5 6 7 8 9 10 11 12)
    });
    pointer.map_err(|error| PyValueError::new_err(error.to_string()))
}
