"""The format of log lines, as text and as JSON."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from hero_config.logs import setup as logs


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """Restore the root logger of pytest after each test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_text_line_has_time_level_logger_event_and_fields() -> None:
    stream = io.StringIO()
    logs.configure("info", "text", stream)

    logging.getLogger("a.b").info("job.ended", extra={"job": "j1", "why": "two words", "empty": ""})

    at, rest = stream.getvalue().split(" ", 1)
    assert at.endswith("Z")
    assert rest == "INFO a.b job.ended job=j1 why='two words' empty=''\n"


def test_json_line_is_one_object_with_the_fields() -> None:
    stream = io.StringIO()
    logs.configure("debug", "json", stream)

    try:
        raise ValueError("no")
    except ValueError:
        logging.getLogger("a.b").exception("job.ended", extra={"job": "j1", "odd": {1: {2}}, "bad": "\ud800"})

    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert "job.ended" in entry["event"]  # quoted, because the line holds a value that JSON cannot hold
    assert "ValueError: no" in entry["traceback"]


def test_fields_keep_their_types_in_json() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream)

    logging.getLogger("a.b").warning("x", extra={"count": 3, "flag": True, "none": None})

    entry = json.loads(stream.getvalue())
    assert (entry["count"], entry["flag"], entry["none"], entry["level"]) == (3, True, None, "warning")


def test_line_below_the_level_is_not_written() -> None:
    stream = io.StringIO()
    logs.configure("warning", "text", stream)

    logging.getLogger("a.b").info("x")

    assert stream.getvalue() == ""


@pytest.mark.parametrize(("level", "format_"), [("loud", "text"), ("info", "xml")])
def test_unknown_level_or_format_is_refused(level: str, format_: str) -> None:
    with pytest.raises(ValueError, match="unknown log"):
        logs.configure(level, format_)
