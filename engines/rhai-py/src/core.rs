//! Running, without Python.
//!
//! Called by `engine.rs` with the interpreter lock released. Each evaluation gets an engine of the crate of its own:
//! the callbacks of an engine carry no context, so what belongs to one run must live in one engine, and a raw engine
//! with shared modules costs well under a microsecond. Its string interner stays off: it is one lock per engine that
//! sleeps 10 ms when contended, and hashing each string costs more than it saves.
//! Invariant: what a script makes is dropped on the large stack, before `run` returns; only a shallow value leaves.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};

use rhai::{CallFnOptions, Dynamic, Engine, EvalAltResult, FnPtr, Module, Position, Scope};

use crate::cache::Cache;
use crate::current::Frame;
use crate::depth::{self, DEPTH};
use crate::host::Host;
use crate::limits::Limits;
use crate::meter::{self, Session};
use crate::program::{Program, watch_tokens};
use crate::report::{Class, Report};
use crate::resolver::{Library, RunResolver};
use crate::stack::{self, Room};
use crate::watch::{Stop, Watch};
use crate::{builtins, current};

/// A run that held more may have used much of the large stack.
const SHALLOW_BYTES: usize = 1 << 20;
/// After a run that held more, the freed memory goes back to the system. That takes milliseconds, as the run did.
const LARGE_BYTES: u64 = 16 << 20;
/// Stack that evaluation may use however small the budget: 64 calls of nested expressions fit well.
const LEAST_STACK_BYTES: usize = 16 << 20;

/// What all evaluations of one engine share.
pub struct Core {
    /// What holds where a call gives no limits.
    pub limits: Limits,
    /// Compiled scripts by source.
    pub cache: Cache,
    /// Functions of Python; replaced as a whole when one is registered.
    pub host: RwLock<Arc<Host>>,
    /// Whether scripts may call `eval`.
    pub allow_eval: bool,
    /// Whether scripts may `import`.
    pub allow_import: bool,
    /// Where imported modules come from.
    pub library: Option<Arc<Library>>,
}

/// Where a function pointer comes from, and what it needs to be called again later.
#[derive(Clone)]
pub struct Origin {
    /// The engine.
    pub core: Arc<Core>,
    /// The script that defines the function.
    pub program: Arc<Program>,
    /// The constants of the run.
    pub constants: Option<Arc<Module>>,
}

/// What a script printed, as it happens.
pub trait Sink: Send + Sync + 'static {
    /// One `print`.
    fn print(&self, text: &str);
    /// One `debug`, with the place of the call.
    fn debug(&self, text: &str, source: Option<&str>, position: Position);
}

/// What is to be evaluated.
pub enum Goal<'a> {
    /// The body of the script.
    Body,
    /// One of its functions, without the body.
    Function(&'a str, Vec<Dynamic>),
    /// A function pointer that it made before.
    Pointer(&'a FnPtr, Vec<Dynamic>),
}

impl Core {
    /// A raw engine with the shared modules and the static limits.
    fn fresh_engine(&self, limits: &Limits, watch: &Arc<Watch>) -> Engine {
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

    /// An engine that can also parse.
    pub fn parser(&self, limits: &Limits, watch: &Arc<Watch>) -> Engine {
        let mut engine = self.fresh_engine(limits, watch);
        self.let_parse(&mut engine, watch);
        engine
    }

    fn let_parse(&self, engine: &mut Engine, watch: &Arc<Watch>) {
        watch_tokens(engine, watch);
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

    /// The functions of Python as they are now.
    pub fn host(&self) -> Arc<Host> {
        self.host.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Runs `f` on the large stack with budget, current run and panics taken care of.
pub fn on_watch<R>(
    limits: &Limits,
    watch: &Arc<Watch>,
    origin: Option<&Origin>,
    f: impl FnOnce() -> Result<R, Report>,
) -> Result<R, Report> {
    let guarded = |room: Room| {
        watch.stay_above(floor(room, limits), room.top - stack::WARM_BYTES);
        let session = Session::open(limits, watch, room.data_bytes);
        let frame = Frame { watch, origin };
        let outcome = current::enter(&frame, || catch_unwind(AssertUnwindSafe(f)));
        watch.settle();
        let peak_bytes = session.peak_bytes();
        watch.note_peak(peak_bytes);
        let outcome = outcome.unwrap_or_else(|panic| {
            Err(Report::new(Class::Internal, "Panic", format!("the engine panicked: {}", panic_text(&*panic))))
        });
        (outcome, peak_bytes > SHALLOW_BYTES || watch.went_deep())
    };
    let (outcome, _) = stack::on_large(guarded, |(_, deep)| *deep);
    if watch.peak_bytes() > LARGE_BYTES {
        meter::give_back();
    }
    match (watch.stop(), outcome) {
        (Stop::None, outcome) => outcome,
        // A panic is a bug, whatever else has happened.
        (_, Err(report)) if report.class == Class::Internal => Err(report),
        // The last operations may have swallowed the stop; a spent budget is spent all the same.
        (stop, outcome) => {
            let report = outcome.err().unwrap_or_else(|| Report::new(Class::Runtime, "", ""));
            Err(restate(stop, report, limits))
        }
    }
}

/// Down to where evaluation may use the stack. The stack is memory like any other, so a budget bounds it as well.
fn floor(room: Room, limits: &Limits) -> usize {
    let bytes = limits.memory_bytes.unwrap_or(usize::MAX).max(LEAST_STACK_BYTES).min(room.evaluation_bytes);
    room.top - bytes
}

fn restate(stop: Stop, report: Report, limits: &Limits) -> Report {
    let more = |what: &str, than: Option<usize>, unit: &str| format!("{what} more than {} {unit}", than.unwrap_or(0));
    let too_large = |report: Report, message: String| report.restated(Class::Limit, "ErrorDataTooLarge", message);
    match stop {
        Stop::None | Stop::Raised => report,
        Stop::Timeout => report.restated(Class::Timeout, "ErrorTerminated", "the script ran past its timeout"),
        Stop::Cancelled => report.restated(Class::Cancelled, "ErrorTerminated", "the script was cancelled"),
        Stop::Operations => report.restated(Class::Limit, "ErrorTooManyOperations", "Too many operations"),
        Stop::Stack => report.restated(Class::Limit, "ErrorStackOverflow", "Stack overflow"),
        Stop::Memory => too_large(report, more("the script holds", limits.memory_bytes, "bytes")),
        Stop::String => too_large(report, more("a string holds", limits.string_bytes, "bytes")),
        Stop::Array => too_large(report, more("an array holds", limits.array_items, "items")),
        Stop::Map => too_large(report, more("object maps hold", limits.map_items, "items")),
        Stop::Containers => too_large(report, "the script holds too many arrays, maps and closures".into()),
    }
}

/// Evaluates `goal` to its value. `watch` has been started by the caller.
///
/// The constants are visible everywhere in the script, also inside functions and imported modules, because they are
/// variables of a module in the global namespace; a scope would hide them from functions.
pub fn run(
    origin: &Origin,
    goal: Goal<'_>,
    limits: &Limits,
    watch: &Arc<Watch>,
    sink: Option<Arc<dyn Sink>>,
) -> Result<Dynamic, Report> {
    let Origin { core, program, constants } = origin;
    let lease = program.lease(core, limits, watch);
    on_watch(limits, watch, Some(origin), || {
        let mut engine = core.fresh_engine(limits, watch);
        core.host().register(&mut engine);
        if let Some(constants) = constants {
            if program.captures || holds_containers(constants) {
                resolve_constants(&mut engine, constants.clone());
            }
            engine.register_global_module(constants.clone());
        }
        if program.captures {
            core.let_parse(&mut engine, watch);
        }
        if let Some(sink) = sink {
            let printed = sink.clone();
            engine.on_print(move |text| printed.print(text));
            engine.on_debug(move |text, source, position| sink.debug(text, source, position));
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
        finish(outcome, program)
    })
}

/// Empties the captured variables of a script that has ended, since those that hold each other are never freed
/// otherwise. Not if a function of the script lives on, in its value or in Python: it may still want them.
fn break_circles(scope: &Scope<'_>, outcome: &Result<Dynamic, Box<EvalAltResult>>) {
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
    for (_, _, value) in scope.iter_raw() {
        if value.is_shared()
            && let Some(mut cell) = value.clone().write_lock::<Dynamic>()
        {
            let content = std::mem::take(&mut *cell);
            drop(cell);
            drop(content);
        }
    }
}

/// What may leave the large stack.
fn finish(outcome: Result<Dynamic, Box<EvalAltResult>>, program: &Program) -> Result<Dynamic, Report> {
    match outcome.or_else(|error| match *error {
        // `eval_ast` takes it as a value, calls of functions do not.
        EvalAltResult::Exit(value, _) => Ok(value),
        error => Err(error),
    }) {
        Ok(value) => depth::shallow(value).map_err(|()| {
            let message = format!("the value is nested deeper than {DEPTH} levels");
            Report::new(Class::Conversion, "ErrorMismatchDataType", message)
        }),
        Err(error) => Err(Report::of_script(error, program.name.as_deref())),
    }
}

/// Answers for the constants where a module in the global namespace does not do.
///
/// A closure captures each name that it does not define, from the scope only, and fails if the name is not there; but
/// it leaves out what a variable resolver knows. And `LIST.push(1)` on a variable of a module changes a copy in silence,
/// while what a resolver answers is read-only. The resolver is called for every variable, at 2-4 ns each, so only
/// runs that need it get one.
fn resolve_constants(engine: &mut Engine, constants: Arc<Module>) {
    #[expect(deprecated, reason = "marked volatile, not deprecated; it is the only hook that captures respect")]
    engine.on_var(move |name, index, context| {
        let in_scope = index > 0 || context.scope().contains(name);
        Ok(if in_scope { None } else { constants.get_var(name) })
    });
}

fn holds_containers(constants: &Module) -> bool {
    constants.iter_var().any(|(_, value)| value.is_array() || value.is_map() || value.is_blob())
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a message".into())
}
