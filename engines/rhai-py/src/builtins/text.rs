//! `to_string`, `to_debug`, `print` and `debug` of arrays and maps, within the budget of the run.
//!
//! The text of a container may be far larger than the container, because a script can share strings: a thousand items
//! that are one megabyte string make a gigabyte of text in one operation. A container may also be nested deeply, and
//! the crate formats it with large stack frames. The text is the same as the crate's own.
//! Invariant: these functions never fail. On an error of `to_string`, the crate formats the value itself without any
//! limit. So a text that grows too large is cut, and the run ends at its next operation.

use rhai::{Array, Blob, Dynamic, ImmutableString, Map, Module, NativeCallContext};

use crate::bounds::current;
use crate::builtins::blobs;
use crate::builtins::budget::BudgetText;
use crate::builtins::registration::pure;

/// Registers the functions.
pub fn register(module: &mut Module) {
    register_print(module);
    for name in ["to_string", "debug", "to_debug"] {
        pure(name).set_into_module(module, array_text);
        pure(name).set_into_module(module, map_text);
    }
}

/// Replaces `print` for every type, to note where the script calls it.
fn register_print(module: &mut Module) {
    let print = || pure("print");
    print().set_into_module(module, |context: NativeCallContext<'_>, text: ImmutableString| {
        current::note_print(&context);
        text
    });
    print().set_into_module(module, |context: NativeCallContext<'_>, array: &mut Array| {
        current::note_print(&context);
        array_text(context, array)
    });
    print().set_into_module(module, |context: NativeCallContext<'_>, map: &mut Map| {
        current::note_print(&context);
        map_text(context, map)
    });
    print().set_into_module(module, |context: NativeCallContext<'_>, blob: &mut Blob| {
        current::note_print(&context);
        blobs::text(blob)
    });
    print().set_into_module(module, |context: NativeCallContext<'_>, value: char| shown(context, value.into()));
    print().set_into_module(module, |context: NativeCallContext<'_>, value: bool| shown(context, value.into()));
    print().set_into_module(module, |context: NativeCallContext<'_>, value: ()| shown(context, value.into()));
    print().set_into_module(module, |context: NativeCallContext<'_>, value: i64| shown(context, value.into()));
    print().set_into_module(module, |context: NativeCallContext<'_>, value: f64| shown(context, value.into()));
    print().set_into_module(module, |context: NativeCallContext<'_>, value: Dynamic| shown(context, value));
}

fn shown(context: NativeCallContext<'_>, mut value: Dynamic) -> ImmutableString {
    current::note_print(&context);
    match context.call_native_fn_raw("to_string", true, &mut [&mut value]) {
        Ok(text) => text.into_immutable_string().unwrap_or_default(),
        Err(_) => value.to_string().into(),
    }
}

fn array_text(context: NativeCallContext<'_>, array: &mut Array) -> ImmutableString {
    let mut text = BudgetText::default();
    put_array(&context, &mut text, array);
    text.into_text()
}

fn map_text(context: NativeCallContext<'_>, map: &mut Map) -> ImmutableString {
    let mut text = BudgetText::default();
    put_map(&context, &mut text, map);
    text.into_text()
}

fn put_array(context: &NativeCallContext<'_>, text: &mut BudgetText, array: &mut Array) {
    text.put("[");
    for (index, item) in array.iter_mut().enumerate() {
        if index > 0 {
            text.put(", ");
        }
        if text.is_full() {
            return;
        }
        put_value(context, text, item);
    }
    text.put("]");
}

fn put_map(context: &NativeCallContext<'_>, text: &mut BudgetText, map: &mut Map) {
    text.put("#{");
    for (index, (key, value)) in map.iter_mut().enumerate() {
        if text.is_full() {
            return;
        }
        text.put(format_args!("{}{key:?}: ", if index > 0 { ", " } else { "" }));
        put_value(context, text, value);
    }
    text.put("}");
}

fn put_value(context: &NativeCallContext<'_>, text: &mut BudgetText, value: &mut Dynamic) {
    if let Some(mut array) = value.write_lock::<Array>() {
        return put_array(context, text, &mut array);
    }
    if let Some(mut map) = value.write_lock::<Map>() {
        return put_map(context, text, &mut map);
    }
    if let Ok(string) = value.as_immutable_string_ref() {
        return text.put(format_args!("{:?}", *string));
    }
    if let Ok(number) = value.as_int() {
        return text.put(number);
    }
    if let Some(blob) = value.read_lock::<Blob>() {
        return blobs::put(text, &blob);
    }
    // A registered type may have a `to_debug` of its own.
    match context.call_native_fn_raw("to_debug", true, &mut [value]) {
        Ok(shown) => match shown.into_immutable_string() {
            Ok(shown) => text.put(shown),
            Err(type_name) => text.put(type_name),
        },
        Err(_) => text.put(format_args!("{value:?}")),
    }
}
