//! Checks of the budget of the current run, for functions that can allocate any amount of memory in one operation.
//!
//! The meter notices an exceeded budget at the next operation. That is too late for `"x".pad(1 << 40)`, because a
//! request that the system cannot serve aborts the process. So such functions compute what they will need and call
//! one of the `fits` functions first, or write through `BudgetText`.

use std::fmt;

use rhai::{EvalAltResult, Position};

use crate::bounds::current::{self, Answer};
use crate::bounds::meter;
use crate::bounds::stop::Stop;

/// Items between two looks at the budget and the deadline in loops that are not operations of the crate.
pub const LOOK_EVERY: usize = 1024;

/// The crate's error for data beyond a limit.
fn too_large(what: &str) -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge(what.into(), Position::NONE).into()
}

/// Fails if `bytes` do not fit the memory budget. `None` stands for a number that overflowed.
pub fn fits(bytes: Option<usize>, what: &str) -> Answer<()> {
    match bytes {
        Some(bytes) if bytes <= meter::room() => Ok(()),
        _ => Err(too_large(what)),
    }
}

/// Fails if a string of this size exceeds a limit.
pub fn fits_string(bytes: Option<usize>) -> Answer<()> {
    match bytes {
        Some(bytes) if bytes <= meter::string_limit() => fits(Some(bytes), "Length of string"),
        _ => Err(too_large("Length of string")),
    }
}

/// Fails if an array of this many items exceeds `Limits.array_items`.
pub fn fits_array_items(items: usize) -> Answer<()> {
    if items <= meter::array_limit() { Ok(()) } else { Err(too_large("Size of array/BLOB")) }
}

/// Fails if an array or blob of this size does not fit the memory budget.
pub fn fits_array_bytes(bytes: Option<usize>) -> Answer<()> {
    fits(bytes, "Size of array/BLOB")
}

/// A number of a script as a size: negative numbers count as 0.
pub fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(if number < 0 { 0 } else { usize::MAX })
}

/// Text that grows within the budget of the run. Once the text would exceed it, the rest is dropped and the run is
/// marked, so that its next operation ends it.
#[derive(Default)]
pub struct BudgetText {
    text: String,
    writes: usize,
    full: bool,
}

impl BudgetText {
    /// Whether further text is dropped.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Appends `part`.
    pub fn put(&mut self, part: impl fmt::Display) {
        // `write_str` below never fails.
        let _infallible = fmt::Write::write_fmt(self, format_args!("{part}"));
    }

    /// The text so far.
    pub fn into_string(self) -> String {
        self.text
    }
}

impl fmt::Write for BudgetText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.writes += 1;
        if self.full {
            return Ok(());
        }
        // A full buffer is copied into one of twice the size, and both exist meanwhile.
        let need =
            if self.text.capacity() - self.text.len() < part.len() { 2 * (self.text.len() + part.len()) } else { 0 };
        if need > meter::room() || self.text.len() + part.len() > meter::string_limit() {
            self.full = true;
            meter::exceed(if need > meter::room() { Stop::Memory } else { Stop::String });
            return Ok(());
        }
        if self.writes.is_multiple_of(LOOK_EVERY) && current::poll().is_err() {
            self.full = true;
            return Ok(());
        }
        self.text.push_str(part);
        Ok(())
    }
}
