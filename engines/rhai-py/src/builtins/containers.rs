//! `pad` and `push` of arrays and blobs, `blob`, `to_array` and `parse_json`, within the budget of the run.

use std::mem::size_of;

use rhai::{Array, Blob, Dynamic, Map, Module, NativeCallContext};

use crate::bounds::current::Answer;
use crate::builtins::budget::{fits, fits_array_bytes, fits_array_items, size};
use crate::builtins::registration::mutating;

/// Upper estimates of what the tree of the JSON parser needs per brace, and per comma, bracket or colon.
const JSON_BYTES_PER_BRACE: usize = 768;
const JSON_BYTES_PER_MARK: usize = 128;
/// Estimates of what a map needs for itself and per item, with half-filled leaves, which are the usual case.
const MAP_BYTES: usize = 512;
const MAP_BYTES_PER_ITEM: usize = 100;

/// Registers the functions.
pub fn register(module: &mut Module) {
    mutating("pad").set_into_module(module, pad_array);
    mutating("pad").set_into_module(module, pad_blob);
    mutating("push").set_into_module(module, |array: &mut Array, item: Dynamic| -> Answer<()> {
        fits_array_items(array.len() + 1)?;
        array.push(item);
        Ok(())
    });
    module.set_native_fn("blob", |len: i64| blob(len, 0));
    module.set_native_fn("blob", blob);
    module.set_native_fn("to_array", |blob: &mut Blob| to_array(blob));
    module.set_native_fn("parse_json", parse_json);
}

fn pad_array(array: &mut Array, len: i64, item: Dynamic) -> Answer<()> {
    let len = size(len);
    let Some(missing) = len.checked_sub(array.len()).filter(|missing| *missing > 0) else {
        return Ok(());
    };
    fits_array_items(len)?;
    let each = size_of::<Dynamic>().saturating_add(heap_bytes(&item));
    let present = array.len() * size_of::<Dynamic>();
    fits_array_bytes(missing.checked_mul(each).and_then(|bytes| bytes.checked_add(present)))?;
    array.resize(len, item);
    Ok(())
}

fn pad_blob(blob: &mut Blob, len: i64, value: i64) -> Answer<()> {
    let len = size(len);
    if len > blob.len() {
        fits_array_items(len)?;
        fits_array_bytes(Some(len))?;
        blob.resize(len, value.to_le_bytes()[0]);
    }
    Ok(())
}

fn blob(len: i64, value: i64) -> Answer<Blob> {
    let len = size(len);
    fits_array_items(len)?;
    fits_array_bytes(Some(len))?;
    Ok(vec![value.to_le_bytes()[0]; len])
}

fn to_array(blob: &Blob) -> Answer<Array> {
    fits_array_items(blob.len())?;
    fits_array_bytes(blob.len().checked_mul(size_of::<Dynamic>()))?;
    Ok(blob.iter().map(|byte| Dynamic::from(i64::from(*byte))).collect())
}

/// Reads JSON with the crate's parser, whose tree is many times larger than the text.
fn parse_json(context: NativeCallContext<'_>, json: &str) -> Answer<Dynamic> {
    let count = |mark: u8| json.bytes().filter(|byte| *byte == mark).count();
    let marks = count(b',') + count(b'[') + count(b':');
    let tree_bytes = JSON_BYTES_PER_BRACE * count(b'{') + JSON_BYTES_PER_MARK * marks;
    fits(Some(4 * json.len() + tree_bytes), "JSON text")?;
    context.engine().parse_json(json, true).map(Dynamic::from_map)
}

/// Bytes that a deep copy of `value` allocates. Call it on the large stack only.
fn heap_bytes(value: &Dynamic) -> usize {
    if let Some(items) = value.read_lock::<Array>() {
        let inner = items.iter().map(heap_bytes).fold(0, usize::saturating_add);
        return inner.saturating_add(size_of::<Array>() + items.len() * size_of::<Dynamic>());
    }
    if let Some(items) = value.read_lock::<Map>() {
        let inner = items.values().map(heap_bytes).fold(0, usize::saturating_add);
        return inner.saturating_add(size_of::<Map>() + MAP_BYTES + items.len() * MAP_BYTES_PER_ITEM);
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        return size_of::<Blob>() + bytes.len();
    }
    // Copies share text, and a number or character is part of the item. Any other value is a small box at most.
    let inline = value.is_int() || value.is_float() || value.is_bool() || value.is_char() || value.is_unit();
    if inline || value.is_string() { 0 } else { 64 }
}
