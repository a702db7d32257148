//! `Host`: the registry of the Python functions that scripts may call by name.
//!
//! A registration makes a new registry that replaces the old one, so each run sees one state of it. For each name and
//! number of arguments, the registry puts one native function into a module of the crate; `values/callable.rs` picks
//! the overload and calls it. Invariant: no Python code runs while a lock of the registry is held.

use std::collections::BTreeMap;
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rhai::{Dynamic, Engine, FnNamespace, FuncRegistration, Module, NativeCallContext, Shared};

use crate::values::callable::{MAX_PARAMETERS, Overload, dispatch};

/// The overloads by module (empty: global) and name; the latest comes first.
type Functions = BTreeMap<(String, String), Vec<Arc<Overload>>>;

/// The registered functions.
#[derive(Default)]
pub struct Host {
    functions: Functions,
    /// What `register` gives to an engine, built from `functions`.
    modules: Vec<(String, Shared<Module>)>,
}

impl Host {
    /// Registers the functions with a crate engine.
    pub fn register(&self, engine: &mut Engine) {
        for (name, module) in &self.modules {
            if name.is_empty() {
                engine.register_global_module(module.clone());
            } else {
                engine.register_static_module(name, module.clone());
            }
        }
    }

    /// A registry with one more callable. `module` is empty for a global function.
    pub fn with(&self, module: &str, name: &str, callable: &Bound<'_, PyAny>) -> PyResult<Self> {
        let module_name = (!module.is_empty()).then_some(module);
        if let Some(bad) = [name].into_iter().chain(module_name).find(|text| !is_identifier(text)) {
            let message =
                format!("{bad:?} is not a name that a script can call; use letters, digits and _, and no digit first");
            return Err(PyValueError::new_err(message));
        }
        let overload = Overload::describe(name, callable)?;
        let mut functions = self.functions.clone();
        functions.entry((module.into(), name.into())).or_default().insert(0, Arc::new(overload));
        let modules = build_modules(&functions);
        Ok(Self { functions, modules })
    }

    /// The functions as a `.d.rhai` file, which Rhai's language server reads.
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

fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn build_modules(functions: &Functions) -> Vec<(String, Shared<Module>)> {
    let mut modules: BTreeMap<&str, Module> = BTreeMap::new();
    for ((module, name), overloads) in functions {
        let target = modules.entry(module).or_default();
        for arity in 0..=MAX_PARAMETERS {
            let fitting: Vec<_> = overloads.iter().filter(|overload| overload.takes_count(arity)).cloned().collect();
            if !fitting.is_empty() {
                // A script calls the functions of a named module by their path only.
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
