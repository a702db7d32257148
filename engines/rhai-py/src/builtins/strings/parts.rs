//! `sub_string`, `crop`, `pop` and `index_of` from a place of strings.
//!
//! The crate makes a list of all characters for each, with four bytes a character and no look at the deadline.

use std::ops::{Range, RangeInclusive};

use rhai::{ImmutableString, Module};

use crate::bounds::current::Answer;
use crate::builtins::budget::{fits_string, size};
use crate::builtins::exact::ExactText;
use crate::builtins::registration::mutating;
use crate::builtins::strings::characters::{count, place};
use crate::builtins::strings::search::find;

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.set_native_fn("sub_string", |text: &str, start: i64| sub_string(text, start, i64::MAX));
    module.set_native_fn("sub_string", sub_string);
    module.set_native_fn("sub_string", |text: &str, range: Range<i64>| {
        let (start, len) = exclusive(&range);
        sub_string(text, start, len)
    });
    module.set_native_fn("sub_string", |text: &str, range: RangeInclusive<i64>| {
        let (start, len) = inclusive(&range);
        sub_string(text, start, len)
    });
    mutating("crop").set_into_module(module, |text: &mut ImmutableString, start: i64| crop(text, start, i64::MAX));
    mutating("crop").set_into_module(module, crop);
    mutating("crop").set_into_module(module, |text: &mut ImmutableString, range: Range<i64>| {
        let (start, len) = exclusive(&range);
        crop(text, start, len)
    });
    mutating("crop").set_into_module(module, |text: &mut ImmutableString, range: RangeInclusive<i64>| {
        let (start, len) = inclusive(&range);
        crop(text, start, len)
    });
    mutating("pop").set_into_module(module, pop);
    module.set_native_fn("index_of", index_of);
    module.set_native_fn("index_of", |text: &str, part: char, start: i64| {
        index_of(text, part.encode_utf8(&mut [0; 4]), start)
    });
}

fn exclusive(range: &Range<i64>) -> (i64, i64) {
    let start = range.start.max(0);
    (start, range.end.max(start) - start)
}

fn inclusive(range: &RangeInclusive<i64>) -> (i64, i64) {
    let start = (*range.start()).max(0);
    (start, ((*range.end()).max(start) - start).saturating_add(1))
}

/// The place in bytes of the character `start`, which counts from the end if it is negative.
fn begin(text: &str, start: i64) -> Answer<usize> {
    let number = match start {
        start if start >= 0 => size(start),
        start => count(text)?.saturating_sub(usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    place(text, number)
}

fn part(text: &str, start: i64, len: i64) -> Answer<&str> {
    if len <= 0 {
        return Ok("");
    }
    let rest = &text[begin(text, start)?..];
    Ok(&rest[..place(rest, size(len))?])
}

fn sub_string(text: &str, start: i64, len: i64) -> Answer<ImmutableString> {
    let part = part(text, start, len)?;
    fits_string(Some(part.len()))?;
    let mut copy = ExactText::sized(part.len());
    copy.push(part);
    Ok(copy.into_text())
}

fn crop(text: &mut ImmutableString, start: i64, len: i64) -> Answer<()> {
    *text = sub_string(text, start, len)?;
    Ok(())
}

fn pop(text: &mut ImmutableString, len: i64) -> Answer<ImmutableString> {
    if text.is_empty() || len <= 0 {
        return Ok(ImmutableString::new());
    }
    let at = place(text, count(text)?.saturating_sub(size(len)))?;
    fits_string(Some(text.len()))?;
    let end: ImmutableString = text[at..].into();
    *text = text[..at].into();
    Ok(end)
}

fn index_of(text: &str, part: &str, start: i64) -> Answer<i64> {
    let from = begin(text, start)?;
    if text.is_empty() || (start > 0 && from == text.len()) {
        return Ok(-1);
    }
    match find(text, part, from)? {
        Some(at) => Ok(i64::try_from(count(&text[..at])?).unwrap_or(-1)),
        None => Ok(-1),
    }
}
