"""Numbers as the language writes them. Pure functions, strict, ASCII digits only.

Raises plain ValueError: the getters add key, place and the wording of the reference.

Source: HeroScript specification, section 9.
"""

from __future__ import annotations

import math
import re

_INT = re.compile(r"([+-]?)([0-9]++(?:_[0-9]++)*+)")
_FLOAT = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+")
# The decimal digits of 2**64: int() of a longer text would only cost time (and is refused beyond 4300 digits).
_MAX_DIGITS = 20


def parse_int(text: str, bits: int, *, signed: bool) -> int:
    """An integer of a given width.

    Args:
        text: decimal digits with single underscores between them; a sign if `signed`.
        bits: 8, 16, 32 or 64.
        signed: whether a sign is allowed and the range is that of two's complement.

    Raises:
        ValueError: not a number, or out of range; i8 and i16 too, which the reference lets wrap [Q35].
    """
    found = _INT.fullmatch(text)
    if not found or (found[1] and not signed):
        raise ValueError(f"not an integer: {text[:40]}")
    digits = found[2].replace("_", "").lstrip("0") or "0"
    if len(digits) > _MAX_DIGITS:
        raise ValueError("integer out of range")
    number = -int(digits) if found[1] == "-" else int(digits)
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if not low <= number <= high:
        raise ValueError("integer out of range")
    return number


def parse_float(text: str) -> float:
    """A decimal number with an optional exponent.

    Raises:
        ValueError: in the words of the reference's number parser; also for what does not fit, as infinity would not
            survive JSON.
    """
    if not text:
        raise ValueError("expected a number found an empty string")
    found = _FLOAT.match(text)
    if not found:
        raise ValueError("not a number")
    if found.end() < len(text):
        raise ValueError("extra char after number")
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


def parse_percent(text: str) -> float:
    """A number that `%`, anywhere in it, divides by 100.

    Raises:
        ValueError: not a number without the sign.
    """
    plain = text.replace("%", "")
    number = parse_float(plain)
    return number / 100 if plain != text else number
