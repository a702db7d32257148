//! The built-in functions of scripts: the standard package of the Rhai crate, with unsafe ones replaced.
//!
//! The replacements answer exactly as the crate's functions do (the conformance corpus compares them). They differ in
//! three ways: they respect the budget and the deadline of the run, use little stack per level of nested data, and
//! never panic. Every engine registers them after the standard package, so they take precedence.

use std::sync::{Arc, LazyLock};

use rhai::packages::{Package, StandardPackage};
use rhai::{Module, Shared};

use crate::values::{opaque, raised};

pub mod blobs;
pub mod budget;
pub mod containers;
pub mod equal;
pub mod exact;
pub mod json;
pub mod listing;
pub mod registration;
pub mod sleep;
pub mod sorting;
pub mod strings;
pub mod text;

static STANDARD: LazyLock<Shared<Module>> = LazyLock::new(|| StandardPackage::new().as_shared_module());
static REPLACEMENTS: LazyLock<Shared<Module>> = LazyLock::new(|| {
    let mut module = Module::new();
    sleep::register(&mut module);
    containers::register(&mut module);
    strings::register(&mut module);
    text::register(&mut module);
    json::register(&mut module);
    equal::register(&mut module);
    blobs::register(&mut module);
    sorting::register(&mut module);
    raised::register(&mut module);
    opaque::register(&mut module);
    module.build_index();
    Arc::new(module)
});

/// The modules of every engine, in the order of registration: the crate prefers later ones.
pub fn modules() -> [Shared<Module>; 2] {
    [STANDARD.clone(), REPLACEMENTS.clone()]
}
