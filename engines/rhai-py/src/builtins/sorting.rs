//! `sort`, `sort_desc`, `order`, `order_desc` and `dedup` of arrays, which end when the run must end.
//!
//! The sort of the standard library cannot be left by an error, so a comparison leaves it by unwinding. The sort keeps
//! all items of the array in that case.

use std::any::TypeId;
use std::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, ImmutableString, Module, NativeCallContext, Position};
use rust_decimal::Decimal;

use crate::bounds::allocator::Refused;
use crate::bounds::current::{self, Answer};
use crate::builtins::budget::ITEM_WORK;
use crate::builtins::equal::Comparison;
use crate::builtins::registration::{mutating, pure};

/// What a comparison unwinds with when the run must end.
struct Ended;

/// Registers the functions.
pub fn register(module: &mut Module) {
    mutating("sort").set_into_module(module, |array: &mut Array| sort(array, false));
    mutating("sort_desc").set_into_module(module, |array: &mut Array| sort(array, true));
    pure("order").set_into_module(module, |array: &mut Array| ordered(array, false));
    pure("order_desc").set_into_module(module, |array: &mut Array| ordered(array, true));
    for name in ["sort", "sort_by"] {
        mutating(name).set_into_module(module, |context: NativeCallContext<'_>, array: &mut Array, by: FnPtr| {
            sort_by(&context, array, &by)
        });
    }
    // By name of a function, as the crate has it.
    mutating("sort").set_into_module(
        module,
        |context: NativeCallContext<'_>, array: &mut Array, by: ImmutableString| {
            sort_by(&context, array, &FnPtr::new(by)?)
        },
    );
    for name in ["order", "order_by"] {
        pure(name).set_into_module(module, |context: NativeCallContext<'_>, array: &mut Array, by: FnPtr| {
            let mut array = array.clone();
            sort_by(&context, &mut array, &by)?;
            Ok::<_, Box<EvalAltResult>>(array)
        });
    }
    mutating("dedup").set_into_module(module, |context: NativeCallContext<'_>, array: &mut Array| {
        dedup(array, |a, b| Comparison::new(&context).items(a, b).unwrap_or(false))
    });
    mutating("dedup").set_into_module(module, |context: NativeCallContext<'_>, array: &mut Array, same: FnPtr| {
        dedup_by(&context, array, &same)
    });
    mutating("dedup").set_into_module(
        module,
        |context: NativeCallContext<'_>, array: &mut Array, same: ImmutableString| {
            dedup_by(&context, array, &FnPtr::new(same)?)
        },
    );
}

fn dedup_by(context: &NativeCallContext<'_>, array: &mut Array, same: &FnPtr) -> Answer<()> {
    dedup(array, |a, b| {
        // A call that fails copies the name of the function into its error, and names can be long.
        if current::spend(same.fn_name().len()).is_err() {
            return false;
        }
        let answer = same.call_within_context::<Dynamic>(context, (a.clone(), b.clone()));
        answer.is_ok_and(|answer| answer.as_bool().unwrap_or(false))
    })
}

fn ordered(array: &Array, descending: bool) -> Answer<Array> {
    let mut array = array.clone();
    sort(&mut array, descending)?;
    Ok(array)
}

fn sort(array: &mut Array, descending: bool) -> Answer<()> {
    let Some(first) = array.first() else {
        return Ok(());
    };
    let (kind, name) = (first.type_id(), first.type_name());
    if array.len() == 1 {
        return Ok(());
    }
    let refuse = |what: String| Err(EvalAltResult::ErrorFunctionNotFound(what, Position::NONE).into());
    if array.iter().any(|item| item.type_id() != kind) {
        return refuse("elements of different types cannot be sorted".into());
    }
    let compare: fn(&Dynamic, &Dynamic) -> Ordering = if kind == TypeId::of::<i64>() {
        |a, b| a.as_int().ok().cmp(&b.as_int().ok())
    } else if kind == TypeId::of::<ImmutableString>() {
        text_order
    } else if kind == TypeId::of::<f64>() {
        float_order
    } else if kind == TypeId::of::<char>() {
        |a, b| a.as_char().ok().cmp(&b.as_char().ok())
    } else if kind == TypeId::of::<Decimal>() {
        |a, b| a.as_decimal().ok().cmp(&b.as_decimal().ok())
    } else if kind == TypeId::of::<bool>() {
        |a, b| a.as_bool().ok().cmp(&b.as_bool().ok())
    } else if kind == TypeId::of::<()>() {
        return Ok(());
    } else {
        return refuse(format!("elements of {name} cannot be sorted"));
    };
    sort_with(array, |a, b| if descending { compare(b, a) } else { compare(a, b) })
}

fn text_order(a: &Dynamic, b: &Dynamic) -> Ordering {
    let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) else {
        return Ordering::Equal;
    };
    go_on(a.len().min(b.len()));
    a.as_str().cmp(b.as_str())
}

/// Numbers by size; what is not a number comes last, because a sort needs a total order.
fn float_order(a: &Dynamic, b: &Dynamic) -> Ordering {
    let (a, b) = (a.as_float().unwrap_or(f64::NAN), b.as_float().unwrap_or(f64::NAN));
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn sort_by(context: &NativeCallContext<'_>, array: &mut Array, by: &FnPtr) -> Answer<()> {
    sort_with(array, |a, b| {
        // A call that fails copies the name of the function into its error, and names can be long.
        go_on(by.fn_name().len());
        let answer = by.call_within_context::<Dynamic>(context, (a.clone(), b.clone())).ok();
        let number = answer.and_then(|answer| {
            answer.as_int().or_else(|_| answer.as_bool().map(|first| if first { -1 } else { 1 })).ok()
        });
        number.map_or_else(|| a.type_id().cmp(&b.type_id()), |number| number.cmp(&0))
    })
}

fn sort_with(array: &mut Array, mut compare: impl FnMut(&Dynamic, &Dynamic) -> Ordering) -> Answer<()> {
    let sorted = catch_unwind(AssertUnwindSafe(|| {
        array.sort_by(|a, b| {
            go_on(ITEM_WORK);
            compare(a, b)
        });
    }));
    match sorted {
        Ok(()) => Ok(()),
        Err(panic) if panic.is::<Ended>() => Err(current::terminated()),
        Err(panic) if panic.is::<Refused>() => resume_unwind(panic),
        // The sort panics if the comparisons contradict each other.
        Err(_) => Err(EvalAltResult::ErrorRuntime("error in comparer for sorting".into(), Position::NONE).into()),
    }
}

fn dedup(array: &mut Array, mut same: impl FnMut(&Dynamic, &Dynamic) -> bool) -> Answer<()> {
    let mut ended = false;
    // `dedup_by` gives the later item first.
    array.dedup_by(|b, a| {
        ended = ended || current::spend(ITEM_WORK).is_err();
        !ended && same(a, b)
    });
    if ended { Err(current::terminated()) } else { Ok(()) }
}

/// Counts work; unwinds if the run must end.
fn go_on(work: usize) {
    if current::spend(work).is_err() {
        resume_unwind(Box::new(Ended));
    }
}
