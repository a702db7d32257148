//! The two kinds of functions that this room registers.

use rhai::FuncRegistration;

/// A function that leaves its first argument unchanged, so a script may call it on a constant.
pub fn pure(name: &str) -> FuncRegistration {
    FuncRegistration::new(name).with_purity(true)
}

/// A function that changes its first argument, so a script cannot call it on a constant.
/// `Module::set_native_fn` does not check that.
pub fn mutating(name: &str) -> FuncRegistration {
    FuncRegistration::new(name).in_internal_namespace().with_purity(false)
}
