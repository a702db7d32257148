//! The reasons for which a run is stopped.
//!
//! The watch stores the reason as a number in an atomic, and the meter stores which budget is exceeded.

/// Why a run was stopped by something other than an error of the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stop {
    /// Nothing stopped it.
    None = 0,
    /// The deadline passed.
    Timeout,
    /// `Run.cancel()` was called.
    Cancelled,
    /// The script performed more than `Limits.operations`.
    Operations,
    /// A Python exception is waiting: Ctrl-C, or an error of a print callback.
    Raised,
    /// The script holds more than `Limits.memory_bytes`.
    Memory,
    /// A string is larger than `Limits.string_bytes`.
    String,
    /// An array or a blob is larger than `Limits.array_items`.
    Array,
    /// Object maps hold more than `Limits.map_items`.
    Map,
    /// Evaluation is nested too deeply for the stack.
    Stack,
    /// There are so many containers that their nesting might exhaust the stack.
    Containers,
    /// The system refused memory.
    Refused,
}

/// The variants in the order of their numbers.
const BY_NUMBER: [Stop; 12] = [
    Stop::None,
    Stop::Timeout,
    Stop::Cancelled,
    Stop::Operations,
    Stop::Raised,
    Stop::Memory,
    Stop::String,
    Stop::Array,
    Stop::Map,
    Stop::Stack,
    Stop::Containers,
    Stop::Refused,
];

impl Stop {
    /// The variant with this number.
    pub fn of_number(number: u8) -> Self {
        BY_NUMBER[usize::from(number)]
    }
}
