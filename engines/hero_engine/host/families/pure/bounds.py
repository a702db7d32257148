"""What the families that read and write texts share: bounds of size, number and depth, and numbers of 64 bits.

Invariant: a text from outside costs no more than its size allows.
"""

from __future__ import annotations

import re

from hero_engine.errors import FunctionError

#: Longest text, in characters.
MAX_CHARS = 8 << 20
#: Most values in one text, and their deepest nesting.
MAX_VALUES = 500_000
MAX_DEPTH = 100

_INT = re.compile(r"[-+]?[0-9]{1,19}")


def check_value(value: object) -> None:
    """Refuse what is too large or deep, or has no form as text."""
    values = 0
    level: list[object] = [value]
    for _ in range(MAX_DEPTH + 1):
        values += len(level)
        if values > MAX_VALUES:
            raise FunctionError(f"there are more than {MAX_VALUES} values")
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list):
                below += item
            elif isinstance(item, bytes):
                raise FunctionError("a blob has no form as text; use base64_encode")
            elif item is not None and not isinstance(item, str | int | float):
                raise FunctionError("functions and objects have no form as text")
            elif isinstance(item, float) and (item != item or item in (float("inf"), float("-inf"))):  # noqa: PLR0124
                raise FunctionError("a number is infinite, or none")
        if not below:
            return
        level = below
    raise too_deep()


def read_int(text: str) -> int:
    if not _INT.fullmatch(text):
        raise FunctionError(f"the number {text[:40]} has more than 64 bits")
    return in_range(int(text))


def in_range(number: int) -> int:
    if not -(1 << 63) <= number < 1 << 63:
        raise FunctionError("a number has more than 64 bits")
    return number


def read_float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise FunctionError(f"the number {text[:40]} is too large")
    return number


def cell(value: object) -> str:
    if isinstance(value, dict | list):
        raise FunctionError("a cell is a text, a number, a bool or ()")
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def check_size(text: str | bytes, most: int = MAX_CHARS) -> None:
    if len(text) > most:
        raise FunctionError(f"{len(text)} characters are more than {most}")


def bounded(text: str) -> str:
    check_size(text)
    return text


def too_deep() -> FunctionError:
    return FunctionError(f"the values are nested more than {MAX_DEPTH} levels deep")
