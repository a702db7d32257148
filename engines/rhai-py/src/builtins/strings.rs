//! `pad`, `replace`, `split`, `split_rev` and `to_chars` of strings, within the budget of the run.
//!
//! `pad` with an empty string returns immediately; the crate never returns from it.

use rhai::{Array, Dynamic, ImmutableString, Module};

use crate::bounds::current::{self, Answer};
use crate::builtins::budget::{LOOK_EVERY, fits_array_items, fits_string, size};
use crate::builtins::registration::mutating;

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

/// Registers the functions.
pub fn register(module: &mut Module) {
    mutating("pad").set_into_module(module, |s: &mut ImmutableString, len: i64, char: char| {
        pad(s, len, char.encode_utf8(&mut [0; 4]))
    });
    mutating("pad").set_into_module(module, pad);
    mutating("replace").set_into_module(module, |s: &mut ImmutableString, a: &str, b: &str| replace(s, a, b));
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
    let (len, have, unit) = (size(len), string.chars().count(), padding.chars().count());
    if len <= have || unit == 0 {
        return Ok(());
    }
    let missing = len - have;
    let tail = padding.chars().take(missing % unit).map(char::len_utf8).sum::<usize>();
    let added = (missing / unit).checked_mul(padding.len()).and_then(|bytes| bytes.checked_add(tail));
    // The old buffer exists while the new one is filled.
    fits_string(added.and_then(|added| added.checked_add(string.len())))?;
    let text = string.make_mut();
    for _ in 0..missing / unit {
        text.push_str(padding);
    }
    text.push_str(&padding[..tail]);
    Ok(())
}

fn replace(string: &mut ImmutableString, find: &str, put: &str) -> Answer<()> {
    if string.is_empty() {
        return Ok(());
    }
    let found = string.matches(find).count();
    let kept = string.len() - found * find.len();
    fits_string(found.checked_mul(put.len()).and_then(|bytes| bytes.checked_add(kept)))?;
    *string = string.replace(find, put).into();
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
    for (index, item) in items.enumerate() {
        if index % LOOK_EVERY == 0 {
            current::poll()?;
            fits_array_items(index)?;
        }
        array.push(item);
    }
    fits_array_items(array.len())?;
    Ok(array)
}
