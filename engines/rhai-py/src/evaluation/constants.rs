//! Making the constants of a run visible everywhere in its script.
//!
//! They are variables of a module in the global namespace, so functions and imported modules see them as well; a scope
//! would hide them from functions. Two cases need more, a variable resolver:
//!
//! - A closure captures each name that it does not define. It looks in the scope only and fails if the name is not
//!   there, but it skips the names that a variable resolver knows.
//! - `LIST.push(1)` on a variable of a module silently changes a copy, while the answer of a resolver is read-only.
//!
//! The crate calls the resolver for every variable, at 2-4 ns each, so only runs that need one get it.

use std::sync::Arc;

use rhai::{Engine, Module};

/// Registers `constants`. `captures` says whether the script may create closures.
pub fn register(engine: &mut Engine, constants: &Arc<Module>, captures: bool) {
    if captures || holds_containers(constants) {
        resolve(engine, constants.clone());
    }
    engine.register_global_module(constants.clone());
}

fn resolve(engine: &mut Engine, constants: Arc<Module>) {
    #[expect(deprecated, reason = "marked volatile, not deprecated; it is the only hook that captures respect")]
    engine.on_var(move |name, index, context| {
        let in_scope = index > 0 || context.scope().contains(name);
        Ok(if in_scope { None } else { constants.get_var(name) })
    });
}

fn holds_containers(constants: &Module) -> bool {
    constants.iter_var().any(|(_, value)| value.is_array() || value.is_map() || value.is_blob())
}
