//! `==` and `!=` of arrays and maps, with small stack frames and regular looks at the deadline.
//!
//! The crate compares nested containers through a full native call per level, with about 2.5 KiB of stack each. That
//! would limit the depth of all data for the sake of a rare operation. The answers are the crate's own: items of
//! different types are unequal in an array, but an error in a map unless a function compares them.

use rhai::{Array, Blob, Dynamic, EvalAltResult, ImmutableString, Map, Module, NativeCallContext};

use crate::bounds::current::{self, Answer};
use crate::builtins::budget::ITEM_WORK;
use crate::builtins::registration::pure;

/// Registers the operators.
pub fn register(module: &mut Module) {
    pure("==").set_into_module(module, |context: NativeCallContext<'_>, a: &mut Array, b: Array| {
        Comparison::new(&context).arrays(a, &b)
    });
    pure("!=").set_into_module(module, |context: NativeCallContext<'_>, a: &mut Array, b: Array| {
        Comparison::new(&context).arrays(a, &b).map(|equal| !equal)
    });
    pure("==").set_into_module(module, |context: NativeCallContext<'_>, a: &mut Map, b: Map| {
        Comparison::new(&context).maps(a, &b)
    });
    pure("!=").set_into_module(module, |context: NativeCallContext<'_>, a: &mut Map, b: Map| {
        Comparison::new(&context).maps(a, &b).map(|equal| !equal)
    });
}

/// A comparison of values, which counts its work.
pub struct Comparison<'a> {
    context: &'a NativeCallContext<'a>,
}

impl<'a> Comparison<'a> {
    /// A comparison that finds the operators of other types through `context`.
    pub fn new(context: &'a NativeCallContext<'a>) -> Self {
        Self { context }
    }

    /// Whether two items are equal; those of different types that no function compares are not.
    pub fn items_of_any_type(&mut self, a: &Dynamic, b: &Dynamic) -> Answer<bool> {
        self.items(a, b).or_else(|error| match *error {
            EvalAltResult::ErrorFunctionNotFound(ref name, _)
                if name.starts_with("==") && a.type_id() != b.type_id() =>
            {
                Ok(false)
            }
            _ => Err(error),
        })
    }

    fn arrays(&mut self, a: &Array, b: &Array) -> Answer<bool> {
        if a.len() != b.len() {
            return Ok(false);
        }
        for (a, b) in a.iter().zip(b) {
            if !self.items_of_any_type(a, b)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn maps(&mut self, a: &Map, b: &Map) -> Answer<bool> {
        if a.len() != b.len() {
            return Ok(false);
        }
        for (key, a) in a {
            match b.get(key) {
                Some(b) if self.items(a, b)? => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Whether two items are equal.
    pub fn items(&mut self, a: &Dynamic, b: &Dynamic) -> Answer<bool> {
        current::spend(ITEM_WORK)?;
        if let (Ok(a), Ok(b)) = (a.as_int(), b.as_int()) {
            return Ok(a == b);
        }
        if let (Some(a), Some(b)) = (a.read_lock::<Array>(), b.read_lock::<Array>()) {
            return self.arrays(&a, &b);
        }
        if let (Some(a), Some(b)) = (a.read_lock::<Map>(), b.read_lock::<Map>()) {
            return self.maps(&a, &b);
        }
        if let (Some(a), Some(b)) = (a.read_lock::<ImmutableString>(), b.read_lock::<ImmutableString>()) {
            if a.len() != b.len() {
                return Ok(false);
            }
            current::spend(a.len())?;
            return Ok(*a == *b);
        }
        if let (Some(a), Some(b)) = (a.read_lock::<Blob>(), b.read_lock::<Blob>()) {
            if a.len() != b.len() {
                return Ok(false);
            }
            current::spend(a.len())?;
            return Ok(*a == *b);
        }
        self.others(a, b)
    }

    #[inline(never)]
    fn others(&self, a: &Dynamic, b: &Dynamic) -> Answer<bool> {
        let (mut a, mut b) = (a.clone(), b.clone());
        let equal = self.context.call_native_fn_raw("==", true, &mut [&mut a, &mut b])?;
        Ok(equal.as_bool().unwrap_or(false))
    }
}
