//! Runs a piece of work of the Rhai crate, parsing or evaluating, within the limits.
//!
//! Invariant: the work happens on the large stack, with a meter session and a current frame, and no panic leaves it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::bounds::allocator::{self, Refused};
use crate::bounds::current::{self, Frame, Owner};
use crate::bounds::limits::Limits;
use crate::bounds::meter::Session;
use crate::bounds::stack::{self, Room};
use crate::bounds::stop::Stop;
use crate::bounds::watch::Watch;
use crate::errors::report::{Class, Report};

/// A run that held more than this may have used much of the large stack.
const SHALLOW_BYTES: usize = 1 << 20;
/// After a run that held more than this, freed memory goes back to the system. That takes milliseconds, but so did
/// the run.
const LARGE_BYTES: u64 = 16 << 20;
/// Stack that evaluation may use however small the memory budget is: 64 calls of nested expressions fit well.
const LEAST_STACK_BYTES: usize = 16 << 20;

/// Runs `work` within `limits`. `owner` is the script that runs; `None` while parsing.
pub fn run<R>(
    limits: &Limits,
    watch: &Watch,
    owner: Option<&dyn Owner>,
    work: impl FnOnce() -> Result<R, Report>,
) -> Result<R, Report> {
    let guarded = |room: Room| {
        watch.stay_above(floor(room, limits), room.top - stack::WARM_BYTES);
        let session = Session::open(limits, watch.signals(), room.data_bytes);
        let frame = Frame { watch, owner, limits };
        let outcome = current::enter(&frame, || catch_unwind(AssertUnwindSafe(work)));
        watch.settle();
        let peak_bytes = session.peak_bytes();
        watch.note_peak(peak_bytes);
        let outcome = outcome.unwrap_or_else(|panic| match panic.is::<Refused>() {
            true => Err(Report::new(Class::Runtime, "", "")),
            false => {
                Err(Report::new(Class::Internal, "Panic", format!("the engine panicked: {}", panic_text(&*panic))))
            }
        });
        (outcome, peak_bytes > SHALLOW_BYTES || watch.went_deep())
    };
    let (outcome, _) = stack::on_large(guarded, |(_, deep)| *deep);
    if watch.peak_bytes() > LARGE_BYTES {
        allocator::give_back();
    }
    match (watch.stop(), outcome) {
        (Stop::None, outcome) => outcome,
        // A panic is a bug and is reported even if the run was also stopped.
        (_, Err(report)) if report.class == Class::Internal => Err(report),
        // Even if the work succeeded: its last operations may have swallowed the stop.
        (stop, outcome) => {
            let report = outcome.err().unwrap_or_else(|| Report::new(Class::Runtime, "", ""));
            Err(stopped(stop, report, limits))
        }
    }
}

/// The lowest address that evaluation may use. The stack is memory too, so a memory budget bounds it as well.
fn floor(room: Room, limits: &Limits) -> usize {
    let bytes = limits.memory_bytes.unwrap_or(usize::MAX).max(LEAST_STACK_BYTES).min(room.evaluation_bytes);
    room.top - bytes
}

/// The report of a run that was stopped, at the place that `report` has.
fn stopped(stop: Stop, report: Report, limits: &Limits) -> Report {
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
        Stop::Refused => too_large(report, "the system refused more memory".into()),
        Stop::Containers => too_large(report, "the script holds too many arrays, maps and closures".into()),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a message".into())
}
