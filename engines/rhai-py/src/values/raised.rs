//! `Raised`: an exception of a Python callback on its way through a script.
//!
//! A script can catch it, read it and throw it again. If no script catches it, the same exception leaves `eval`.

use std::sync::Arc;

use pyo3::prelude::*;
use rhai::{FuncRegistration, Module};

use crate::bounds::stack;

/// The exception.
#[derive(Clone)]
pub struct Raised(pub Arc<PyErr>);

impl Raised {
    fn read(&self, part: fn(&Bound<'_, PyAny>) -> PyResult<String>) -> String {
        let text = stack::at_home(|| Python::try_attach(|py| part(self.0.value(py).as_any())));
        text.and_then(Result::ok).unwrap_or_default()
    }

    fn message(&self) -> String {
        self.read(|error| error.str()?.extract())
    }

    fn kind(&self) -> String {
        self.read(|error| error.get_type().name()?.extract())
    }
}

/// Registers what a script can do with a caught exception.
pub fn register(module: &mut Module) {
    module.set_custom_type::<Raised>("exception");
    module.set_getter_fn("message", |raised: &mut Raised| Ok(raised.message()));
    module.set_getter_fn("kind", |raised: &mut Raised| Ok(raised.kind()));
    for name in ["to_string", "to_debug", "print", "debug"] {
        let function = FuncRegistration::new(name).with_purity(true);
        function.set_into_module(module, |raised: &mut Raised| format!("{}: {}", raised.kind(), raised.message()));
    }
}
