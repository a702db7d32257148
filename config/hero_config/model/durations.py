"""Reads durations as people write them: `90`, `1.5s`, `10m`, `2h30m`, `7d`. Pure; it imports nothing heavy.

The settings and the options of `heroctl` that count seconds use it. A bare number is a number of seconds.
"""

from __future__ import annotations

import re
from typing import Final

_UNIT_S: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_NUMBER: Final = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"
_PART: Final = re.compile(rf"({_NUMBER})(ms|s|m|h|d|w)")
_WHOLE: Final = re.compile(rf"^({_NUMBER}(ms|s|m|h|d|w))+$")
DURATION_PATTERN: Final = rf"^({_NUMBER}([mM][sS]|[sSmMhHdDwW]))+$"
"""What a duration looks like, for editors: each part has a unit. The order of the units is checked later."""
EXAMPLES: Final = "30, 30s, 10m, 2h30m or 7d"


def parse_duration(text: str) -> float:
    """Read a duration.

    Args:
        text: A number of seconds, or numbers with the units ms, s, m, h, d and w, from the largest to the smallest.

    Returns:
        Seconds; an `int` if they are whole.

    Raises:
        ValueError: It is not a duration.
    """
    words = text.strip().lower()
    try:
        seconds = float(words)
    except ValueError:
        parts = _PART.findall(words) if _WHOLE.match(words) else []
        sizes = [_UNIT_S[unit] for _, unit in parts]
        if not parts or sizes != sorted(set(sizes), reverse=True):
            raise ValueError(f"should be seconds or a duration, such as {EXAMPLES}") from None
        # Rounded: 0.1 + 0.2 is not 0.3 in binary.
        seconds = round(sum(float(number) * _UNIT_S[unit] for number, unit in parts), 9)
    return int(seconds) if seconds == seconds // 1 and abs(seconds) < 1e15 else seconds


def show_duration(seconds: float) -> str:
    """Write a duration for people: `0.25 s`, `45 s`, `2m30s`, `3h05m`, `2d4h`."""
    if seconds < 10:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600}h"
