"""A traceback in the log is for our own defects alone."""

from __future__ import annotations

import ast
import errno
import io
import logging
from pathlib import Path

import pytest

from hero_job.model.errors import StoreRefused, StoreUnavailable
from hero_process.defects import is_foreign, log_failure

ROOT = Path(__file__).parents[2]
PACKAGES = ["actors", "supervisor", "engines/hero_engine", "config"]
#: Calls of the log with a traceback, other than that of `log_failure`. The client of the store imports nothing of
#: `hero_process`; what the store does is caught before, in both places.
ALLOWED = {"actors/hero_job/client/streams.py"}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "/x: No space left on device"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (ConnectionResetError(), "the operating system gave no reason"),
        (MemoryError(), "there is no memory left"),
        (StoreUnavailable("redis://x", "refused"), str(StoreUnavailable("redis://x", "refused"))),
        (StoreRefused("MISCONF", "disk full"), str(StoreRefused("MISCONF", "disk full"))),
    ],
)
def test_foreign_cause_is_one_line_without_a_traceback(error: Exception, reason: str) -> None:
    assert log_of(error) == f"it.failed {reason}"


def test_defect_has_a_traceback() -> None:
    try:
        int("x")
    except ValueError as e:
        assert not is_foreign(e)
        assert "Traceback" in log_of(e)
        assert "ValueError" in log_of(e)


def log_of(error: Exception) -> str:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.Formatter("%(message)s %(reason)s", defaults={"reason": ""}))
    log = logging.Logger("test")
    log.addHandler(handler)
    log_failure(log, "it.failed", error, job="x")
    return written.getvalue().strip()


def test_every_traceback_in_the_log_comes_from_log_failure() -> None:
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                    continue
                if call.func.attr == "exception" and ast.unparse(call.func.value) in ("log", "_log", "logger"):
                    found.add(str(path.relative_to(ROOT)))
                if any(keyword.arg == "exc_info" for keyword in call.keywords):
                    found.add(str(path.relative_to(ROOT)))
    assert found - ALLOWED == {"actors/hero_process/defects.py"}
