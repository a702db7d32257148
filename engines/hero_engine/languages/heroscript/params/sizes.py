"""Parses storage capacities. Pure.

Source: HeroScript specification, section 9, get_storagecapacity.
"""

from __future__ import annotations

from hero_engine.languages.heroscript.text.numbers import parse_int

_UNITS = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
GIGABYTE = 1 << 30


class UnitError(ValueError):
    """The unit is not KB, MB or GB."""


def parse_bytes(text: str, *, default_unit: int = 1) -> int:
    """Parse a capacity.

    Args:
        text: Digits, and optionally KB, MB or GB in any case (powers of 1024), with or without a blank between [Q36].
        default_unit: The unit of a number without one, in bytes.

    Returns:
        The capacity in bytes.

    Raises:
        UnitError: It has another unit of two letters.
        ValueError: It is not a number, or has more than 64 bits.
    """
    text = text.strip(" ")
    unit = text[-2:].lower()
    factor = default_unit
    if len(unit) == 2 and unit.isalpha():
        if unit not in _UNITS:
            raise UnitError(f"not valid: should end with kb, mb or gb, it is {text[:40]}")
        factor = _UNITS[unit]
        text = text[:-2].rstrip(" ")
    number = parse_int(text, 64, signed=False) * factor
    if number >= 1 << 64:
        raise ValueError("capacity out of range")
    return number
