//! `Core`: the state that all evaluations of one engine share, and the crate engines that it makes.
//!
//! Each evaluation gets a crate engine of its own. The callbacks of a crate engine carry no context, so what belongs
//! to one run must live in one engine; a raw engine with shared modules costs well under a microsecond. Its string
//! interner stays off, because it is one lock per engine that sleeps 10 ms when contended, and hashing each string
//! costs more than it saves.

use std::sync::{Arc, PoisonError, RwLock};

use rhai::{Engine, LexError, Token};

use crate::bounds::limits::Limits;
use crate::bounds::watch::Watch;
use crate::builtins;
use crate::evaluation::constants::Constants;
use crate::evaluation::host::Host;
use crate::scripts::cache::Cache;
use crate::scripts::library::{Library, RunResolver};
use crate::scripts::program::Program;

/// Tokens between two looks at the deadline while parsing.
const TOKENS_PER_LOOK: u64 = 256;

/// What all evaluations of one engine share.
pub struct Core {
    /// The limits of calls that give none.
    pub limits: Limits,
    /// Compiled scripts by source.
    pub cache: Cache<Program>,
    /// The registered Python functions; each registration replaces the whole.
    pub host: RwLock<Arc<Host>>,
    /// Whether scripts may call `eval`.
    pub allow_eval: bool,
    /// Whether scripts may `import`.
    pub allow_import: bool,
    /// Where imported modules come from.
    pub library: Option<Arc<Library>>,
}

/// A script with its engine and its constants: everything that is needed to evaluate it, or a function of it later.
/// `entry.rs` implements `Owner` for it.
#[derive(Clone)]
pub struct BoundScript {
    /// The engine.
    pub core: Arc<Core>,
    /// The script.
    pub program: Arc<Program>,
    /// The constants of the run.
    pub constants: Option<Constants>,
}

impl Core {
    /// An engine that runs compiled scripts, with the shared modules and the static limits.
    pub fn runner(&self, limits: &Limits, watch: &Arc<Watch>) -> Engine {
        let mut engine = Engine::new_raw();
        for module in builtins::modules() {
            engine.register_global_module(module);
        }
        engine.set_max_expr_depths(limits.expr_depth, limits.expr_depth);
        engine.set_max_call_levels(limits.call_levels);
        let counted = watch.clone();
        engine.on_progress(move |_| counted.tick());
        engine
    }

    /// An engine that also parses.
    pub fn parser(&self, limits: &Limits, watch: &Arc<Watch>) -> Engine {
        let mut engine = self.runner(limits, watch);
        self.let_parse(&mut engine, watch);
        engine
    }

    /// Prepares an engine for parsing: its deadline, its forbidden words and its modules.
    pub fn let_parse(&self, engine: &mut Engine, watch: &Arc<Watch>) {
        stop_parsing_in_time(engine, watch);
        if !self.allow_eval {
            engine.disable_symbol("eval");
        }
        if !self.allow_import {
            engine.disable_symbol("import");
        }
        if let Some(library) = &self.library {
            engine.set_module_resolver(RunResolver::new(library.clone()));
        }
    }

    /// The Python functions that are registered now.
    pub fn host(&self) -> Arc<Host> {
        self.host.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Ends parsing when the run must end. Parsing is not an operation and has no limit of its own.
fn stop_parsing_in_time(engine: &mut Engine, watch: &Arc<Watch>) {
    let watch = watch.clone();
    #[expect(deprecated, reason = "marked volatile, not deprecated; the only hook into the parser")]
    engine.on_parse_token(move |token, _, _| {
        if watch.count_token() % TOKENS_PER_LOOK == 0 && !watch.poll() {
            return Token::LexError(Box::new(LexError::Runtime("the script is stopped".into())));
        }
        token
    });
}
