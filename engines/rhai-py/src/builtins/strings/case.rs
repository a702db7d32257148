//! `to_upper`, `to_lower`, `make_upper` and `make_lower` of strings, within the budget and the deadline of the run.

use rhai::{ImmutableString, Module};

use crate::builtins::budget::BudgetText;
use crate::builtins::registration::mutating;

/// Bytes that are converted in one step.
const STEP: usize = 16 << 10;

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.set_native_fn("to_upper", |text: ImmutableString| Ok(converted(&text, str::to_uppercase)));
    module.set_native_fn("to_lower", |text: ImmutableString| Ok(converted(&text, str::to_lowercase)));
    mutating("make_upper").set_into_module(module, |text: &mut ImmutableString| {
        *text = converted(text, str::to_uppercase);
    });
    mutating("make_lower").set_into_module(module, |text: &mut ImmutableString| {
        *text = converted(text, str::to_lowercase);
    });
}

fn converted(text: &ImmutableString, convert: fn(&str) -> String) -> ImmutableString {
    if text.len() <= STEP {
        return convert(text).into();
    }
    let mut result = BudgetText::sized(text.len());
    let mut rest = text.as_str();
    while !rest.is_empty() && !result.is_full() {
        let (part, next) = rest.split_at(step(rest));
        result.put(convert(part));
        rest = next;
    }
    result.into_text()
}

/// The end of the next step. The lower case of a sigma depends on the letters around it, so a step ends at a space if
/// there is one.
fn step(text: &str) -> usize {
    if text.len() <= STEP {
        return text.len();
    }
    let mut end = STEP;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].rfind([' ', '\n']).map_or(end, |space| space + 1)
}
