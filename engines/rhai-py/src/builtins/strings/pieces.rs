//! `pad`, `remove`, `replace`, `split`, `split_rev` and `to_chars` of strings, within the budget of the run.
//!
//! `pad` with an empty string returns immediately; the crate never returns from it.

use rhai::{Array, Dynamic, ImmutableString, Module};

use crate::bounds::current::{self, Answer};
use crate::builtins::budget::{ITEM_WORK, fits_array_bytes, fits_array_items, fits_string, size};
use crate::builtins::exact::ExactText;
use crate::builtins::registration::mutating;
use crate::builtins::strings::characters::count;
use crate::builtins::strings::search::find;

/// Registers the four forms of a split function: at a string or at a character, into all pieces or into at most a given
/// number. `$all` and `$most` are the methods of `str` that do the work.
macro_rules! register_split {
    ($module:expr, $name:literal, $all:ident, $most:ident) => {
        $module.set_native_fn($name, |s: ImmutableString, by: &str| match splits(&s, by, None) {
            true => pieces(s.$all(by)),
            false => whole(s),
        });
        $module.set_native_fn($name, |s: ImmutableString, by: &str, most: i64| match splits(&s, by, Some(most)) {
            true => pieces(s.$most(size(most), by)),
            false => whole(s),
        });
        $module.set_native_fn($name, |s: ImmutableString, by: char| match s.contains(by) {
            true => pieces(s.$all(by)),
            false => whole(s),
        });
        $module.set_native_fn($name, |s: ImmutableString, by: char, most: i64| match most > 1 && s.contains(by) {
            true => pieces(s.$most(size(most), by)),
            false => whole(s),
        });
    };
}

/// Bytes that `pad` appends in one step.
const PIECE: usize = 16 << 10;

/// Registers the functions.
pub fn register(module: &mut Module) {
    mutating("pad").set_into_module(module, |s: &mut ImmutableString, len: i64, char: char| {
        pad(s, len, char.encode_utf8(&mut [0; 4]))
    });
    mutating("pad").set_into_module(module, pad);
    mutating("replace").set_into_module(module, |s: &mut ImmutableString, a: &str, b: &str| replace(s, a, b));
    mutating("remove").set_into_module(module, |s: &mut ImmutableString, part: &str| replace(s, part, ""));
    mutating("remove")
        .set_into_module(module, |s: &mut ImmutableString, part: char| replace(s, part.encode_utf8(&mut [0; 4]), ""));
    mutating("replace")
        .set_into_module(module, |s: &mut ImmutableString, a: &str, b: char| replace(s, a, b.encode_utf8(&mut [0; 4])));
    mutating("replace")
        .set_into_module(module, |s: &mut ImmutableString, a: char, b: &str| replace(s, a.encode_utf8(&mut [0; 4]), b));
    mutating("replace").set_into_module(module, |s: &mut ImmutableString, a: char, b: char| {
        replace(s, a.encode_utf8(&mut [0; 4]), b.encode_utf8(&mut [0; 4]))
    });
    module.set_native_fn("to_chars", |s: &str| collect(s.chars().map(Dynamic::from)));
    module.set_native_fn("split", |s: ImmutableString| match s.is_empty() {
        true => whole(s),
        false => pieces(s.split_whitespace()),
    });
    register_split!(module, "split", split, splitn);
    register_split!(module, "split_rev", rsplit, rsplitn);
}

fn pad(string: &mut ImmutableString, len: i64, padding: &str) -> Answer<()> {
    let (len, have, unit) = (size(len), count(string)?, padding.chars().count());
    if len <= have || unit == 0 {
        return Ok(());
    }
    let missing = len - have;
    let tail = padding.chars().take(missing % unit).map(char::len_utf8).sum::<usize>();
    let added = (missing / unit).checked_mul(padding.len()).and_then(|bytes| bytes.checked_add(tail));
    // The old buffer exists while the new one is filled.
    let bytes = added.and_then(|added| added.checked_add(string.len()));
    fits_string(bytes)?;
    let mut text = ExactText::sized(bytes.unwrap_or(0));
    text.push(string);
    let mut whole = missing / unit;
    let many = padding.repeat(whole.min(PIECE.div_ceil(padding.len())));
    while whole > 0 {
        let units = whole.min(many.len() / padding.len());
        current::spend(units * padding.len())?;
        text.push(&many[..units * padding.len()]);
        whole -= units;
    }
    text.push(&padding[..tail]);
    *string = text.into_text();
    Ok(())
}

fn replace(string: &mut ImmutableString, part: &str, put: &str) -> Answer<()> {
    if string.is_empty() {
        return Ok(());
    }
    if part.is_empty() {
        // Between all characters.
        let found = count(string)? + 1;
        fits_string(found.checked_mul(put.len()).and_then(|bytes| bytes.checked_add(string.len())))?;
        *string = string.replace(part, put).into();
        return Ok(());
    }
    let (mut found, mut from) = (0_usize, 0);
    while let Some(at) = find(string, part, from)? {
        current::spend(ITEM_WORK)?;
        (found, from) = (found + 1, at + part.len());
    }
    if found == 0 {
        return Ok(());
    }
    let bytes = found.checked_mul(put.len()).and_then(|bytes| bytes.checked_add(string.len() - found * part.len()));
    fits_string(bytes)?;
    let mut text = ExactText::sized(bytes.unwrap_or(0));
    from = 0;
    while let Some(at) = find(string, part, from)? {
        current::spend(ITEM_WORK + put.len())?;
        text.push(&string[from..at]);
        text.push(put);
        from = at + part.len();
    }
    text.push(&string[from..]);
    *string = text.into_text();
    Ok(())
}

fn splits(string: &str, by: &str, most: Option<i64>) -> bool {
    most.is_none_or(|most| most > 1) && !string.is_empty() && (by.is_empty() || string.contains(by))
}

fn whole(string: ImmutableString) -> Answer<Array> {
    Ok(vec![string.into()])
}

fn pieces<'a>(pieces: impl Iterator<Item = &'a str>) -> Answer<Array> {
    collect(pieces.map(|piece| ImmutableString::from(piece).into()))
}

fn collect(items: impl Iterator<Item = Dynamic>) -> Answer<Array> {
    let mut array = Array::new();
    for item in items {
        // An item has a size of its own besides the text that it holds.
        current::spend(ITEM_WORK + size_of::<Dynamic>())?;
        fits_array_items(array.len() + 1)?;
        if array.len() == array.capacity() {
            // A large list is not copied when it grows, so what counts is what is added.
            let more = array.len().max(8);
            fits_array_bytes(Some(more * size_of::<Dynamic>()))?;
        }
        array.push(item);
    }
    Ok(array)
}
