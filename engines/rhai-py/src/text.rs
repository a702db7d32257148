//! `to_string`, `to_debug`, `print`, `debug` and `to_json` of arrays and maps, under the budget of the run.
//!
//! The text of a container may be far larger than the container, because strings are shared: a thousand items of one
//! megabyte string are a gigabyte of text, made in one operation. It may also be nested deeply, which the crate formats
//! with large frames. The text is the same as the crate's own.
//! Invariant: these never fail. On an error of `to_string` the crate formats the value itself, without any limit, so a
//! text that grows too large is cut and the run ends at its next operation.

use std::fmt::Write;

use rhai::{Array, Blob, Dynamic, FnPtr, FuncRegistration, ImmutableString, Map, Module, NativeCallContext};

use crate::current;
use crate::guards::Text;

/// Puts the functions into `module`.
pub fn register(module: &mut Module) {
    register_print(module);
    for name in ["to_string", "debug", "to_debug"] {
        FuncRegistration::new(name).with_purity(true).set_into_module(module, array_text);
        FuncRegistration::new(name).with_purity(true).set_into_module(module, map_text);
    }
    FuncRegistration::new("to_json").with_purity(true).set_into_module(module, |map: &mut Map| {
        let mut text = Text::default();
        map_json(&mut text, map);
        text.into_string()
    });
}

/// `print` of every type, for the sake of its place in the script.
fn register_print(module: &mut Module) {
    let print = || FuncRegistration::new("print").with_purity(true);
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
    let mut text = Text::default();
    put_array(&context, &mut text, array);
    text.into_string().into()
}

fn map_text(context: NativeCallContext<'_>, map: &mut Map) -> ImmutableString {
    let mut text = Text::default();
    put_map(&context, &mut text, map);
    text.into_string().into()
}

fn put(text: &mut Text, part: impl std::fmt::Display) {
    // `Text` takes everything.
    let _infallible = write!(text, "{part}");
}

fn put_array(context: &NativeCallContext<'_>, text: &mut Text, array: &mut Array) {
    put(text, "[");
    for (index, item) in array.iter_mut().enumerate() {
        if index > 0 {
            put(text, ", ");
        }
        if text.is_full() {
            return;
        }
        put_value(context, text, item);
    }
    put(text, "]");
}

fn put_map(context: &NativeCallContext<'_>, text: &mut Text, map: &mut Map) {
    put(text, "#{");
    for (index, (key, value)) in map.iter_mut().enumerate() {
        if text.is_full() {
            return;
        }
        put(text, format_args!("{}{key:?}: ", if index > 0 { ", " } else { "" }));
        put_value(context, text, value);
    }
    put(text, "}");
}

fn put_value(context: &NativeCallContext<'_>, text: &mut Text, value: &mut Dynamic) {
    if let Some(mut array) = value.write_lock::<Array>() {
        return put_array(context, text, &mut array);
    }
    if let Some(mut map) = value.write_lock::<Map>() {
        return put_map(context, text, &mut map);
    }
    if let Ok(string) = value.as_immutable_string_ref() {
        return put(text, format_args!("{:?}", *string));
    }
    if let Ok(number) = value.as_int() {
        return put(text, number);
    }
    // A registered type may have a `to_debug` of its own.
    match context.call_native_fn_raw("to_debug", true, &mut [value]) {
        Ok(shown) => match shown.into_immutable_string() {
            Ok(shown) => put(text, shown),
            Err(type_name) => put(text, type_name),
        },
        Err(_) => put(text, format_args!("{value:?}")),
    }
}

fn map_json(text: &mut Text, map: &Map) {
    put(text, "{");
    for (index, (key, value)) in map.iter().enumerate() {
        put(text, format_args!("{}{key:?}:", if index > 0 { "," } else { "" }));
        value_json(text, value);
    }
    put(text, "}");
}

fn list_json<'a>(text: &mut Text, items: impl Iterator<Item = &'a Dynamic>) {
    put(text, "[");
    for (index, item) in items.enumerate() {
        if index > 0 {
            put(text, ",");
        }
        if text.is_full() {
            return;
        }
        value_json(text, item);
    }
    put(text, "]");
}

fn value_json(text: &mut Text, value: &Dynamic) {
    if text.is_full() {
        return;
    }
    if value.is_unit() {
        return put(text, "null");
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map_json(text, &map);
    }
    if let Some(array) = value.read_lock::<Array>() {
        return list_json(text, array.iter());
    }
    if let Some(blob) = value.read_lock::<Blob>() {
        let bytes: Array = blob.iter().map(|byte| Dynamic::from(i64::from(*byte))).collect();
        return list_json(text, bytes.iter());
    }
    if let Some(pointer) = value.read_lock::<FnPtr>() {
        if !pointer.is_curried() {
            return put(text, format_args!("{:?}", pointer.fn_name()));
        }
        let name = Dynamic::from(pointer.fn_name().to_string());
        return list_json(text, std::iter::once(&name).chain(pointer.curry()));
    }
    put(text, format_args!("{value:?}"));
}
