//! `Run` and `Usage`: the Python handle of one evaluation, and what the evaluation has used.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pyo3::prelude::*;

use crate::bounds::watch::Watch;
use crate::evaluation::output::Output;

/// The handle of one evaluation. Python creates it, passes it to `Engine.eval`, and may use it from any thread.
#[pyclass(frozen, module = "rhai")]
pub struct Run {
    /// Budget and stop signal.
    pub watch: Arc<Watch>,
    /// What the script printed.
    pub output: Arc<Output>,
    /// Nanoseconds from start to end; 0 until the run has ended.
    pub took_ns: AtomicU64,
}

/// What an evaluation has used.
#[pyclass(frozen, eq, module = "rhai")]
#[derive(PartialEq)]
pub struct Usage {
    /// Operations of the Rhai crate, callbacks included.
    #[pyo3(get)]
    operations: u64,
    /// Wall-clock seconds; 0 until the run has ended.
    #[pyo3(get)]
    elapsed_s: f64,
    /// The most bytes that the script, or its parser, has held.
    #[pyo3(get)]
    peak_bytes: u64,
    /// Bytes that the script printed, including those that were cut off.
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

    /// Ends the evaluation at its next operation, or immediately if it sleeps. Also works before it starts.
    /// Never blocks.
    fn cancel(&self) {
        self.watch.cancel();
    }

    /// Whether `cancel` was called.
    #[getter]
    fn cancelled(&self) -> bool {
        self.watch.is_cancelled()
    }

    /// The text of `print` and `debug` that went to no callback, at most `Limits.output_bytes` of it.
    #[getter]
    fn output(&self) -> String {
        self.output.text()
    }

    /// Whether output was cut off.
    #[getter]
    fn output_truncated(&self) -> bool {
        self.output.is_truncated()
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
            output_bytes: self.output.printed_bytes(),
        }
    }
}
