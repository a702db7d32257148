//! Text of blobs, within the budget of the run, and functions that let blobs grow, within `Limits.array_items`.

use rhai::{Blob, ImmutableString, Module};

use crate::bounds::current::Answer;
use crate::builtins::budget::{BudgetText, fits_array_bytes, fits_array_items, fits_string};
use crate::builtins::exact::ExactText;
use crate::builtins::registration::{mutating, pure};

/// Bytes that are formatted in one step; a multiple of the 8 bytes of a group.
const STEP: usize = 4096;

/// Registers the functions.
pub fn register(module: &mut Module) {
    for name in ["to_string", "to_debug", "debug"] {
        pure(name).set_into_module(module, |blob: &mut Blob| text(blob));
    }
    pure("as_string").set_into_module(module, |blob: &mut Blob| as_string(blob));
    for name in ["push", "append"] {
        mutating(name).set_into_module(module, |blob: &mut Blob, byte: i64| append(blob, &byte.to_le_bytes()[..1]));
    }
    mutating("append").set_into_module(module, |blob: &mut Blob, character: char| {
        append(blob, character.encode_utf8(&mut [0; 4]).as_bytes())
    });
    mutating("append").set_into_module(module, |blob: &mut Blob, text: &str| append(blob, text.as_bytes()));
    mutating("append").set_into_module(module, |blob: &mut Blob, other: Blob| append(blob, &other));
}

/// The crate's own format: two digits a byte, a space after each eighth.
pub fn put(text: &mut BudgetText, blob: &Blob) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.put("[");
    let mut part = String::with_capacity(3 * STEP);
    for (index, bytes) in blob.chunks(STEP).enumerate() {
        part.clear();
        for (offset, byte) in bytes.iter().enumerate() {
            if offset % 8 == 0 && index + offset > 0 {
                part.push(' ');
            }
            part.push(char::from(DIGITS[usize::from(byte >> 4)]));
            part.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text.put(&part);
        if text.is_full() {
            return;
        }
    }
    text.put("]");
}

/// The text of a blob.
pub fn text(blob: &Blob) -> ImmutableString {
    let mut text = BudgetText::sized(2 * blob.len() + blob.len().div_ceil(8) + 1);
    put(&mut text, blob);
    text.into_text()
}

fn as_string(blob: &Blob) -> Answer<ImmutableString> {
    if let Ok(text) = std::str::from_utf8(blob) {
        fits_string(Some(text.len()))?;
        let mut copy = ExactText::sized(text.len());
        copy.push(text);
        return Ok(copy.into_text());
    }
    let mut text = BudgetText::default();
    for part in blob.utf8_chunks() {
        text.put(part.valid());
        if !part.invalid().is_empty() {
            text.put(char::REPLACEMENT_CHARACTER);
        }
        if text.is_full() {
            break;
        }
    }
    Ok(text.into_text())
}

fn append(blob: &mut Blob, bytes: &[u8]) -> Answer<()> {
    fits_array_items(blob.len() + bytes.len())?;
    if blob.capacity() - blob.len() < bytes.len() {
        fits_array_bytes(Some(bytes.len()))?;
    }
    blob.extend_from_slice(bytes);
    Ok(())
}
