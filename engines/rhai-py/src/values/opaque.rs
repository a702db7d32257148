//! Values that the other side only passes on: Python objects in scripts, moments of a script's clock in Python.

use std::sync::Arc;
use std::time::Instant;

use pyo3::prelude::*;
use rhai::{FuncRegistration, Module};

use crate::bounds::stack;

/// A Python object in a script. The script can only pass it on, compare it by identity and print it.
#[derive(Clone)]
pub struct Opaque(pub Arc<Py<PyAny>>);

/// A moment of a script's monotonic clock.
#[pyclass(frozen, module = "rhai")]
pub struct Timestamp {
    /// The moment.
    pub instant: Instant,
}

#[pymethods]
impl Timestamp {
    /// Seconds since that moment; negative if the moment is in the future.
    #[getter]
    fn elapsed_s(&self) -> f64 {
        match self.instant.elapsed() {
            elapsed if elapsed.is_zero() => -self.instant.saturating_duration_since(Instant::now()).as_secs_f64(),
            elapsed => elapsed.as_secs_f64(),
        }
    }

    fn __repr__(&self) -> String {
        format!("<rhai.Timestamp {:.6} s ago>", self.elapsed_s())
    }
}

/// Registers what a script can do with an opaque object.
pub fn register(module: &mut Module) {
    module.set_custom_type::<Opaque>("object");
    module.set_native_fn("==", |a: Opaque, b: Opaque| Ok(a.0.is(&*b.0)));
    module.set_native_fn("!=", |a: Opaque, b: Opaque| Ok(!a.0.is(&*b.0)));
    for name in ["to_string", "to_debug", "print", "debug"] {
        FuncRegistration::new(name).with_purity(true).set_into_module(module, |object: &mut Opaque| {
            let shown = stack::at_home(|| Python::try_attach(|py| object.0.bind(py).repr()?.extract::<String>()));
            shown.and_then(Result::ok).unwrap_or_else(|| "object".into())
        });
    }
}
