//! How large a value is that leaves a script: as a result, as an argument of a callback, or because it was thrown.
//!
//! A script can share one string in a hundred thousand places. It holds that string once, but the JSON of its result has
//! it a hundred thousand times. So a value is measured before it leaves, on the large stack, like its depth.

use rhai::{Array, Blob, Dynamic, Map};

/// What a value counts at least. A Python object takes more, so this bounds what a value of small items becomes.
const LEAST: usize = 8;
/// Text of one byte of a blob in JSON, with its comma.
const BYTE: usize = 4;

/// Whether `value` has at most `most` bytes of text, counted as in JSON, and at least 8 for each value in it.
pub fn fits(value: &Dynamic, most: Option<usize>) -> bool {
    most.is_none_or(|most| rest(value, most).is_some())
}

/// What is left of `most` bytes after `value`.
fn rest(value: &Dynamic, most: usize) -> Option<usize> {
    if value.is_shared() {
        // A locked value is an error later, when it is converted.
        return value.read_lock::<Dynamic>().map_or(Some(most), |inner| rest(&inner, most.checked_sub(1)?));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return most.checked_sub(text.len().max(LEAST));
    }
    let most = most.checked_sub(LEAST)?;
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().try_fold(most, |most, item| rest(item, most));
    }
    if let Some(items) = value.read_lock::<Map>() {
        return items.iter().try_fold(most, |most, (key, item)| rest(item, most.checked_sub(key.len())?));
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        return most.checked_sub(bytes.len().saturating_mul(BYTE));
    }
    Some(most)
}
