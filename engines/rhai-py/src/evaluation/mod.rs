//! Evaluation: the `Engine` class, and what happens between a call from Python and its result.
//!
//! `engine` (the Python class) calls `entry` (starts the clock, releases the interpreter lock, converts the result),
//! which calls `evaluate` (runs the script), which runs inside of `bounded` (stack, memory, panics). `core` is the
//! state that all evaluations of an engine share.

pub mod bounded;
pub mod compile;
pub mod constants;
pub mod core;
pub mod engine;
pub mod entry;
pub mod evaluate;
pub mod host;
pub mod output;
pub mod run;
