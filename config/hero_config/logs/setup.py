"""Logging of every program: standard library logging, a constant event name as message, fields in `extra`.

    log.info("actor.ready", extra={"incarnation": incarnation, "lanes": 16})

is written as text,

    2026-11-24T06:12:00.123Z INFO hero_actor.actor actor.ready incarnation=osis-1.host.7.c4 lanes=16

or as one JSON object per line. Invariant: it imports little, because actors import it at their start.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import IO, Any

import orjson

FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error", "critical")

#: Attributes that every record has; all others came from `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(
    level: str = "info", format: str = "text", stream: IO[str] | None = None, *, handler: logging.Handler | None = None
) -> None:
    """Send this process's log to one place. A second call replaces the first.

    Args:
        level: One of `LEVELS`, in any case.
        format: "text" or "json".
        stream: Where to write; stderr by default.
        handler: Writes the log, instead of a stream.

    Raises:
        ValueError: Unknown level or format.
    """
    if level.lower() not in LEVELS:
        raise ValueError(f"unknown log level {level!r}; one of {', '.join(LEVELS)}")
    if format not in FORMATS:
        raise ValueError(f"unknown log format {format!r}; one of {', '.join(FORMATS)}")
    handler = handler or logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    # These fields would cost time at every call, and no formatter prints them.
    # Source: https://docs.python.org/3/howto/logging.html#optimization
    logging.logThreads = False
    logging.logProcesses = False
    logging.logMultiprocessing = False


class TextFormatter(logging.Formatter):
    """Writes one line per record for people: time, level, logger, event, fields; a traceback follows below."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record as text."""
        return f"{_utc(record)} {record.levelname} {record.name} {text_of(record)}"


class JsonFormatter(logging.Formatter):
    """Writes one JSON object per line for programs."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record as JSON."""
        entry: dict[str, Any] = {
            "at": _utc(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process if record.process is not None else _pid(),
            "event": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(entry, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        except orjson.JSONEncodeError:
            # Lone surrogates or circular values: a record must be written, no matter what is in it.
            return orjson.dumps({name: ascii(value) for name, value in entry.items()}).decode()


def text_of(record: logging.LogRecord) -> str:
    """Write the event and its fields for people, without time, level and logger; a traceback follows below."""
    line = record.getMessage()
    for name, value in fields_of(record).items():
        text = str(value)
        line += f" {name}={text if text and text.isprintable() and ' ' not in text else repr(text)}"
    if record.exc_info:
        line += "\n" + logging.Formatter().formatException(record.exc_info)
    return line


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Get the fields that came from `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _utc(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"


def _pid() -> int:
    import os

    return os.getpid()
