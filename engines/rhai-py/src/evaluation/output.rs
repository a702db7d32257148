//! What scripts print: collected text, and the callbacks of Python.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use rhai::Position;

use crate::bounds::watch::Watch;
use crate::bounds::{current, stack};
use crate::values::package::errors_item;
use crate::values::prefix::prefix;

/// Collected `print` and `debug` text, cut off after a number of bytes.
#[derive(Default)]
pub struct Output {
    text: Mutex<String>,
    max_bytes: AtomicUsize,
    printed_bytes: AtomicUsize,
}

impl Output {
    /// Sets how many bytes of text are collected.
    pub fn set_max_bytes(&self, bytes: usize) {
        self.max_bytes.store(bytes, Relaxed);
    }

    /// A copy of the collected text.
    pub fn text(&self) -> String {
        self.lock().clone()
    }

    /// Bytes that were printed, including those that were cut off.
    pub fn printed_bytes(&self) -> usize {
        self.printed_bytes.load(Relaxed)
    }

    /// Whether text was cut off.
    pub fn is_truncated(&self) -> bool {
        self.printed_bytes() > self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, String> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &str) {
        self.printed_bytes.fetch_add(line.len() + 1, Relaxed);
        let mut text = self.lock();
        let room = self.max_bytes.load(Relaxed).saturating_sub(text.len());
        if line.len() < room {
            text.push_str(line);
            text.push('\n');
        } else {
            text.push_str(prefix(line, room));
            // Nothing may follow a cut line, not even a shorter one.
            self.max_bytes.store(text.len(), Relaxed);
        }
    }
}

/// Where the output of one run goes: to callbacks, otherwise into its `Output`.
pub struct Printer {
    /// Called with each text of `print` and its position.
    pub on_print: Option<Py<PyAny>>,
    /// Called with each text of `debug` and its position.
    pub on_debug: Option<Py<PyAny>>,
    /// Collects text that has no callback.
    pub output: Option<Arc<Output>>,
    /// Ends the run when a callback fails.
    pub watch: Arc<Watch>,
    /// Bytes of one text that a callback gets at most.
    pub max_bytes: usize,
}

impl Printer {
    /// Takes the text of one `print`.
    pub fn print(&self, text: &str) {
        let (source, position) = current::take_print();
        self.put(self.on_print.as_ref(), text, source.as_deref(), position);
    }

    /// Takes the text of one `debug`.
    pub fn debug(&self, text: &str, source: Option<&str>, position: Position) {
        self.put(self.on_debug.as_ref(), text, source, position);
    }

    fn put(&self, callback: Option<&Py<PyAny>>, text: &str, source: Option<&str>, position: Position) {
        let Some(callback) = callback else {
            if let Some(output) = &self.output {
                output.add(text);
            }
            return;
        };
        // Cut here, because Python would copy a text of any size with its lock held.
        let cut = (text.len() > self.max_bytes)
            .then(|| format!("{} ... ({} bytes)", prefix(text, self.max_bytes), text.len()));
        let text = cut.as_deref().unwrap_or(text);
        let called = stack::at_home(|| {
            Python::try_attach(|py| {
                let place = errors_item(py, "Position")?.call1((source, position.line(), position.position()))?;
                callback.call1(py, (text, place)).map(drop)
            })
        });
        if let Some(Err(error)) = called {
            self.watch.raise(error);
        }
    }
}
