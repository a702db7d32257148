//! `to_json` of maps, within the budget of the run. `text.rs` explains why the crate's own does not suffice.

use std::iter;

use rhai::{Array, Blob, Dynamic, FnPtr, Map, Module};

use crate::builtins::budget::BudgetText;
use crate::builtins::registration::pure;

/// Registers `to_json`.
pub fn register(module: &mut Module) {
    pure("to_json").set_into_module(module, |map: &mut Map| {
        let mut text = BudgetText::default();
        put_map(&mut text, map);
        text.into_string()
    });
}

fn put_map(text: &mut BudgetText, map: &Map) {
    text.put("{");
    for (index, (key, value)) in map.iter().enumerate() {
        text.put(format_args!("{}{key:?}:", if index > 0 { "," } else { "" }));
        put_value(text, value);
    }
    text.put("}");
}

fn put_list<'a>(text: &mut BudgetText, items: impl Iterator<Item = &'a Dynamic>) {
    text.put("[");
    for (index, item) in items.enumerate() {
        if index > 0 {
            text.put(",");
        }
        if text.is_full() {
            return;
        }
        put_value(text, item);
    }
    text.put("]");
}

fn put_value(text: &mut BudgetText, value: &Dynamic) {
    if text.is_full() {
        return;
    }
    if value.is_unit() {
        return text.put("null");
    }
    if let Some(map) = value.read_lock::<Map>() {
        return put_map(text, &map);
    }
    if let Some(array) = value.read_lock::<Array>() {
        return put_list(text, array.iter());
    }
    if let Some(blob) = value.read_lock::<Blob>() {
        let bytes: Array = blob.iter().map(|byte| Dynamic::from(i64::from(*byte))).collect();
        return put_list(text, bytes.iter());
    }
    if let Some(pointer) = value.read_lock::<FnPtr>() {
        if !pointer.is_curried() {
            return text.put(format_args!("{:?}", pointer.fn_name()));
        }
        let name = Dynamic::from(pointer.fn_name().to_string());
        return put_list(text, iter::once(&name).chain(pointer.curry()));
    }
    text.put(format_args!("{value:?}"));
}
