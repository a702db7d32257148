"""Checks of single values of a job. Pure.

Called by `Job` and by everything else that takes a job's id, a route or a time from outside. Each check names the field
in its `JobInvalid`, and most return the value in the form in which a job holds it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice

from hero_job.model.errors import JobInvalid
from hero_job.model.fields.limits import (
    MAX_ID,
    MAX_IDS,
    MAX_NAME,
    MAX_ROUTE,
    MAX_TEXT_CHARS,
    MAX_TEXTS,
    MAX_VARIABLE_NAME,
    MAX_VARIABLE_VALUE,
    MAX_VARIABLES,
    MAX_WORD,
)
from hero_job.model.fields.names import shown_name
from hero_job.model.fields.shown_values import shown, type_word

_ID = re.compile(rf"[!-~]{{1,{MAX_ID}}}")
# No colon: a group named "a:inst:b" would spell the queue of instance b of group a.
_ROUTE = re.compile(rf"[A-Za-z0-9_.-]{{1,{MAX_ROUTE}}}")
_MAX_SECONDS = 315_360_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The first and the last millisecond of the calendar, which begins with the year 1 and ends with 9999.
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999


def check_id(name: str, value: object) -> None:
    """Refuse a value that cannot be a job id.

    Args:
        name: Field, for the error.
        value: The id.

    Raises:
        JobInvalid: Not 1 to 200 printable ASCII characters without spaces.
    """
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise JobInvalid(name, f"must be 1 to 200 printable ASCII characters without spaces, not {shown(value)}")


def check_timeout(value: object, max_timeout_s: float) -> None:
    """Refuse a value that cannot be a timeout.

    Args:
        value: Seconds.
        max_timeout_s: Largest timeout that is accepted.

    Raises:
        JobInvalid: Not a number of seconds above zero and up to the maximum.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 < value <= max_timeout_s
        or value == math.inf
    ):
        most = "" if max_timeout_s == math.inf else f", {max_timeout_s:g} at most"
        raise JobInvalid("timeout", f"must be a number of seconds above zero{most}, not {shown(value)}")


def check_text(name: str, value: object, *, most: int | None = None) -> None:
    """Refuse a value that is not a text with visible characters.

    Args:
        name: Field, for the error.
        value: The text.
        most: Most characters; None for a text that the limits of the deployment bound.

    Raises:
        JobInvalid: Not a string, empty, too long, only white space, or not valid Unicode.
    """
    if not isinstance(value, str):
        raise JobInvalid(name, f"must be a string, not {type_word(value)}")
    if most is not None and len(value) > most:
        check_length(name, value, most)
    if not value or value.isspace():
        raise JobInvalid(name, "must not be empty")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as e:
            raise JobInvalid(name, f"is not valid Unicode: {e.reason}") from e


def check_length(name: str, value: str, most: int) -> None:
    """Refuse a text that is too long.

    Args:
        name: Field, for the error.
        value: The text.
        most: Most characters.

    Raises:
        JobInvalid: It is longer.
    """
    if len(value) > most:
        raise JobInvalid(name, f"has {len(value)} characters; the limit is {most}")


def check_route(name: str, value: object) -> None:
    """Refuse a value that cannot name a group or an instance.

    Args:
        name: Field, for the error.
        value: The name.

    Raises:
        JobInvalid: Not 1 to 100 letters, digits, '_', '.', '-'.
    """
    if not isinstance(value, str) or not _ROUTE.fullmatch(value):
        raise JobInvalid(name, f"must be 1 to 100 letters, digits, '_', '.', '-', not {shown(value)}")


def check_key(name: str, value: object) -> None:
    """Refuse a value that cannot be a key of uniqueness or of a limit.

    Args:
        name: Field, for the error.
        value: The key.

    Raises:
        JobInvalid: Not a string of 1 to 500 characters, without the prefix of its owner.
    """
    check_text(name, shown_name(value) if isinstance(value, str) else value, most=MAX_NAME)


def check_seconds(name: str, value: object, *, least: float = 0) -> None:
    """Refuse a value that cannot be a duration.

    Args:
        name: Field, for the error.
        value: Seconds.
        least: The duration must be longer than this.

    Raises:
        JobInvalid: Not a finite number of seconds above `least`, up to ten years.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not least < value <= _MAX_SECONDS:
        raise JobInvalid(name, f"must be a number of seconds above {least:g}, ten years at most, not {shown(value)}")


def check_count(name: str, value: object, *, most: int, least: int = 1) -> None:
    """Refuse a value that cannot be a count.

    Args:
        name: Field, for the error.
        value: The count.
        most: Largest count that is accepted.
        least: Smallest count that is accepted.

    Raises:
        JobInvalid: Not a whole number from `least` to `most`.
    """
    if type(value) is not int or not least <= value <= most:
        raise JobInvalid(name, f"must be a whole number from {least} to {most}, not {shown(value)}")


def env_mapping(values: object) -> Mapping[str, str]:
    """Copy the environment variables of a job.

    Raises:
        JobInvalid: Not a mapping of names to strings that a process can be given, too many, or one is too long.
    """
    if not isinstance(values, Mapping):
        raise JobInvalid("env_vars", f"must be an object of strings, not {type_word(values)}")
    if len(values) > MAX_VARIABLES:
        raise JobInvalid("env_vars", f"are {len(values)}; the limit is {MAX_VARIABLES}")
    for key, value in values.items():
        if not isinstance(key, str) or not key or "=" in key or "\0" in key:
            raise JobInvalid("env_vars", f"{shown(key)} cannot be the name of a variable")
        if not isinstance(value, str) or "\0" in value:
            raise JobInvalid("env_vars", f"the value of {shown(key)} must be a string without NUL, not {shown(value)}")
        check_length("env_vars", key, MAX_VARIABLE_NAME)
        check_length("env_vars", value, MAX_VARIABLE_VALUE)
    return dict(values)


def id_tuple(name: str, values: object) -> tuple[str, ...]:
    """Bring a list of job ids into its immutable form.

    Args:
        name: Field, for the error.
        values: Any iterable of ids, except a string.

    Raises:
        JobInvalid: Not a list of ids, too many, or an id is listed twice.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise JobInvalid(name, f"must be a list of job ids, not {shown(values)}")
    ids = tuple(islice(values, MAX_IDS + 1))
    if len(ids) > MAX_IDS:
        advice = "join them by jobs in between, each of which has some of them"
        raise JobInvalid(name, f"lists more than {MAX_IDS} jobs; {advice}")
    for value in ids:
        check_id(name, value)
    if len(set(ids)) != len(ids):
        raise JobInvalid(name, "lists a job twice")
    return ids


def text_tuple(name: str, values: object) -> tuple[str, ...]:
    """Bring a list of texts into its immutable form.

    Args:
        name: Field, for the error.
        values: Any iterable of texts, except a string.

    Raises:
        JobInvalid: Not a list of texts, too many, too long, or one that UTF-8 cannot hold.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise JobInvalid(name, f"must be a list of texts, not {shown(values)}")
    texts = tuple(islice(values, MAX_TEXTS + 1))
    if len(texts) > MAX_TEXTS:
        raise JobInvalid(name, f"lists more than {MAX_TEXTS} texts")
    for text in texts:
        if not isinstance(text, str):
            raise JobInvalid(name, f"must be a list of texts, not of {shown(text)}")
        if len(text) > MAX_TEXT_CHARS:
            raise JobInvalid(name, f"has a text of more than {MAX_TEXT_CHARS} characters")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise JobInvalid(name, f"has a text that is not Unicode: {shown(text)}") from None
    return texts


def time_text(name: str, value: object) -> str:
    """Bring a point in time into the one form in which it is stored: ISO 8601 in UTC, to the millisecond.

    Args:
        name: Field, for the error.
        value: A datetime with its zone, or ISO 8601 text with its zone.

    Raises:
        JobInvalid: Neither, or without a zone.
    """
    if isinstance(value, str):
        check_length(name, value, MAX_WORD)
        try:
            value = datetime.fromisoformat(value)
        except ValueError as e:
            raise JobInvalid(name, f"must be a time in ISO 8601, not {shown(value)}") from e
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise JobInvalid(name, f"must be a time with its zone, for example 2026-11-24T06:00:00Z, not {shown(value)}")
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ms_text(at_ms: float) -> str:
    """Write a time in milliseconds since 1970 as ISO 8601 in UTC.

    What a damaged record holds may lie outside the calendar; then it is the first or the last moment in it.
    """
    at = _EPOCH + timedelta(milliseconds=bounded_ms(at_ms))
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def bounded_ms(score: float | str) -> int:
    """Read a time in milliseconds, which somebody may have written as infinite, and keep it within the calendar."""
    return int(max(_FIRST_MS, min(float(score), _LAST_MS)))


def milliseconds(text: str) -> int:
    """Convert a stored time to milliseconds since 1970."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)
