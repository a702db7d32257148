//! Values on both sides: Python objects as values of scripts, values of scripts as Python objects.
//!
//! README.md has the table of types. `from_py` and `callable` use each other: a Python callable becomes a value of a
//! script, and calling that value converts arguments and result. All other imports in the crate are free of circles.

pub mod callable;
pub mod decimal;
pub mod depth;
pub mod from_py;
pub mod function;
pub mod opaque;
pub mod package;
pub mod prefix;
pub mod raised;
pub mod size;
pub mod to_py;
