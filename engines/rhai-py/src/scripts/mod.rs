//! Scripts before they run: compiled programs, their cache, and the modules that scripts may import.

pub mod cache;
pub mod library;
pub mod modules;
pub mod program;
pub mod script;
