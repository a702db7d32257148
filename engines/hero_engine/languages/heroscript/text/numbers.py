"""Parses the numbers of the language: strict, ASCII digits only. Pure functions.

They raise plain ValueError. The getters add the key, the place and the reference's wording.

Source: HeroScript specification, section 9.
"""

from __future__ import annotations

import math
import re

_INT = re.compile(r"([+-]?)([0-9]++(?:_[0-9]++)*+)")
_FLOAT = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+")
# 2**64 has 20 decimal digits. Converting a longer text would only take time, and Python refuses more than 4300 digits.
_MAX_DIGITS = 20


def parse_int(text: str, bits: int, *, signed: bool) -> int:
    """Parse an integer of a given width.

    Args:
        text: Decimal digits, with single underscores between them, and a sign if `signed`.
        bits: 8, 16, 32 or 64.
        signed: A sign is allowed, and the range is that of two's complement.

    Raises:
        ValueError: It is not a number or is out of range. The reference lets i8 and i16 wrap instead [Q35].
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
    """Parse a decimal number with an optional exponent.

    Raises:
        ValueError: It is not a number, in the words of the reference's parser; or it is too large, because infinity
            cannot be written as JSON.
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
    """Parse a number; a `%` anywhere in it divides it by 100.

    Raises:
        ValueError: What is left without the sign is not a number.
    """
    plain = text.replace("%", "")
    number = parse_float(plain)
    return number / 100 if plain != text else number
