"""The family `time`: moments as seconds since 1970 in UTC, their texts in any time zone, and durations."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, tzinfo

from hero_engine.errors import FunctionError
from hero_engine.host.call import Call
from hero_engine.host.definition import Family

FAMILY = Family("time", "Moments, time zones and durations.", prefix="Time error: ")

#: What a format may contain: no widths, with which a short format makes a text of gigabytes.
_FORMAT = re.compile(r"(?:[^%]|%[YmdHMSfjaAbBpIyzZGVuUwW%])*", re.DOTALL)
_MAX_FORMAT_CHARS = 200
_UNITS_S = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_DURATION_PART = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(w|d|h|ms|m|s)")


@FAMILY.function()
def time_now() -> float:
    """Return the present moment, in seconds since 1970.

    Example:
        let seconds = time_now();
    """
    return time.time()


@FAMILY.function()
def time_now_ms() -> int:
    """Return the present moment, in milliseconds since 1970.

    Example:
        let begin = time_now_ms();
        print(`${time_now_ms() - begin} ms`);
    """
    return time.time_ns() // 1_000_000


@FAMILY.function(blocks=True)
def time_sleep(call: Call, seconds: float) -> None:
    """Sleep. A stop and the job's deadline end it.

    Example:
        time_sleep(0.5);
    """
    if not 0 <= seconds <= 86_400:
        raise FunctionError(f"seconds must be from 0 to 86400, not {seconds:g}")
    call.sleep(seconds)


@FAMILY.function()
def time_format(seconds: float, format: str = "", zone: str = "UTC") -> str:
    """Write a moment: in ISO 8601, or in a format of strftime without widths.

    Example:
        time_format(0);                                         // "1970-01-01T00:00:00+00:00"
        time_format(0, "%d.%m.%Y %H:%M", "Europe/Berlin")       // "01.01.1970 01:00"
    """
    moment = _moment(seconds, zone)
    return moment.strftime(_checked(format)) if format else moment.isoformat()


@FAMILY.function()
def time_parse(text: str, format: str = "", zone: str = "UTC") -> float:
    """Read a moment: in ISO 8601, or in a format of strptime. `zone` counts for a text without one.

    Example:
        time_parse("2026-03-01T12:00:00Z");                     // 1772366400.0
        time_parse("01.03.2026", "%d.%m.%Y", "Europe/Berlin")   // 1772319600.0
    """
    if len(text) > _MAX_FORMAT_CHARS:
        raise FunctionError("the text is too long for a moment")
    try:
        moment = datetime.strptime(text, _checked(format)) if format else datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=_zone(zone))).timestamp()
    except (ValueError, OverflowError, re.error):
        how = f"in the format {format}" if format else "in ISO 8601"
        raise FunctionError(f"{text!r} is no moment {how}") from None


@FAMILY.function()
def time_parts(seconds: float, zone: str = "UTC") -> dict[str, object]:
    """Take a moment apart: `year`, `month`, `day`, `hour`, `minute`, `second`, `microsecond`, `weekday` (1 is Monday),
    `day_of_year`, `week`, `offset` (seconds east of UTC) and `zone` (its short name).

    Example:
        time_parts(0, "Asia/Tokyo").hour                        // 9
    """
    moment = _moment(seconds, zone)
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    offset = moment.utcoffset()
    return {
        **{name: getattr(moment, name) for name in names},
        "weekday": moment.isoweekday(),
        "day_of_year": moment.timetuple().tm_yday,
        "week": moment.isocalendar().week,
        "offset": 0 if offset is None else int(offset.total_seconds()),
        "zone": moment.tzname() or "",
    }


@FAMILY.function()
def time_from_parts(parts: dict[str, object], zone: str = "UTC") -> float:
    """Make a moment of `year`, `month`, `day` and the optional `hour`, `minute`, `second`.

    Example:
        time_from_parts(#{year: 2026, month: 3, day: 1}, "Europe/Berlin")
    """
    given = {"year": 1970, "month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0}
    if unknown := parts.keys() - given.keys():
        raise FunctionError(f"there is no part {min(unknown)}; there are {', '.join(given)}")
    for name, value in parts.items():
        if not isinstance(value, int):
            raise FunctionError(f"{name} must be an integer")
        given[name] = value
    try:
        return datetime(**given, tzinfo=_zone(zone)).timestamp()
    except (ValueError, OverflowError) as e:
        raise FunctionError(f"there is no such moment: {e}") from None


@FAMILY.function()
def duration_parse(text: str) -> float:
    """Read a duration of weeks, days, hours, minutes, seconds and milliseconds, in seconds.

    Example:
        duration_parse("1h30m")                                 // 5400.0
    """
    body, sign = (text[1:], -1) if text.startswith("-") else (text, 1)
    parts = _DURATION_PART.findall(body[:200])
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise FunctionError(f"{text[:80]!r} is no duration such as 1d2h30m or 250ms")
    return float(sign * sum(float(number) * _UNITS_S[unit] for number, unit in parts))


@FAMILY.function()
def duration_format(seconds: float) -> str:
    """Write a duration, in seconds, for people.

    Example:
        duration_format(5400)                                   // "1h30m"
    """
    if not abs(seconds) < 1e15:
        raise FunctionError("a duration has at most 15 digits")
    left_ms = round(abs(seconds) * 1000)
    text = ""
    for unit, size_ms in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left_ms = divmod(left_ms, size_ms)
        text += f"{count}{unit}" if count else ""
    return ("-" if seconds < 0 and text else "") + (text or "0s")


def _moment(seconds: float, zone: str) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC).astimezone(_zone(zone))
    except (ValueError, OverflowError, OSError):
        raise FunctionError(f"{seconds:g} seconds are outside the years 1 to 9999") from None


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    # It opens a file of this name below the folder of time zones, and refuses names that lead outside.
    except (KeyError, ValueError, OSError):
        raise FunctionError(f"there is no time zone {name[:80]!r}") from None


def _checked(text: str) -> str:
    if len(text) > _MAX_FORMAT_CHARS or not _FORMAT.fullmatch(text):
        raise FunctionError("a format has up to 200 characters, and of the directives those of strftime without widths")
    return text
