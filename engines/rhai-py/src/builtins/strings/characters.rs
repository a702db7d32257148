//! `chars` of strings and `for c in string`, without a list of all characters.
//!
//! The crate makes that list first, with four bytes for each character of the string.

use std::any::TypeId;
use std::ops::{Range, RangeInclusive};

use rhai::{Dynamic, ImmutableString, Module};

use crate::bounds::current::{self, Answer};
use crate::builtins::budget::size;

/// Bytes that are searched for the place of a character between two looks at the deadline.
const CHUNK: usize = 64 << 10;

/// The characters of a part of a string.
#[derive(Clone)]
struct Characters {
    text: ImmutableString,
    /// The place of the next character in bytes.
    at: usize,
    /// Characters that are left at most.
    left: usize,
}

impl Iterator for Characters {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        self.left = self.left.checked_sub(1)?;
        let next = self.text.get(self.at..)?.chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }
}

/// Registers the functions and the iterator.
pub fn register(module: &mut Module) {
    module.set_iterator::<Characters>();
    module.set_iter(TypeId::of::<ImmutableString>(), |value: Dynamic| {
        let text = value.into_immutable_string().unwrap_or_default();
        Box::new(Characters { text, at: 0, left: usize::MAX }.map(Dynamic::from))
    });
    module.set_native_fn("chars", |text: ImmutableString| characters(text, 0, i64::MAX));
    module.set_getter_fn("chars", |text: &mut ImmutableString| characters(text.clone(), 0, i64::MAX));
    module.set_native_fn("chars", |text: ImmutableString, start: i64| characters(text, start, i64::MAX));
    module.set_native_fn("chars", characters);
    module.set_native_fn("chars", |text: ImmutableString, range: Range<i64>| {
        let from = range.start.max(0);
        characters(text, from, range.end.max(from) - from)
    });
    module.set_native_fn("chars", |text: ImmutableString, range: RangeInclusive<i64>| {
        let from = (*range.start()).max(0);
        characters(text, from, (*range.end()).max(from - 1).saturating_sub(from).saturating_add(1))
    });
}

fn characters(text: ImmutableString, start: i64, len: i64) -> Answer<Characters> {
    let left = size(len);
    let skipped = match start {
        0 => 0,
        start if start > 0 => size(start),
        start => count(&text)?.saturating_sub(usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    let at = if left == 0 { text.len() } else { place(&text, skipped)? };
    Ok(Characters { text, at, left })
}

/// How many characters `text` has.
pub fn count(text: &str) -> Answer<usize> {
    let mut count = 0;
    for chunk in text.as_bytes().chunks(CHUNK) {
        current::spend(chunk.len() / 8)?;
        count += starts(chunk);
    }
    Ok(count)
}

/// The place in bytes of the character with this number; the end of `text` if it has fewer.
pub fn place(text: &str, number: usize) -> Answer<usize> {
    let (mut at, mut number) = (0, number);
    for chunk in text.as_bytes().chunks(CHUNK) {
        current::spend(chunk.len() / 8)?;
        let here = starts(chunk);
        if here > number {
            let within = chunk.iter().enumerate().filter(|(_, byte)| is_start(**byte)).nth(number);
            return Ok(within.map_or(text.len(), |(index, _)| at + index));
        }
        number -= here;
        at += chunk.len();
    }
    Ok(text.len())
}

fn starts(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| is_start(**byte)).count()
}

fn is_start(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}
