//! Checks of the budget of the current run, for functions that can allocate any amount of memory in one operation.
//!
//! The meter notices an exceeded budget at the next operation. That is too late for `"x".pad(1 << 40)`, because a
//! request that the system cannot serve aborts the process. So such functions compute what they will need and call
//! one of the `fits` functions first, or write through `BudgetText`.

use std::fmt;

use rhai::{EvalAltResult, ImmutableString, Position};

use crate::bounds::current::{self, Answer};
use crate::bounds::meter;
use crate::bounds::stop::Stop;
use crate::builtins::exact::ExactText;

/// Smaller requests are not tested before they are made.
const TESTED_BYTES: usize = 1 << 20;

/// The crate's error for data beyond a limit.
fn too_large(what: &str) -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge(what.into(), Position::NONE).into()
}

/// Fails if `bytes` do not fit the memory budget. `None` stands for a number that overflowed.
pub fn fits(bytes: Option<usize>, what: &str) -> Answer<()> {
    match bytes {
        Some(bytes) if bytes <= meter::room() && can_be_had(bytes) => Ok(()),
        Some(bytes) if bytes <= meter::room() => Err(too_large(what)),
        _ => {
            // The run ends in any case; marked, it says which limit it was.
            meter::exceed_memory();
            Err(too_large(what))
        }
    }
}

/// Whether the system grants a block of this size now. It may refuse under a limit of the address space, and a refused
/// request that was not tested ends the process.
fn can_be_had(bytes: usize) -> bool {
    bytes < TESTED_BYTES || Vec::<u8>::new().try_reserve_exact(bytes).is_ok()
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

/// Work of one item of a loop besides the bytes that it touches.
pub const ITEM_WORK: usize = 16;

/// Text that grows within the budget of the run. Once the text would exceed it, the rest is dropped and the run is
/// marked, so that its next operation ends it.
#[derive(Default)]
pub struct BudgetText {
    text: ExactText,
    full: bool,
}

impl BudgetText {
    /// Whether further text is dropped.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Drops further text and marks the run.
    pub fn stop(&mut self, why: Stop) {
        self.full = true;
        meter::exceed(why);
    }

    /// Appends `part`.
    pub fn put(&mut self, part: impl fmt::Display) {
        // Fails if the text is full, which ends the formatting of `part`.
        let _full = fmt::Write::write_fmt(self, format_args!("{part}"));
    }

    /// A text that will have about `bytes` bytes.
    pub fn sized(bytes: usize) -> Self {
        Self { text: ExactText::sized(bytes), full: false }
    }

    /// The text so far.
    pub fn into_text(self) -> ImmutableString {
        self.text.into_text()
    }

    /// Fails if the text cannot take `more` bytes. A large buffer is not copied when it grows, so what counts is what
    /// is added.
    fn check_room(&self, more: usize) -> Result<(), Stop> {
        if self.text.len().saturating_add(more) > meter::string_limit() {
            return Err(Stop::String);
        }
        if self.text.growth(more) > meter::room() { Err(Stop::Memory) } else { Ok(()) }
    }
}

impl fmt::Write for BudgetText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if self.full {
            return Err(fmt::Error);
        }
        if let Err(why) = self.check_room(part.len()) {
            self.stop(why);
            return Err(fmt::Error);
        }
        if current::spend(part.len() + ITEM_WORK).is_err() {
            self.full = true;
            return Err(fmt::Error);
        }
        self.text.push(part);
        Ok(())
    }
}
