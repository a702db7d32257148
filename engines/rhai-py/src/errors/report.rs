//! `Report`: a failed evaluation as plain data, before it becomes an exception.
//!
//! Reports are made on the large stack, because the value that a script threw may be nested deeply. What leaves that
//! stack is shallow, so any thread can handle and drop it. Invariant: `kind` is the name of the crate's own variant,
//! and the position is that of the innermost error.

use std::fmt::Write;
use std::sync::Arc;

use pyo3::PyErr;
use rhai::{Dynamic, EvalAltResult, ParseError, Position};

use crate::values::depth;
use crate::values::prefix::prefix;
use crate::values::raised::Raised;

/// Longer messages are cut; a script may throw any text.
const MESSAGE_BYTES: usize = 16 << 10;

/// Which exception class of `rhai/_errors.py` an error becomes.
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
    /// Where that script called it.
    pub position: Position,
}

/// An error, ready to become an exception.
pub struct Report {
    /// The class of the exception.
    pub class: Class,
    /// The name of the crate's variant, such as `ErrorVariableNotFound`.
    pub kind: String,
    /// One line, without the position.
    pub message: String,
    /// Where the error happened.
    pub position: Position,
    /// The script or module in which it happened.
    pub source: Option<String>,
    /// The calls that led to the error, outermost first.
    pub frames: Vec<Call>,
    /// What the script threw.
    pub value: Option<Dynamic>,
    /// The exception of a callback, if the script did not catch it.
    pub raised: Option<Arc<PyErr>>,
}

impl Report {
    /// A report without a place.
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

    /// The report of a script that failed. `name` is the name of the script.
    pub fn of_script(mut error: EvalAltResult, name: Option<&str>) -> Self {
        let mut frames = Vec::new();
        let mut source = name.map(String::from);
        let mut in_module = false;
        // The place of the import, for errors about the module as a whole.
        let mut imported = (source.clone(), Position::NONE);
        loop {
            error = match error {
                EvalAltResult::ErrorInFunctionCall(function, called_source, inner, position) => {
                    // The crate names the source of the callee, but the call itself is in the caller's source.
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

    /// The same place with another class, kind and message. The crate says "terminated"; only the watch knows why.
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

/// Text that stops its formatting once it is `MESSAGE_BYTES` long.
#[derive(Default)]
struct Message(String);

impl Write for Message {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        let fitting = prefix(part, MESSAGE_BYTES - self.0.len());
        self.0.push_str(fitting);
        if fitting.len() == part.len() { Ok(()) } else { Err(std::fmt::Error) }
    }
}

/// The variant name at the start of a derived `Debug` text.
fn variant_name(debug: &str) -> String {
    debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().into()
}

fn kind_of(error: &EvalAltResult) -> String {
    // `Debug` would format the values in the error, and those may be of any size.
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
