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

use std::mem::ManuallyDrop;
use std::sync::Arc;

use rhai::{Engine, Module};

use crate::bounds::stack;
use crate::values::depth;

/// The constants of a run.
#[derive(Clone)]
pub struct Constants {
    module: ManuallyDrop<Arc<Module>>,
    /// Whether a constant is a function of a script, which may have captured deep values.
    hold_pointers: bool,
}

impl Constants {
    /// Constants that a module holds as its variables.
    pub fn new(module: Module) -> Self {
        let hold_pointers = module.iter_var().any(|(_, value)| depth::holds_pointer(value));
        Self { module: ManuallyDrop::new(Arc::new(module)), hold_pointers }
    }

    /// Registers them with the engine of a run. `captures` says whether the script may create closures.
    pub fn register(&self, engine: &mut Engine, captures: bool) {
        if captures || self.hold_containers() {
            resolve(engine, Arc::clone(&self.module));
        }
        engine.register_global_module(Arc::clone(&self.module));
    }

    fn hold_containers(&self) -> bool {
        self.module.iter_var().any(|(_, value)| value.is_array() || value.is_map() || value.is_blob())
    }
}

impl Drop for Constants {
    fn drop(&mut self) {
        // SAFETY: nothing uses the module after its drop.
        let module = unsafe { ManuallyDrop::take(&mut self.module) };
        if self.hold_pointers {
            stack::on_large(|_| drop(module), |()| true);
        }
    }
}

fn resolve(engine: &mut Engine, constants: Arc<Module>) {
    #[expect(deprecated, reason = "marked volatile, not deprecated; it is the only hook that captures respect")]
    engine.on_var(move |name, index, context| {
        let in_scope = index > 0 || context.scope().contains(name);
        Ok(if in_scope { None } else { constants.get_var(name) })
    });
}
