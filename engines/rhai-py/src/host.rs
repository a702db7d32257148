//! Functions of Python that scripts may call.
//!
//! A registry that is replaced as a whole when something is registered, so that a run sees one state of it. For each
//! name and number of arguments one native function is put into a module of the crate; it picks the overload by the
//! annotations, converts, calls, and converts back. An exception becomes an error that the script can catch and that,
//! uncaught, comes out as the same exception; one that is no `Exception` (Ctrl-C, `SystemExit`) ends the run.
//! Invariant: Python runs on the thread's own stack, attached, and never while a lock of this module is held.

use std::collections::BTreeMap;
use std::sync::Arc;

use pyo3::exceptions::{PyException, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use rhai::{
    Dynamic, Engine, EvalAltResult, FnNamespace, FnPtr, FuncRegistration, Module, NativeCallContext, Position, Shared,
};

use crate::core::Origin;
use crate::{current, from_py, stack, to_py};

type Answer = Result<Dynamic, Box<EvalAltResult>>;

/// Most parameters of a function; the crate looks functions up by the combination of their types, which is why it
/// stops at 16, and a script with more than 12 arguments wants a map.
const MAX_PARAMETERS: usize = 12;

/// What a parameter accepts.
enum Want {
    /// Anything.
    Any,
    /// `int`, also from nothing else.
    Int,
    /// `float`, also from `int`.
    Float,
    /// `str`
    Str,
    /// `bool`
    Bool,
    /// Called with the converted value; returns what is passed on, or raises `TypeError` or `ValueError`.
    Convert(Py<PyAny>),
}

/// One registered callable.
struct Overload {
    callable: Py<PyAny>,
    wants: Vec<Want>,
    least: usize,
    most: usize,
    /// For the definitions of editors.
    signature: String,
    doc: String,
}

/// The registered functions.
#[derive(Default)]
pub struct Host {
    /// Overloads by module (empty: global) and name, the latest first.
    functions: BTreeMap<(String, String), Vec<Arc<Overload>>>,
    /// Built from the above.
    modules: Vec<(String, Shared<Module>)>,
}

/// An exception of a callback on its way through a script.
#[derive(Clone)]
pub struct Raised(pub Arc<PyErr>);

impl Host {
    /// Makes the functions known to an engine.
    pub fn register(&self, engine: &mut Engine) {
        for (name, module) in &self.modules {
            if name.is_empty() {
                engine.register_global_module(module.clone());
            } else {
                engine.register_static_module(name, module.clone());
            }
        }
    }

    /// This registry and one more callable.
    pub fn with(&self, module: &str, name: &str, callable: &Bound<'_, PyAny>) -> PyResult<Self> {
        let identifier = |text: &str| {
            let mut chars = text.chars();
            chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if !identifier(name) || !(module.is_empty() || identifier(module)) {
            return Err(PyValueError::new_err(format!("{name:?} is not a name that a script can call")));
        }
        let overload = Overload::describe(name, callable)?;
        let mut functions = self.functions.clone();
        functions.entry((module.into(), name.into())).or_default().insert(0, Arc::new(overload));
        let modules = build_modules(&functions);
        Ok(Self { functions, modules })
    }

    /// The functions as declarations that Rhai's language server reads.
    pub fn definitions(&self) -> String {
        let mut text = String::from("module static;\n");
        for ((module, _), overloads) in &self.functions {
            for overload in overloads {
                let doc: String = overload.doc.lines().map(|line| format!("/// {}\n", line.trim())).collect();
                let open = if module.is_empty() { String::new() } else { format!("// in module {module}\n") };
                text.push_str(&format!("\n{open}{doc}fn {};\n", overload.signature));
            }
        }
        text
    }
}

fn build_modules(functions: &BTreeMap<(String, String), Vec<Arc<Overload>>>) -> Vec<(String, Shared<Module>)> {
    let mut modules: BTreeMap<&str, Module> = BTreeMap::new();
    for ((module, name), overloads) in functions {
        let target = modules.entry(module).or_default();
        for arity in 0..=MAX_PARAMETERS {
            let fitting: Vec<_> = overloads.iter().filter(|o| o.least <= arity && arity <= o.most).cloned().collect();
            if !fitting.is_empty() {
                // What a named module holds is called by its path only.
                let namespace = if module.is_empty() { FnNamespace::Global } else { FnNamespace::Internal };
                put(target, name, namespace, arity, fitting);
            }
        }
    }
    let build = |(name, mut module): (&str, Module)| {
        module.build_index();
        (name.to_string(), Shared::new(module))
    };
    modules.into_iter().map(build).collect()
}

/// Registers a native function with `arity` parameters of any type.
fn put(module: &mut Module, name: &str, namespace: FnNamespace, arity: usize, overloads: Vec<Arc<Overload>>) {
    let function = FuncRegistration::new(name).with_namespace(namespace).with_volatility(true);
    macro_rules! with_parameters {
        ($($parameter:ident)*) => {
            function.set_into_module(module, move |context: NativeCallContext<'_>, $($parameter: Dynamic),*| {
                dispatch(&context, &overloads, [$($parameter),*])
            })
        };
    }
    match arity {
        0 => with_parameters!(),
        1 => with_parameters!(a),
        2 => with_parameters!(a b),
        3 => with_parameters!(a b c),
        4 => with_parameters!(a b c d),
        5 => with_parameters!(a b c d e),
        6 => with_parameters!(a b c d e f),
        7 => with_parameters!(a b c d e f g),
        8 => with_parameters!(a b c d e f g h),
        9 => with_parameters!(a b c d e f g h i),
        10 => with_parameters!(a b c d e f g h i j),
        11 => with_parameters!(a b c d e f g h i j k),
        _ => with_parameters!(a b c d e f g h i j k l),
    };
}

fn dispatch<const N: usize>(
    context: &NativeCallContext<'_>,
    overloads: &[Arc<Overload>],
    arguments: [Dynamic; N],
) -> Answer {
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
        let called = stack::at_home(|| Python::try_attach(|py| overload.call(py, frame.origin, arguments)));
        match called {
            Some(Ok(value)) => Ok(value),
            Some(Err((error, true))) => {
                let value = Dynamic::from(Raised(Arc::new(error)));
                Err(EvalAltResult::ErrorRuntime(value, Position::NONE).into())
            }
            Some(Err((error, false))) => {
                frame.watch.raise(error);
                Err(current::terminated())
            }
            // The interpreter is shutting down; nobody is left to ask for the result.
            None => Err(current::terminated()),
        }
    })
    .unwrap_or_else(|| Err(current::terminated()))
}

impl Overload {
    fn describe(name: &str, callable: &Bound<'_, PyAny>) -> PyResult<Self> {
        if !callable.is_callable() {
            let class = callable.get_type().fully_qualified_name()?;
            return Err(PyTypeError::new_err(format!("a function is a callable, not {class}")));
        }
        let described = callable.py().import("rhai._signature")?.call_method1("describe", (name, callable))?;
        let (least, most, wants, signature, doc): (usize, Option<usize>, Vec<Bound<'_, PyAny>>, String, String) =
            described.extract()?;
        if least > MAX_PARAMETERS || wants.len() > MAX_PARAMETERS {
            return Err(PyTypeError::new_err(format!("{name} takes more than {MAX_PARAMETERS} parameters")));
        }
        let wants = wants.into_iter().map(Want::of).collect::<PyResult<_>>()?;
        let most = most.unwrap_or(MAX_PARAMETERS);
        Ok(Self { callable: callable.clone().unbind(), wants, least, most, signature, doc })
    }

    fn takes(&self, arguments: &[Dynamic]) -> bool {
        arguments.iter().zip(&self.wants).all(|(argument, want)| match want {
            Want::Any | Want::Convert(_) => true,
            Want::Int => argument.is_int(),
            Want::Float => argument.is_float() || argument.is_int(),
            Want::Str => argument.is_string() || argument.is_char(),
            Want::Bool => argument.is_bool(),
        })
    }

    /// The error is told apart by whether the script may catch it.
    fn call<const N: usize>(
        &self,
        py: Python<'_>,
        origin: Option<&Origin>,
        arguments: [Dynamic; N],
    ) -> Result<Dynamic, (PyErr, bool)> {
        let called = || {
            let mut converted = Vec::with_capacity(N);
            for (index, argument) in arguments.into_iter().enumerate() {
                let value = to_py::convert(py, &argument, origin)?;
                converted.push(self.wants.get(index).unwrap_or(&Want::Any).admit(value.into_bound(py), index)?);
            }
            let result = self.callable.bind(py).call1(PyTuple::new(py, converted)?)?;
            from_py::convert(&result)
        };
        called().map_err(|error| {
            let catchable = error.is_instance_of::<PyException>(py);
            (error, catchable)
        })
    }
}

impl Want {
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
        use pyo3::types::{PyBool, PyFloat, PyInt};
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

/// What a script can do with a caught exception.
pub fn register_raised(module: &mut Module) {
    fn text(raised: &Raised, part: fn(&Bound<'_, PyAny>) -> PyResult<String>) -> String {
        let read = stack::at_home(|| Python::try_attach(|py| part(raised.0.value(py).as_any())));
        read.and_then(Result::ok).unwrap_or_default()
    }
    fn message(raised: &mut Raised) -> String {
        text(raised, |error| error.str()?.extract())
    }
    fn kind(raised: &mut Raised) -> String {
        text(raised, |error| error.get_type().name()?.extract())
    }
    module.set_custom_type::<Raised>("exception");
    module.set_getter_fn("message", |raised: &mut Raised| Ok(message(raised)));
    module.set_getter_fn("kind", |raised: &mut Raised| Ok(kind(raised)));
    for name in ["to_string", "to_debug", "print", "debug"] {
        let function = FuncRegistration::new(name).with_purity(true);
        function.set_into_module(module, |raised: &mut Raised| format!("{}: {}", kind(raised), message(raised)));
    }
}

/// A callable of Python as a value of a script.
pub fn pointer_to(callable: &Bound<'_, PyAny>) -> PyResult<FnPtr> {
    let name = callable.getattr("__name__").and_then(|name| name.extract::<String>()).unwrap_or_default();
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && name.starts_with(char::is_alphabetic);
    let overload = Overload {
        callable: callable.clone().unbind(),
        wants: Vec::new(),
        least: 0,
        most: MAX_PARAMETERS,
        signature: String::new(),
        doc: String::new(),
    };
    let overloads = [Arc::new(overload)];
    #[expect(deprecated, reason = "marked volatile, not deprecated; the only way to a native function pointer")]
    let pointer = FnPtr::from_fn(if plain { name.as_str() } else { "python" }, move |context, arguments| {
        macro_rules! call_with {
            ($($count:literal)*) => {
                match arguments.len() {
                    $($count => dispatch::<$count>(
                        &context, &overloads, std::array::from_fn(|index| std::mem::take(&mut *arguments[index])),
                    ),)*
                    many => Err(EvalAltResult::from(format!("{many} arguments are too many")).into()),
                }
            };
        }
        call_with!(0 1 2 3 4 5 6 7 8 9 10 11 12)
    });
    pointer.map_err(|error| PyValueError::new_err(error.to_string()))
}
