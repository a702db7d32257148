//! Evaluating a script, without Python.
//!
//! `entry.rs` calls `evaluate` with the interpreter lock released. Invariant: everything that a script makes is dropped
//! on the large stack before `evaluate` returns; only a shallow value leaves.

use std::mem;
use std::sync::Arc;

use rhai::{CallFnOptions, Dynamic, EvalAltResult, FnPtr, Scope};

use crate::bounds::current::Answer;
use crate::bounds::limits::Limits;
use crate::bounds::watch::Watch;
use crate::errors::report::{Class, Report};
use crate::evaluation::core::BoundScript;
use crate::evaluation::output::Printer;
use crate::evaluation::{bounded, compile};
use crate::scripts::program::Program;
use crate::values::depth::{self, DEPTH};
use crate::values::size;

/// What to evaluate.
pub enum Goal<'a> {
    /// The body of the script.
    Body,
    /// One of its functions, without the body.
    Function(&'a str, Vec<Dynamic>),
    /// A function pointer that an earlier run made.
    Pointer(&'a FnPtr, Vec<Dynamic>),
}

/// Evaluates `goal` to its value. The caller has started `watch`; without a `printer`, output is dropped.
pub fn evaluate(
    script: &BoundScript,
    goal: Goal<'_>,
    limits: &Limits,
    watch: &Arc<Watch>,
    printer: Option<Arc<Printer>>,
) -> Result<Dynamic, Report> {
    let BoundScript { core, program, .. } = script;
    let lease = compile::lease(script, limits, watch);
    bounded::run(limits, watch, Some(script), || {
        let mut engine = core.runner(limits, watch);
        core.host().register(&mut engine);
        if let Some(constants) = &script.constants {
            constants.register(&mut engine, program.captures);
        }
        if program.captures {
            core.let_parse(&mut engine, watch);
        }
        if let Some(printer) = printer {
            let prints = printer.clone();
            engine.on_print(move |text| prints.print(text));
            engine.on_debug(move |text, source, position| printer.debug(text, source, position));
        }
        let mut scope = Scope::new();
        let outcome = match goal {
            Goal::Body => engine.eval_ast_with_scope::<Dynamic>(&mut scope, lease.ast),
            Goal::Function(name, arguments) => {
                let options = CallFnOptions::new().eval_ast(false);
                engine.call_fn_with_options::<Dynamic>(options, &mut scope, lease.ast, name, arguments)
            }
            Goal::Pointer(pointer, arguments) => pointer.call::<Dynamic>(&engine, lease.ast, arguments),
        };
        if program.captures && !watch.has_escaped() {
            break_circles(&scope, &outcome);
        }
        finish(outcome, program, limits)
    })
}

/// Empties the captured variables of a script that has ended: those that hold each other would never be freed.
/// Does nothing if a function of the script lives on in its value, because the function may still need them.
fn break_circles(scope: &Scope<'_>, outcome: &Answer<Dynamic>) {
    let lives_on = match outcome {
        Ok(value) => value.is_shared() || depth::holds_pointer(value),
        Err(error) => match error.unwrap_inner() {
            EvalAltResult::ErrorRuntime(value, _) => value.is_shared() || depth::holds_pointer(value),
            _ => false,
        },
    };
    if lives_on {
        return;
    }
    for (_, _, value) in scope.iter_raw().filter(|(_, _, value)| value.is_shared()) {
        if let Some(mut cell) = value.clone().write_lock::<Dynamic>() {
            let content = mem::take(&mut *cell);
            drop(cell);
            drop(content);
        }
    }
}

/// Makes the outcome shallow and small, so that it may leave the large stack.
fn finish(outcome: Answer<Dynamic>, program: &Program, limits: &Limits) -> Result<Dynamic, Report> {
    match outcome.or_else(|error| match *error {
        // The crate returns the value of `exit` from a body, but as an error from a function call.
        EvalAltResult::Exit(value, _) => Ok(value),
        error => Err(error),
    }) {
        Ok(value) if !depth::fits(&value) => {
            let message = format!("the value is nested deeper than {DEPTH} levels");
            Err(Report::new(Class::Conversion, "ErrorMismatchDataType", message))
        }
        Ok(value) if !size::fits(&value, limits.result_bytes) => {
            let message = format!("the value has more than {} bytes", limits.result_bytes.unwrap_or(0));
            Err(Report::new(Class::Limit, "ResultTooLarge", message))
        }
        Ok(value) => Ok(value),
        Err(error) => {
            let mut report = Report::of_script(error, program.name.as_deref());
            report.value = report.value.filter(|value| size::fits(value, limits.result_bytes));
            Err(report)
        }
    }
}
