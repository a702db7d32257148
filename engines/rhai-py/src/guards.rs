//! Guarded versions of the functions of the crate that can ask for any amount of memory in one operation.
//!
//! `meter.rs` notices an overdrawn budget at the next operation, which is too late for `"x".pad(1 << 40)`: a request
//! that the system cannot serve aborts the process. So each of these reckons what it will need and refuses beforehand.
//! They answer exactly as the functions that they replace (see the conformance corpus), but for `pad` with an empty
//! string, on which the crate loops for ever.

use std::mem::size_of;

use rhai::{
    Array, Blob, Dynamic, EvalAltResult, FuncRegistration, ImmutableString, Map, Module, NativeCallContext, Position,
};

use crate::current;
use crate::meter::{self, Over};

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// Items between two looks at budget and deadline in loops of our own.
const LOOK_EVERY: usize = 1024;

/// Registers `$name` so that it may not change a constant, unlike `Module::set_native_fn`.
macro_rules! mutating {
    ($module:expr, $name:literal, $function:expr) => {
        FuncRegistration::new($name).in_internal_namespace().with_purity(false).set_into_module($module, $function)
    };
}

/// Puts the guarded functions into `module`.
pub fn register(module: &mut Module) {
    mutating!(module, "pad", pad_string_with_char);
    mutating!(module, "pad", pad_string);
    mutating!(module, "pad", pad_array);
    mutating!(module, "pad", pad_blob);
    module.set_native_fn("blob", |len: i64| blob(len, 0));
    module.set_native_fn("blob", blob);
    module.set_native_fn("to_array", |blob: &mut Blob| bytes_to_array(blob));
    module.set_native_fn("parse_json", parse_json);
    register_replace(module);
    register_split(module);
    mutating!(module, "push", |array: &mut Array, item: Dynamic| -> Answer<()> {
        fits_array(array.len() + 1)?;
        array.push(item);
        Ok(())
    });
}

fn register_replace(module: &mut Module) {
    mutating!(module, "replace", |s: &mut ImmutableString, a: &str, b: &str| replace(s, a, b));
    mutating!(module, "replace", |s: &mut ImmutableString, a: &str, b: char| replace(s, a, b.encode_utf8(&mut [0; 4])));
    mutating!(module, "replace", |s: &mut ImmutableString, a: char, b: &str| replace(s, a.encode_utf8(&mut [0; 4]), b));
    mutating!(module, "replace", |s: &mut ImmutableString, a: char, b: char| {
        replace(s, a.encode_utf8(&mut [0; 4]), b.encode_utf8(&mut [0; 4]))
    });
}

fn register_split(module: &mut Module) {
    module.set_native_fn("to_chars", |s: &str| collect(s.chars().map(Dynamic::from)));
    module.set_native_fn("split", |s: ImmutableString| match s.is_empty() {
        true => whole(s),
        false => texts(s.split_whitespace()),
    });
    module.set_native_fn("split", |s: ImmutableString, by: &str| match splits(&s, by, None) {
        true => texts(s.split(by)),
        false => whole(s),
    });
    module.set_native_fn("split", |s: ImmutableString, by: &str, most: i64| match splits(&s, by, Some(most)) {
        true => texts(s.splitn(count(most), by)),
        false => whole(s),
    });
    module.set_native_fn("split", |s: ImmutableString, by: char| match s.contains(by) {
        true => texts(s.split(by)),
        false => whole(s),
    });
    module.set_native_fn("split", |s: ImmutableString, by: char, most: i64| match most > 1 && s.contains(by) {
        true => texts(s.splitn(count(most), by)),
        false => whole(s),
    });
    module.set_native_fn("split_rev", |s: ImmutableString, by: &str| match splits(&s, by, None) {
        true => texts(s.rsplit(by)),
        false => whole(s),
    });
    module.set_native_fn("split_rev", |s: ImmutableString, by: &str, most: i64| match splits(&s, by, Some(most)) {
        true => texts(s.rsplitn(count(most), by)),
        false => whole(s),
    });
    module.set_native_fn("split_rev", |s: ImmutableString, by: char| match s.contains(by) {
        true => texts(s.rsplit(by)),
        false => whole(s),
    });
    module.set_native_fn("split_rev", |s: ImmutableString, by: char, most: i64| match most > 1 && s.contains(by) {
        true => texts(s.rsplitn(count(most), by)),
        false => whole(s),
    });
}

/// The error of data beyond a limit, in the words of the crate.
pub fn too_large(what: &str) -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge(what.into(), Position::NONE).into()
}

fn fits(bytes: Option<usize>, what: &str) -> Answer<()> {
    match bytes {
        Some(bytes) if bytes <= meter::room() => Ok(()),
        _ => Err(too_large(what)),
    }
}

fn fits_string(bytes: Option<usize>) -> Answer<()> {
    match bytes {
        Some(bytes) if bytes <= meter::string_limit() => fits(Some(bytes), "Length of string"),
        _ => Err(too_large("Length of string")),
    }
}

fn fits_array(items: usize) -> Answer<()> {
    if items <= meter::array_limit() { Ok(()) } else { Err(too_large("Size of array/BLOB")) }
}

fn count(number: i64) -> usize {
    usize::try_from(number).unwrap_or(if number < 0 { 0 } else { usize::MAX })
}

fn pad_string_with_char(string: &mut ImmutableString, len: i64, char: char) -> Answer<()> {
    pad_string(string, len, char.encode_utf8(&mut [0; 4]))
}

fn pad_string(string: &mut ImmutableString, len: i64, padding: &str) -> Answer<()> {
    let (len, have, unit) = (count(len), string.chars().count(), padding.chars().count());
    if len <= have || unit == 0 {
        return Ok(());
    }
    let missing = len - have;
    let tail = padding.chars().take(missing % unit).map(char::len_utf8).sum::<usize>();
    let added = (missing / unit).checked_mul(padding.len()).and_then(|bytes| bytes.checked_add(tail));
    // The old buffer is alive while the new one is filled.
    fits_string(added.and_then(|added| added.checked_add(string.len())))?;
    let text = string.make_mut();
    for _ in 0..missing / unit {
        text.push_str(padding);
    }
    text.push_str(&padding[..tail]);
    Ok(())
}

fn pad_array(array: &mut Array, len: i64, item: Dynamic) -> Answer<()> {
    let len = count(len);
    let Some(missing) = len.checked_sub(array.len()).filter(|missing| *missing > 0) else {
        return Ok(());
    };
    fits_array(len)?;
    let each = size_of::<Dynamic>().saturating_add(heap_bytes(&item));
    fits(
        missing.checked_mul(each).and_then(|bytes| bytes.checked_add(array.len() * size_of::<Dynamic>())),
        "Size of array/BLOB",
    )?;
    array.resize(len, item);
    Ok(())
}

fn pad_blob(blob: &mut Blob, len: i64, value: i64) -> Answer<()> {
    let len = count(len);
    if len > blob.len() {
        fits_array(len)?;
        fits(Some(len), "Size of array/BLOB")?;
        blob.resize(len, value.to_le_bytes()[0]);
    }
    Ok(())
}

fn blob(len: i64, value: i64) -> Answer<Blob> {
    let len = count(len);
    fits_array(len)?;
    fits(Some(len), "Size of array/BLOB")?;
    Ok(vec![value.to_le_bytes()[0]; len])
}

fn bytes_to_array(blob: &Blob) -> Answer<Array> {
    fits_array(blob.len())?;
    fits(blob.len().checked_mul(size_of::<Dynamic>()), "Size of array/BLOB")?;
    Ok(blob.iter().map(|byte| Dynamic::from(i64::from(*byte))).collect())
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

fn texts<'a>(pieces: impl Iterator<Item = &'a str>) -> Answer<Array> {
    collect(pieces.map(|piece| ImmutableString::from(piece).into()))
}

fn collect(items: impl Iterator<Item = Dynamic>) -> Answer<Array> {
    let mut array = Array::new();
    for (index, item) in items.enumerate() {
        if index % LOOK_EVERY == 0 {
            current::poll()?;
            fits_array(index)?;
        }
        array.push(item);
    }
    fits_array(array.len())?;
    Ok(array)
}

/// JSON as the crate reads it, through its parser, whose tree is many times larger than the text.
fn parse_json(context: NativeCallContext<'_>, json: &str) -> Answer<Dynamic> {
    let marks = |mark: u8| json.bytes().filter(|byte| *byte == mark).count();
    let parts = marks(b',') + marks(b'[') + marks(b':');
    fits(Some(4 * json.len() + 768 * marks(b'{') + 128 * parts), "JSON text")?;
    context.engine().parse_json(json, true).map(Dynamic::from_map)
}

/// Bytes that a deep copy of `value` allocates. Called on the large stack only.
fn heap_bytes(value: &Dynamic) -> usize {
    if let Some(items) = value.read_lock::<Array>() {
        let inner = items.iter().map(heap_bytes).fold(0, usize::saturating_add);
        return inner.saturating_add(size_of::<Array>() + items.len() * size_of::<Dynamic>());
    }
    if let Some(items) = value.read_lock::<Map>() {
        let inner = items.values().map(heap_bytes).fold(0, usize::saturating_add);
        // Half-filled leaves are the usual case.
        return inner.saturating_add(size_of::<Map>() + 512 + items.len() * 100);
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        return size_of::<Blob>() + bytes.len();
    }
    // Text is shared by its copies; the rest is a small box at most.
    if value.is_string() || value.is_int() || value.is_bool() || value.is_unit() { 0 } else { 64 }
}

/// Text that is being written under the budget of the run; beyond it the run is marked as overdrawn and the text cut.
#[derive(Default)]
pub struct Text {
    text: String,
    writes: usize,
    full: bool,
}

impl Text {
    /// Whether more would be thrown away.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// The text so far.
    pub fn into_string(self) -> String {
        self.text
    }
}

impl std::fmt::Write for Text {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        self.writes += 1;
        if self.full {
            return Ok(());
        }
        // A full buffer is copied into one of twice the size, with both alive.
        let need =
            if self.text.capacity() - self.text.len() < part.len() { 2 * (self.text.len() + part.len()) } else { 0 };
        if need > meter::room() || self.text.len() + part.len() > meter::string_limit() {
            self.full = true;
            meter::overdraw(if need > meter::room() { Over::Memory } else { Over::String });
            return Ok(());
        }
        if self.writes.is_multiple_of(LOOK_EVERY) && current::poll().is_err() {
            self.full = true;
            return Ok(());
        }
        self.text.push_str(part);
        Ok(())
    }
}
