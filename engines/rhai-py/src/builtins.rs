//! Functions of our own in place of functions of the crate that cannot be interrupted or that abort the process.
//!
//! Registered in front of the standard package, so they win. Invariant: none blocks longer than the deadline of the
//! run, and none panics on any argument.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rhai::packages::{Package, StandardPackage};
use rhai::{EvalAltResult, Module, Shared};

use crate::{current, equal, guards, host, opaque, text};

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// A thousand years. `Duration::from_secs_f64` panics above about 1.8e19 seconds, which the crate's own `sleep` does
/// not check.
const LONGEST_SLEEP_S: f64 = 3.2e10;

static STANDARD: LazyLock<Shared<Module>> = LazyLock::new(|| StandardPackage::new().as_shared_module());
static OVERRIDES: LazyLock<Shared<Module>> = LazyLock::new(|| {
    let mut module = Module::new();
    module.set_native_fn("sleep", |seconds: i64| {
        #[expect(clippy::cast_precision_loss, reason = "a second more or less in 285 million years")]
        sleep(seconds as f64)
    });
    module.set_native_fn("sleep", sleep);
    guards::register(&mut module);
    text::register(&mut module);
    equal::register(&mut module);
    host::register_raised(&mut module);
    opaque::register(&mut module);
    module.build_index();
    Arc::new(module)
});

/// The modules of every engine, in the order in which they are registered: later ones win.
pub fn modules() -> [Shared<Module>; 2] {
    [STANDARD.clone(), OVERRIDES.clone()]
}

fn sleep(seconds: f64) -> Answer<()> {
    // The same arguments return at once as in the crate's own `sleep`: nothing, less than nothing, NaN, infinity.
    if !seconds.is_normal() || seconds < 0.0 {
        return Ok(());
    }
    let wanted = Duration::from_secs_f64(seconds.min(LONGEST_SLEEP_S));
    match current::with(|frame| frame.watch.sleep(wanted)) {
        Some(false) => Err(current::terminated()),
        _ => Ok(()),
    }
}
