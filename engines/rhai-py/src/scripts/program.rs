//! `Program`: a parsed script, with one compiled form per run that uses it simultaneously.
//!
//! `evaluation/compile.rs` makes programs. Engines, caches and `Script` objects share them.

use std::mem;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, OnceLock};

use rhai::AST;

use crate::bounds::stack;

/// The tree of a longer source may be too deep to be dropped on a small stack.
const SHORT_SOURCE_BYTES: usize = 16 << 10;
/// Compiled forms besides the first. If more runs use one script simultaneously, the others share the first form.
const TWINS: usize = 7;

/// A compiled script with its source.
pub struct Program {
    /// The text, for error messages and as the key of the cache.
    pub source: Arc<str>,
    /// The name that errors mention.
    pub name: Option<Arc<str>>,
    /// Whether it may create closures or parse while it runs; `evaluation/constants.rs` says why that matters.
    pub captures: bool,
    ast: AST,
    busy: AtomicBool,
    twins: [Twin; TWINS],
}

/// Another compiled form of the same script, made when a run first needs it.
#[derive(Default)]
struct Twin {
    busy: AtomicBool,
    ast: OnceLock<AST>,
}

/// A compiled form while a run uses it.
pub struct Lease<'a> {
    /// The compiled form.
    pub ast: &'a AST,
    busy: Option<&'a AtomicBool>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(busy) = self.busy {
            busy.store(false, Release);
        }
    }
}

impl Program {
    /// A program from its source and compiled form.
    pub fn new(source: &str, name: Option<&str>, ast: AST) -> Self {
        // A closure is written with `|`, or comes from text that `eval` parses or from an imported module.
        let captures = source.contains('|') || source.contains("eval") || source.contains("import");
        let (source, name) = (source.into(), name.map(Into::into));
        Self { source, name, captures, ast, busy: AtomicBool::new(false), twins: Default::default() }
    }

    /// A compiled form that no other run uses, unless more than `TWINS` runs use the script simultaneously.
    ///
    /// Each call of a script function counts references to its definition, and two threads that update one counter
    /// run at the speed of one (fib(27): 1.0 times one thread with a shared form, 1.9 with two). So a script that runs
    /// on several threads simultaneously is compiled once for each, with `parse`.
    pub fn lease(&self, parse: impl FnOnce() -> Option<AST>) -> Lease<'_> {
        if !self.busy.swap(true, Acquire) {
            return Lease { ast: &self.ast, busy: Some(&self.busy) };
        }
        let is_short = self.source.len() <= SHORT_SOURCE_BYTES;
        if let Some(twin) = self.twins.iter().find(|twin| is_short && !twin.busy.swap(true, Acquire)) {
            if let Some(ast) = twin.ast.get() {
                return Lease { ast, busy: Some(&twin.busy) };
            }
            if let Some(ast) = parse() {
                return Lease { ast: twin.ast.get_or_init(|| ast), busy: Some(&twin.busy) };
            }
            // `parse` failed, because the run must stop or has tighter limits than the first compilation had.
            twin.busy.store(false, Release);
        }
        Lease { ast: &self.ast, busy: None }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.source.len() > SHORT_SOURCE_BYTES {
            let ast = mem::take(&mut self.ast);
            stack::on_large(|_| drop(ast), |()| true);
        }
    }
}
