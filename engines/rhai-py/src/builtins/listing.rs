//! A list of all built-in functions with the types of their parameters.
//!
//! The tests call each function of the list with large arguments, so a function that a new version of the crate adds
//! is tested as well.

use std::any::TypeId;
use std::ops::{Range, RangeInclusive};
use std::time::Instant;

use rhai::{Array, Blob, Dynamic, Engine, FnPtr, ImmutableString, Map, Module, Shared};
use rust_decimal::Decimal;

/// A function and the names of the types of its parameters; `?` stands for a type that only natives make.
type Listed = (String, Vec<&'static str>);

/// The functions of the modules.
pub fn functions(modules: impl IntoIterator<Item = Shared<Module>>) -> Vec<Listed> {
    let mut engine = Engine::new_raw();
    for module in modules {
        engine.register_global_module(module);
    }
    engine.collect_fn_metadata(
        None,
        |info| {
            let function = info.metadata;
            Some((function.name.to_string(), function.param_types.iter().map(type_name).collect()))
        },
        true,
    )
}

fn type_name(id: &TypeId) -> &'static str {
    let known = [
        (TypeId::of::<Dynamic>(), "dynamic"),
        (TypeId::of::<()>(), "()"),
        (TypeId::of::<bool>(), "bool"),
        (TypeId::of::<i64>(), "i64"),
        (TypeId::of::<f64>(), "f64"),
        (TypeId::of::<Decimal>(), "decimal"),
        (TypeId::of::<char>(), "char"),
        (TypeId::of::<ImmutableString>(), "string"),
        (TypeId::of::<&str>(), "string"),
        (TypeId::of::<Blob>(), "blob"),
        (TypeId::of::<Array>(), "array"),
        (TypeId::of::<Map>(), "map"),
        (TypeId::of::<FnPtr>(), "function"),
        (TypeId::of::<Range<i64>>(), "range"),
        (TypeId::of::<RangeInclusive<i64>>(), "inclusive range"),
        (TypeId::of::<Instant>(), "timestamp"),
    ];
    known.iter().find(|(known, _)| known == id).map_or("?", |(_, name)| name)
}
