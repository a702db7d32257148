//! The functions of strings, within the budget and the deadline of the run.

use rhai::Module;

pub mod case;
pub mod characters;
pub mod parts;
pub mod pieces;
pub mod search;

/// Registers the functions.
pub fn register(module: &mut Module) {
    pieces::register(module);
    case::register(module);
    characters::register(module);
    parts::register(module);
    search::register(module);
}
