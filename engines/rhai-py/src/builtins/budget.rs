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
        _ => Err(too_large(what)),
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
/// Longer texts give the unused part of their buffer back.
const TRIMMED_BYTES: usize = 4096;

/// Text that grows within the budget of the run. Once the text would exceed it, the rest is dropped and the run is
/// marked, so that its next operation ends it.
#[derive(Default)]
pub struct BudgetText {
    text: String,
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

    /// The text so far.
    pub fn into_string(mut self) -> String {
        if self.text.capacity() > TRIMMED_BYTES.max(self.text.len() + self.text.len() / 8) {
            self.text.shrink_to_fit();
        }
        self.text
    }

    /// Makes room for `more` bytes. A large buffer is not copied when it grows, so what counts is what is added.
    fn make_room(&mut self, more: usize) -> Result<(), Stop> {
        let (len, capacity) = (self.text.len(), self.text.capacity());
        let need = len.saturating_add(more);
        if need > meter::string_limit() {
            return Err(Stop::String);
        }
        if need > capacity {
            let most = capacity.saturating_add(meter::room());
            // Twice the size if it fits, so that a text is not moved at each part; what fits exactly otherwise.
            let wanted = need.max(capacity.saturating_mul(2)).min(meter::string_limit()).min(most);
            if need > most || self.text.try_reserve_exact(wanted - len).is_err() {
                return Err(Stop::Memory);
            }
        }
        Ok(())
    }
}

impl fmt::Write for BudgetText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if self.full {
            return Err(fmt::Error);
        }
        if let Err(why) = self.make_room(part.len()) {
            self.stop(why);
            return Err(fmt::Error);
        }
        if current::spend(part.len() + ITEM_WORK).is_err() {
            self.full = true;
            return Err(fmt::Error);
        }
        self.text.push_str(part);
        Ok(())
    }
}
