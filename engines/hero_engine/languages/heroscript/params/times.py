"""Parses points in time, times of day and intervals. Pure; the caller supplies the current time.

Source: HeroScript specification, section 9, Time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_TERM = re.compile(r"[+-][^+-]*+")
_UNITS_S = {
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86_400,
    "w": 7 * 86_400,
    "M": 30 * 86_400,
    "Q": 90 * 86_400,
    "Y": 365 * 86_400,
}
_AMOUNT = re.compile(r"[0-9]{1,12}")
_CLOCK = re.compile(r"([0-9]{1,2})(?::([0-9]{1,2}))?(AM|PM)?")


def parse_time(text: str, now_s: int) -> int:
    """Parse a point in time.

    Args:
        text: Empty or `0` for now [Q37]; `+1h -2d` relative to now; or `date[ time]` in UTC.
        now_s: The current time, in epoch seconds.

    Returns:
        Epoch seconds.

    Raises:
        ValueError: It is not a point in time.
    """
    text = text.strip(" ")
    if text in ("", "0"):
        return now_s
    if text[0] in "+-":
        try:
            return now_s + _parse_relative(text)
        except ValueError as error:
            raise ValueError(f"Failed to get unix from relative time: {error}") from None
    try:
        return _parse_absolute(text)
    except ValueError as error:
        raise ValueError(f"Failed to get unix from absolute time: {error}") from None


def parse_interval(text: str, now_s: int) -> tuple[int, int]:
    """Parse two points in time, `start - end`. The blanks around the dash distinguish it from those in dates [Q39].

    Raises:
        ValueError: They are not two points in time.
    """
    parts = text.split(" - ")
    if len(parts) != 2:
        raise ValueError("an interval is written: start - end")
    return parse_time(parts[0], now_s), parse_time(parts[1], now_s)


def parse_clock(text: str) -> timedelta:
    """Parse a time of day.

    Args:
        text: `H` or `H:MM`, optionally with `AM` or `PM` in upper case; 12AM is midnight, 12PM is noon [Q38].

    Returns:
        The time since midnight.

    Raises:
        ValueError: It is not a time of day.
    """
    found = _CLOCK.fullmatch(text)
    if not found:
        raise ValueError("Invalid duration value")
    hour, minute, half = int(found[1]), int(found[2] or 0), found[3]
    if minute > 59 or hour > (12 if half else 23):
        raise ValueError("Invalid duration value")
    if half:
        hour = hour % 12 + (12 if half == "PM" else 0)
    return timedelta(hours=hour, minutes=minute)


def _parse_relative(text: str) -> int:
    total = 0
    for term in _TERM.findall(text.replace(" ", "")):
        unit, amount = _UNITS_S.get(term[-1]), term[1:-1]
        if unit is None or not _AMOUNT.fullmatch(amount):
            raise ValueError(f"could not parse time suffix for: {term[:40]}")
        total += int(amount) * unit * (-1 if term[0] == "-" else 1)
    return total


def _parse_absolute(text: str) -> int:
    parts = [part for part in text.split(" ") if part]
    if len(parts) > 2:
        raise ValueError(f"format of date/time not correct, it is date[ time]: {text[:40]}")
    clock = parts[1].split(":") if len(parts) == 2 else []
    if len(clock) > 3:
        raise ValueError(f"unrecognized time format: {parts[1][:40]}")
    year, month, day = _split_date(parts[0])
    try:
        numbers = [_number(part) for part in (year, month, day, *clock)]
        moment = datetime(*numbers, tzinfo=UTC)  # type: ignore[arg-type, misc]  # a list of three to six ints
    except ValueError:
        raise ValueError(f"could not parse date/time string: {text[:40]}") from None
    return int(moment.timestamp())


def _split_date(date: str) -> list[str]:
    separator = "-" if "-" in date else "/"
    parts = date.split(separator)
    if len(parts) != 3:
        raise ValueError(f"unrecognized date format: {date[:40]}")
    if len(parts[0]) == 4:
        return parts
    if len(parts[2]) == 4:
        return parts[::-1]
    # The reference says "time" here, and users have seen that message.
    raise ValueError(f"unrecognized time format, the year needs four digits: {date[:40]}")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise ValueError(text)
    return int(text)
