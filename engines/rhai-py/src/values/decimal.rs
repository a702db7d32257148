//! Decimals: the Python class, and conversion without rounding.

use std::str::FromStr;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use rust_decimal::Decimal;

/// The most digits that `Decimal::from_scientific` certainly keeps.
const EXACT_DIGITS: usize = 28;

/// The class `decimal.Decimal`.
pub fn decimal_class(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    CLASS
        .get_or_try_init(py, || py.import("decimal")?.getattr("Decimal").map(Bound::unbind))
        .map(|class| class.bind(py))
}

/// The decimal that `text` writes, or `None` if it does not fit exactly: the crate would round it silently.
pub fn exact(text: &str) -> Option<Decimal> {
    if text.contains(['e', 'E']) {
        let number = Decimal::from_scientific(text).ok()?;
        let digits = text.split(['e', 'E']).next()?.chars().filter(char::is_ascii_digit).count();
        return (digits <= EXACT_DIGITS).then_some(number);
    }
    Decimal::from_str_exact(text).ok().or_else(|| Decimal::from_str(text).ok().filter(|n| n.to_string() == text))
}
