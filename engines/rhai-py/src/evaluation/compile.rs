//! Compiling and checking scripts, without Python.

use std::sync::Arc;

use rhai::{AST, ImmutableString, Scope};

use crate::bounds::limits::Limits;
use crate::bounds::watch::Watch;
use crate::errors::report::Report;
use crate::evaluation::bounded;
use crate::evaluation::core::{BoundScript, Core};
use crate::scripts::program::{Lease, Program};

/// Parses `source` within the limits.
pub fn compile(
    core: &Core,
    source: &str,
    name: Option<&str>,
    limits: &Limits,
    watch: &Arc<Watch>,
) -> Result<Arc<Program>, Report> {
    let ast = parse(core, source, name, limits, watch)?;
    Ok(Arc::new(Program::new(source, name, ast)))
}

/// A compiled form of the script for one run.
pub fn lease<'a>(script: &'a BoundScript, limits: &Limits, watch: &Arc<Watch>) -> Lease<'a> {
    let BoundScript { core, program, .. } = script;
    program.lease(|| parse(core, &program.source, program.name.as_deref(), limits, watch).ok())
}

/// What is wrong with `source`, without running it. Empty if it parses and every name is defined; otherwise the first
/// problem. `known` are the names of the constants that the script will get.
pub fn check(core: &Core, source: &str, known: &[String], limits: &Limits, watch: &Arc<Watch>) -> Vec<Report> {
    let checked = bounded::run(limits, watch, None, || {
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

fn parse(core: &Core, source: &str, name: Option<&str>, limits: &Limits, watch: &Arc<Watch>) -> Result<AST, Report> {
    bounded::run(limits, watch, None, || {
        let engine = core.parser(limits, watch);
        let mut ast = engine.compile(source).map_err(|error| Report::of_parse_error(&error, name))?;
        if let Some(name) = name {
            ast.set_source(ImmutableString::from(name));
        }
        Ok(ast)
    })
}
