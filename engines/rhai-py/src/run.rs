//! `Run`: the handle of one evaluation, and the text that it collects.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use rhai::Position;

use crate::core::Sink;
use crate::current;
use crate::errors::errors_item;
use crate::stack;
use crate::watch::Watch;

/// Collected `print` and `debug` text, cut off at a number of bytes.
#[derive(Default)]
pub struct Output {
    text: Mutex<String>,
    max_bytes: AtomicUsize,
    seen_bytes: AtomicUsize,
}

impl Output {
    fn add(&self, line: &str) {
        self.seen_bytes.fetch_add(line.len() + 1, Relaxed);
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.max_bytes.load(Relaxed).saturating_sub(text.len());
        if line.len() < room {
            text.push_str(line);
            text.push('\n');
        } else {
            let mut end = room.min(line.len());
            while !line.is_char_boundary(end) {
                end -= 1;
            }
            text.push_str(&line[..end]);
            // Nothing may follow a cut line, not even a shorter one.
            self.max_bytes.store(text.len(), Relaxed);
        }
    }
}

/// Where the output of one run goes: to callbacks, else into its `Output`.
pub struct Printer {
    /// Called with the text and its position.
    pub on_print: Option<Py<PyAny>>,
    /// Called with the text and its position.
    pub on_debug: Option<Py<PyAny>>,
    /// Where text goes that has no callback.
    pub output: Option<Arc<Output>>,
    /// Told when a callback fails.
    pub watch: Arc<Watch>,
}

impl Printer {
    fn put(&self, callback: Option<&Py<PyAny>>, text: &str, source: Option<&str>, position: Position) {
        let Some(callback) = callback else {
            if let Some(output) = &self.output {
                output.add(text);
            }
            return;
        };
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

impl Sink for Printer {
    fn print(&self, text: &str) {
        let (source, position) = current::take_print();
        self.put(self.on_print.as_ref(), text, source.as_deref(), position);
    }

    fn debug(&self, text: &str, source: Option<&str>, position: Position) {
        self.put(self.on_debug.as_ref(), text, source, position);
    }
}

/// The handle of one evaluation: made before it, given to `Engine.eval`, and usable from any thread.
#[pyclass(frozen, module = "rhai")]
pub struct Run {
    /// Budget and stop signal.
    pub watch: Arc<Watch>,
    /// What the script printed.
    pub output: Arc<Output>,
    /// Nanoseconds from start to end.
    pub took_ns: AtomicU64,
}

impl Run {
    /// Sets how much text is collected.
    pub fn set_output_bytes(&self, bytes: usize) {
        self.output.max_bytes.store(bytes, Relaxed);
    }
}

/// What an evaluation has used.
#[pyclass(frozen, eq, module = "rhai")]
#[derive(PartialEq)]
pub struct Usage {
    /// Operations of the crate, callbacks included.
    #[pyo3(get)]
    operations: u64,
    /// Wall-clock seconds; of a run that has not ended: 0.
    #[pyo3(get)]
    elapsed_s: f64,
    /// The most bytes that the script, or its parser, has held at once.
    #[pyo3(get)]
    peak_bytes: u64,
    /// Bytes that were printed, also those that were cut off.
    #[pyo3(get)]
    output_bytes: usize,
}

#[pymethods]
impl Usage {
    fn __repr__(&self) -> String {
        format!(
            "Usage(operations={}, elapsed_s={:.6}, peak_bytes={}, output_bytes={})",
            self.operations, self.elapsed_s, self.peak_bytes, self.output_bytes
        )
    }
}

#[pymethods]
impl Run {
    #[new]
    fn new() -> Self {
        Self { watch: Arc::new(Watch::new()), output: Arc::default(), took_ns: AtomicU64::new(0) }
    }

    /// Ends the evaluation: at its next operation, or at once in `sleep`. Also before it has begun. Never blocks.
    fn cancel(&self) {
        self.watch.cancel();
    }

    /// Whether `cancel` was called.
    #[getter]
    fn cancelled(&self) -> bool {
        self.watch.is_cancelled()
    }

    /// The text from `print` and `debug` that went to no callback, at most `Limits.output_bytes` of it.
    #[getter]
    fn output(&self) -> String {
        self.output.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether output was cut off.
    #[getter]
    fn output_truncated(&self) -> bool {
        self.output.seen_bytes.load(Relaxed) > self.output.text.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// What the evaluation has used so far.
    #[getter]
    fn usage(&self) -> Usage {
        #[expect(clippy::cast_precision_loss, reason = "nanoseconds below 2^53 for 104 days")]
        let elapsed_s = self.took_ns.load(Relaxed) as f64 / 1e9;
        Usage {
            operations: self.watch.operations(),
            elapsed_s,
            peak_bytes: self.watch.peak_bytes(),
            output_bytes: self.output.seen_bytes.load(Relaxed),
        }
    }
}
