//! The monotonic clock in nanoseconds, as the watch stores it in atomics.

use std::sync::LazyLock;
use std::time::Instant;

/// A time that never comes.
pub const NEVER: u64 = u64::MAX;

static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds of the monotonic clock since the first call.
pub fn now_ns() -> u64 {
    u64::try_from(BASE.elapsed().as_nanos()).unwrap_or(NEVER)
}
