//! `contains` and `index_of` of strings and arrays, and `==` of strings for natives that compare, with looks at the
//! deadline by the bytes that they touch.

use rhai::{Array, Dynamic, ImmutableString, Module, NativeCallContext};

use crate::bounds::current::{self, Answer};
use crate::builtins::equal::Comparison;
use crate::builtins::registration::pure;
use crate::builtins::strings::characters::count;

/// Bytes that one step of a search covers.
const STEP: usize = 64 << 10;

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.set_native_fn("contains", |text: &str, part: &str| Ok(find(text, part, 0)?.is_some()));
    module.set_native_fn("contains", |text: &str, part: char| {
        Ok(find(text, part.encode_utf8(&mut [0; 4]), 0)?.is_some())
    });
    module.set_native_fn("index_of", |text: &str, part: &str| index_of(text, part));
    module.set_native_fn("index_of", |text: &str, part: char| index_of(text, part.encode_utf8(&mut [0; 4])));
    // The crate compares strings itself where a script does. Natives such as `dedup` call these.
    module.set_native_fn("==", |a: ImmutableString, b: ImmutableString| equal(&a, &b));
    module.set_native_fn("!=", |a: ImmutableString, b: ImmutableString| equal(&a, &b).map(|equal| !equal));
    pure("contains").set_into_module(module, has_item);
    pure("index_of").set_into_module(module, |context: NativeCallContext<'_>, array: &mut Array, value: Dynamic| {
        position(&context, array, &value, 0)
    });
    pure("index_of").set_into_module(
        module,
        |context: NativeCallContext<'_>, array: &mut Array, value: Dynamic, start: i64| {
            let len = i64::try_from(array.len()).unwrap_or(i64::MAX);
            let start = if start < 0 { len.saturating_add(start).max(0) } else { start.min(len) };
            position(&context, array, &value, usize::try_from(start).unwrap_or(0))
        },
    );
}

fn equal(a: &ImmutableString, b: &ImmutableString) -> Answer<bool> {
    if a.len() != b.len() {
        return Ok(false);
    }
    current::spend(a.len())?;
    Ok(a.as_str() == b.as_str())
}

fn has_item(context: NativeCallContext<'_>, array: &mut Array, value: Dynamic) -> Answer<bool> {
    position(&context, array, &value, 0).map(|index| index >= 0)
}

fn position(context: &NativeCallContext<'_>, array: &Array, value: &Dynamic, start: usize) -> Answer<i64> {
    let mut comparison = Comparison::new(context);
    for (index, item) in array.iter().enumerate().skip(start) {
        if comparison.items_of_any_type(item, value)? {
            return Ok(i64::try_from(index).unwrap_or(i64::MAX));
        }
    }
    Ok(-1)
}

fn index_of(text: &str, part: &str) -> Answer<i64> {
    if text.is_empty() {
        return Ok(-1);
    }
    match find(text, part, 0)? {
        Some(at) => Ok(i64::try_from(count(&text[..at])?).unwrap_or(-1)),
        None => Ok(-1),
    }
}

/// Where `part` is in `text` first, at or after `from`, in bytes. `from` is between two characters.
pub fn find(text: &str, part: &str, from: usize) -> Answer<Option<usize>> {
    let mut from = from;
    let step = STEP.max(part.len());
    loop {
        let end = boundary(text, from.saturating_add(step).saturating_add(part.len()));
        current::spend(end - from)?;
        if let Some(at) = text[from..end].find(part) {
            return Ok(Some(from + at));
        }
        if end == text.len() {
            return Ok(None);
        }
        from = boundary(text, from + step);
    }
}

/// The first place between two characters at or after `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}
