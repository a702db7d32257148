//! `to_json` of maps, within the budget of the run. `text.rs` explains why the crate's own does not suffice.

use std::iter;

use rhai::{Array, Blob, Dynamic, FnPtr, Map, Module};

use crate::bounds::stop::Stop;
use crate::builtins::budget::BudgetText;
use crate::builtins::registration::pure;

/// Deeper values have no text: a function may have captured itself.
const DEEPEST: usize = 200_000;
/// Bytes of a blob that are written in one step.
const STEP: usize = 4096;

/// Registers `to_json`.
pub fn register(module: &mut Module) {
    pure("to_json").set_into_module(module, |map: &mut Map| {
        let mut text = BudgetText::default();
        put_map(&mut text, map, DEEPEST);
        text.into_text()
    });
}

fn put_map(text: &mut BudgetText, map: &Map, depth: usize) {
    text.put("{");
    for (index, (key, value)) in map.iter().enumerate() {
        if text.is_full() {
            return;
        }
        text.put(format_args!("{}{key:?}:", if index > 0 { "," } else { "" }));
        put_value(text, value, depth);
    }
    text.put("}");
}

fn put_list<'a>(text: &mut BudgetText, items: impl Iterator<Item = &'a Dynamic>, depth: usize) {
    text.put("[");
    for (index, item) in items.enumerate() {
        if index > 0 {
            text.put(",");
        }
        if text.is_full() {
            return;
        }
        put_value(text, item, depth);
    }
    text.put("]");
}

fn put_blob(text: &mut BudgetText, blob: &Blob) {
    text.put("[");
    let mut part = String::with_capacity(4 * STEP);
    for (index, bytes) in blob.chunks(STEP).enumerate() {
        part.clear();
        for (offset, byte) in bytes.iter().enumerate() {
            if index + offset > 0 {
                part.push(',');
            }
            part.push_str(&byte.to_string());
        }
        text.put(&part);
        if text.is_full() {
            return;
        }
    }
    text.put("]");
}

fn put_value(text: &mut BudgetText, value: &Dynamic, depth: usize) {
    if text.is_full() {
        return;
    }
    let Some(depth) = depth.checked_sub(1) else {
        return text.stop(Stop::Containers);
    };
    if value.is_unit() {
        return text.put("null");
    }
    if let Some(map) = value.read_lock::<Map>() {
        return put_map(text, &map, depth);
    }
    if let Some(array) = value.read_lock::<Array>() {
        return put_list(text, array.iter(), depth);
    }
    if let Some(blob) = value.read_lock::<Blob>() {
        return put_blob(text, &blob);
    }
    if let Some(pointer) = value.read_lock::<FnPtr>() {
        if !pointer.is_curried() {
            return text.put(format_args!("{:?}", pointer.fn_name()));
        }
        let name = Dynamic::from(pointer.fn_name().to_string());
        return put_list(text, iter::once(&name).chain(pointer.curry()), depth);
    }
    text.put(format_args!("{value:?}"));
}
