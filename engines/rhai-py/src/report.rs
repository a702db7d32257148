//! An error of the crate as plain data.
//!
//! Made on the large stack, because the value that a script threw may be nested deeply: what leaves here is shallow
//! enough to be handled, and dropped, anywhere. Invariant: `kind` is the variant name that the crate itself uses, and
//! the position is that of the innermost error.

use std::fmt::Write;
use std::sync::Arc;

use pyo3::PyErr;
use rhai::{Dynamic, EvalAltResult, ParseError, Position};

use crate::depth;
use crate::host::Raised;

/// Longest message; a script may throw any text.
const MESSAGE_BYTES: usize = 16 << 10;

/// What an error is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// `RhaiParseError`
    Parse,
    /// `RhaiRuntimeError`
    Runtime,
    /// `RhaiLimitError`
    Limit,
    /// `RhaiTimeoutError`
    Timeout,
    /// `RhaiCancelledError`
    Cancelled,
    /// `RhaiModuleError`
    Module,
    /// `RhaiConversionError`
    Conversion,
    /// `RhaiInternalError`
    Internal,
}

/// One call on the way to an error.
pub struct Call {
    /// The function that was called.
    pub function: String,
    /// The script that called it.
    pub source: Option<String>,
    /// Where it called.
    pub position: Position,
}

/// An error, ready to become an exception.
pub struct Report {
    /// Which exception.
    pub class: Class,
    /// Variant name.
    pub kind: String,
    /// One line, without the position.
    pub message: String,
    /// Where.
    pub position: Position,
    /// In which script.
    pub source: Option<String>,
    /// Outermost first.
    pub frames: Vec<Call>,
    /// What was thrown.
    pub value: Option<Dynamic>,
    /// The exception of a callback, if that is what was thrown.
    pub raised: Option<Arc<PyErr>>,
}

impl Report {
    /// A report of our own.
    pub fn new(class: Class, kind: &str, message: impl Into<String>) -> Self {
        Self {
            class,
            kind: kind.into(),
            message: message.into(),
            position: Position::NONE,
            source: None,
            frames: Vec::new(),
            value: None,
            raised: None,
        }
    }

    /// The report of a script that does not parse.
    pub fn of_parse_error(error: &ParseError, name: Option<&str>) -> Self {
        Self {
            position: error.1,
            source: name.map(Into::into),
            ..Self::new(Class::Parse, &variant_name(&format!("{:?}", error.0)), error.0.to_string())
        }
    }

    /// The report of a script that failed. `name` is what the script is called.
    pub fn of_script(mut error: EvalAltResult, name: Option<&str>) -> Self {
        let mut frames = Vec::new();
        let mut source = name.map(String::from);
        let mut in_module = false;
        // Where a module was imported, for errors about the module as a whole.
        let mut imported = (source.clone(), Position::NONE);
        loop {
            error = match error {
                EvalAltResult::ErrorInFunctionCall(function, called_source, inner, position) => {
                    // The crate names the source of the callee; the call itself stands in the source before it.
                    frames.push(Call { function, source: source.clone(), position });
                    source = Some(called_source).filter(|name| !name.is_empty()).or(source);
                    *inner
                }
                EvalAltResult::ErrorInModule(name, inner, position) => {
                    in_module = true;
                    imported = (source.clone(), position);
                    source = Some(name).filter(|name| !name.is_empty()).or(source);
                    *inner
                }
                error => {
                    let report = Self { source, frames, ..Self::of_innermost(error, in_module) };
                    return match in_module && report.position.is_none() {
                        true => Self { source: imported.0, position: imported.1, ..report },
                        false => report,
                    };
                }
            }
        }
    }

    /// The same place under another name: what the crate calls terminated has a cause that only the watch knows.
    pub fn restated(self, class: Class, kind: &str, message: impl Into<String>) -> Self {
        Self { class, kind: kind.into(), message: message.into(), value: None, raised: None, ..self }
    }

    fn of_innermost(mut error: EvalAltResult, in_module: bool) -> Self {
        let position = error.take_position();
        let class = match &error {
            EvalAltResult::ErrorModuleNotFound(..) => Class::Module,
            EvalAltResult::ErrorTooManyOperations(_)
            | EvalAltResult::ErrorTooManyVariables(_)
            | EvalAltResult::ErrorTooManyModules(_)
            | EvalAltResult::ErrorStackOverflow(_)
            | EvalAltResult::ErrorDataTooLarge(..) => Class::Limit,
            _ if in_module => Class::Module,
            EvalAltResult::ErrorParsing(..) => Class::Parse,
            _ => Class::Runtime,
        };
        let kind = match &error {
            EvalAltResult::ErrorParsing(error, _) => variant_name(&format!("{error:?}")),
            error => kind_of(error),
        };
        let mut message = Message::default();
        let _cut = write!(message, "{error}");
        let raised = match &error {
            EvalAltResult::ErrorRuntime(value, _) => value.read_lock::<Raised>().map(|raised| raised.0.clone()),
            _ => None,
        };
        let value = match error {
            EvalAltResult::ErrorRuntime(value, _) if !value.is_unit() && raised.is_none() => depth::shallow(value).ok(),
            _ => None,
        };
        Self { class, kind, message: message.0, position, source: None, frames: Vec::new(), value, raised }
    }
}

/// Text that ends the formatting once it is long enough.
#[derive(Default)]
struct Message(String);

impl Write for Message {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        let mut end = part.len().min(MESSAGE_BYTES - self.0.len());
        while !part.is_char_boundary(end) {
            end -= 1;
        }
        self.0.push_str(&part[..end]);
        if end < part.len() {
            return Err(std::fmt::Error);
        }
        Ok(())
    }
}

/// The variant name at the start of a derived `Debug` text.
fn variant_name(debug: &str) -> String {
    debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().into()
}

fn kind_of(error: &EvalAltResult) -> String {
    // `Debug` would walk into the values of the error, and those may be of any size.
    match error {
        EvalAltResult::ErrorRuntime(..) => "ErrorRuntime".into(),
        EvalAltResult::ErrorTerminated(..) => "ErrorTerminated".into(),
        EvalAltResult::ErrorIndexNotFound(..) => "ErrorIndexNotFound".into(),
        EvalAltResult::Return(..) => "Return".into(),
        EvalAltResult::Exit(..) => "Exit".into(),
        EvalAltResult::LoopBreak(..) => "LoopBreak".into(),
        error => variant_name(&format!("{error:?}")),
    }
}
