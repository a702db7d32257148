"""Turns a script's result, a Python value, into the two texts of a job: `output` and `output_json`.

The Rhai and HeroScript engines call it once for every job, so the most frequent types come first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

import orjson

from hero_engine.engine import Done, Failed, Outcome

#: Outside this range Rhai writes a float with an exponent. The bounds are 1e13 and 1e-13 as 32-bit floats.
#: Source: rhai src/types/float.rs, MAX_NATURAL_FLOAT_FOR_DISPLAY and MIN_NATURAL_FLOAT_FOR_DISPLAY.
_MAX_PLAIN = 9_999_999_827_968.0
_MIN_PLAIN = 9.999999824516700e-14

_NOTHING = Done("")


def present_value(value: object) -> Done | Failed:
    """Turn a script's result into an outcome.

    Args:
        value: None, bool, int, float, Decimal, str, bytes, and sequences and string-keyed maps of these. For any
            other value the result is its `str`.

    Returns:
        `Done`, or `Failed` of kind `result_not_presentable` if the value is nested too deeply for JSON.
    """
    kind = value.__class__
    if kind is str:
        return Done(value)  # type: ignore[arg-type]  # mypy does not narrow by `__class__`, which is faster
    if kind is int:
        text = str(value)
        return Done(text, text)
    if value is None:
        return _NOTHING
    if kind is bool:
        text = "true" if value else "false"
        return Done(text, text)
    if isinstance(value, float):
        return Done(float_text(value), _json(value))
    try:
        if isinstance(value, Decimal):
            return Done(str(value), _json(value))
        if isinstance(value, Mapping | Sequence):
            text = _json(value)
            return Done(text, text)
        text = str(value)
        return Done(text, _json(text))
    except (TypeError, ValueError) as e:  # orjson.JSONEncodeError is a TypeError
        return Failed("result_not_presentable", f"the result cannot be written as JSON: {e}")


def bounded(outcome: Outcome, max_bytes: int | None) -> Outcome:
    """Refuse a result that is too large.

    Args:
        outcome: How a run ended.
        max_bytes: Size of the largest result, as UTF-8; None for no limit.

    Returns:
        The outcome, or `Failed` of kind `result_too_large`.
    """
    if not isinstance(outcome, Done) or max_bytes is None:
        return outcome
    output, output_json = outcome.output, outcome.output_json
    # A character has at most four bytes, so most results need not be encoded to learn their size.
    size = len(output) if len(output) * 4 <= max_bytes else _utf8_bytes(output)
    if output_json is not None and output_json is not output:
        size = max(size, len(output_json) if len(output_json) * 4 <= max_bytes else _utf8_bytes(output_json))
    if size <= max_bytes:
        return outcome
    message = f"the result has {size} bytes; the limit is {max_bytes}. Return less, or raise max_result_bytes."
    return Failed("result_too_large", message)


def _utf8_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def float_text(value: float) -> str:
    """Write a float as Rhai does: always with a point or an exponent, and without a plus sign in the exponent.

    Args:
        value: Any float.

    Returns:
        The text, for example `1.0` or `1e-20`.

    Source: rhai src/types/float.rs, Display of FloatWrapper; Rust's Display and LowerExp of f64.
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if value == 0:
        return "0.0"  # Rhai does not show the sign of zero
    if not _MIN_PLAIN <= abs(value) <= _MAX_PLAIN:
        digits, _, exponent = f"{Decimal(repr(value)).normalize():e}".partition("e")
        return f"{digits}e{int(exponent)}"
    text = repr(value)
    return f"{Decimal(text):f}" if "e" in text else text


def _json(value: object) -> str:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()


def _plain(value: object) -> object:
    """Convert a type that orjson does not know to one that it does."""
    if isinstance(value, Decimal):
        # Keep all digits: a float would lose some.
        return orjson.Fragment(f"{value:f}")
    if isinstance(value, bytes | bytearray):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    return str(value)
