"""Storage capacities. Pure.

Source: HeroScript specification, section 9, get_storagecapacity.
"""

from __future__ import annotations

from hero_engine.languages.heroscript.text.numbers import parse_int

_UNITS = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
GIGABYTE = 1 << 30


class UnitError(ValueError):
    """The unit is none of KB, MB, GB."""


def parse_bytes(text: str, *, default_unit: int = 1) -> int:
    """A capacity in bytes.

    Args:
        text: digits and optionally KB, MB or GB in any case (powers of 1024); a blank between is allowed [Q36].
        default_unit: what a number without unit is multiplied with.

    Raises:
        UnitError: another unit of two letters.
        ValueError: not an unsigned number of 64 bits, in bytes.
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
