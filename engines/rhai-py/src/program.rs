//! `Program`: a script that has been parsed, and the parsing.

use std::sync::Arc;

use rhai::{AST, Engine, ImmutableString, LexError, Scope, Token};

use crate::core::{Core, on_watch};
use crate::limits::Limits;
use crate::report::Report;
use crate::stack;
use crate::watch::Watch;

/// A source that is longer may have a tree that is too deep to be dropped on a small stack.
const SHORT_SOURCE: usize = 16 << 10;
/// Tokens between two looks at the deadline while parsing.
const TOKENS_PER_LOOK: u64 = 256;

/// A compiled script with the text it came from.
pub struct Program {
    /// The text, for error messages and as the key of the cache.
    pub source: Arc<str>,
    /// The name that errors mention.
    pub name: Option<Arc<str>>,
    /// The compiled form.
    pub ast: AST,
    /// Whether it may create closures or parse while it runs, see `core::resolve_constants`.
    pub captures: bool,
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
    on_watch(limits, watch, None, || {
        let engine = core.parser(limits, watch);
        let mut ast = engine.compile(source).map_err(|error| Report::of_parse_error(&error, name))?;
        if let Some(name) = name {
            ast.set_source(ImmutableString::from(name));
        }
        // A closure is written with `|`, comes from text that `eval` parses, or sits in an imported module.
        let captures = source.contains('|') || source.contains("eval") || source.contains("import");
        Ok(Arc::new(Program { source: source.into(), name: name.map(Into::into), ast, captures }))
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
