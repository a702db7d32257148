//! `sleep`, which ends when the run must end.

use std::time::Duration;

use rhai::Module;

use crate::bounds::current::{self, Answer};

/// A thousand years. `Duration::from_secs_f64` panics above about 1.8e19 seconds; the crate's own `sleep` does not
/// check that.
const LONGEST_SLEEP_S: f64 = 3.2e10;

/// Registers `sleep` for integers and floats.
pub fn register(module: &mut Module) {
    module.set_native_fn("sleep", |seconds: i64| {
        #[expect(clippy::cast_precision_loss, reason = "a second more or less in 285 million years")]
        sleep(seconds as f64)
    });
    module.set_native_fn("sleep", sleep);
}

fn sleep(seconds: f64) -> Answer<()> {
    // The crate's own `sleep` also returns immediately for zero, negative numbers, NaN and infinity.
    if !seconds.is_normal() || seconds < 0.0 {
        return Ok(());
    }
    let wanted = Duration::from_secs_f64(seconds.min(LONGEST_SLEEP_S));
    match current::with(|frame| frame.watch.sleep(wanted)) {
        Some(false) => Err(current::terminated()),
        _ => Ok(()),
    }
}
