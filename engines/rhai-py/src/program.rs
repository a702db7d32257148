//! `Program`: a script that has been parsed, and the parsing.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, OnceLock};

use rhai::{AST, Engine, ImmutableString, LexError, Scope, Token};

use crate::core::{Core, on_watch};
use crate::limits::Limits;
use crate::report::Report;
use crate::stack;
use crate::watch::Watch;

/// A source that is longer may have a tree that is too deep to be dropped on a small stack.
const SHORT_SOURCE: usize = 16 << 10;
/// Compiled forms beyond the first; as many more runs of one script at once share the first.
const TWINS: usize = 7;
/// Tokens between two looks at the deadline while parsing.
const TOKENS_PER_LOOK: u64 = 256;

/// A compiled script with the text it came from.
pub struct Program {
    /// The text, for error messages and as the key of the cache.
    pub source: Arc<str>,
    /// The name that errors mention.
    pub name: Option<Arc<str>>,
    ast: AST,
    busy: AtomicBool,
    twins: [Twin; TWINS],
    /// Whether it may create closures or parse while it runs, see `core::resolve_constants`.
    pub captures: bool,
}

/// A second compiled form of the same script, made when it is first wanted.
#[derive(Default)]
struct Twin {
    busy: AtomicBool,
    ast: OnceLock<AST>,
}

/// A compiled form in use by one run.
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
    /// A compiled form that no other run uses, if there are not too many at once.
    ///
    /// Each call of a script function counts references of its definition, and two threads that count on one place
    /// run at the speed of one (fib(27): 1.0 times one thread with a shared form, 1.9 with two). So a script that runs
    /// on several threads at once is compiled once for each.
    pub fn lease(&self, core: &Core, limits: &Limits, watch: &Arc<Watch>) -> Lease<'_> {
        if !self.busy.swap(true, Acquire) {
            return Lease { ast: &self.ast, busy: Some(&self.busy) };
        }
        if self.source.len() <= SHORT_SOURCE {
            for twin in &self.twins {
                if twin.busy.swap(true, Acquire) {
                    continue;
                }
                let lease = |ast| Lease { ast, busy: Some(&twin.busy) };
                if let Some(ast) = twin.ast.get() {
                    return lease(ast);
                }
                if let Ok(ast) = parse(core, &self.source, self.name.as_deref(), limits, watch) {
                    return lease(twin.ast.get_or_init(|| ast));
                }
                // The run is being stopped, or its limits are tighter than those of the first compilation.
                twin.busy.store(false, Release);
                break;
            }
        }
        Lease { ast: &self.ast, busy: None }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.source.len() > SHORT_SOURCE {
            let ast = std::mem::take(&mut self.ast);
            stack::on_large(|_| drop(ast), |()| true);
        }
    }
}

/// Parses `source` within the limits.
pub fn compile(
    core: &Core,
    source: &str,
    name: Option<&str>,
    limits: &Limits,
    watch: &Arc<Watch>,
) -> Result<Arc<Program>, Report> {
    let ast = parse(core, source, name, limits, watch)?;
    // A closure is written with `|`, comes from text that `eval` parses, or sits in an imported module.
    let captures = source.contains('|') || source.contains("eval") || source.contains("import");
    let (source, name) = (source.into(), name.map(Into::into));
    Ok(Arc::new(Program { source, name, captures, ast, busy: AtomicBool::new(false), twins: Default::default() }))
}

fn parse(core: &Core, source: &str, name: Option<&str>, limits: &Limits, watch: &Arc<Watch>) -> Result<AST, Report> {
    on_watch(limits, watch, None, || {
        let engine = core.parser(limits, watch);
        let mut ast = engine.compile(source).map_err(|error| Report::of_parse_error(&error, name))?;
        if let Some(name) = name {
            ast.set_source(ImmutableString::from(name));
        }
        Ok(ast)
    })
}

/// What is wrong with `source`, without running it: that it does not parse, else the first name that nothing defines.
pub fn check(core: &Core, source: &str, known: &[String], limits: &Limits, watch: &Arc<Watch>) -> Vec<Report> {
    let checked = on_watch(limits, watch, None, || {
        let mut engine = core.parser(limits, watch);
        engine.compile(source).map_err(|error| Report::of_parse_error(&error, None))?;
        let mut scope = Scope::new();
        for name in known {
            scope.push_constant(name.as_str(), ());
        }
        engine.set_strict_variables(true);
        let strict = engine.compile_with_scope(&scope, source);
        Ok(strict.err().map(|error| Report::of_parse_error(&error, None)))
    });
    match checked {
        Ok(finding) => finding.into_iter().collect(),
        Err(report) => vec![report],
    }
}

/// Ends parsing when the run must end; parsing is no operation and has no limit of its own.
pub fn watch_tokens(engine: &mut Engine, watch: &Arc<Watch>) {
    let watch = watch.clone();
    #[expect(deprecated, reason = "marked volatile, not deprecated; the only hook into the parser")]
    engine.on_parse_token(move |token, _, _| {
        if watch.count_token().is_multiple_of(TOKENS_PER_LOOK) && !watch.poll() {
            return Token::LexError(Box::new(LexError::Runtime("the script is stopped".into())));
        }
        token
    });
}
