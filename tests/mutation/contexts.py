"""Notes which functions and branches each test runs, its child processes included: `pytest -p tests.mutation.contexts`.

`judge.py` is the caller. The probes of `tests/branches` are set back before each test and read after it. What a fixture
of a wider scope does counts for the test that asked for it first.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.branches.prepare import FOLDER


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the file."""
    parser.addoption("--contexts", type=Path, help="append what each test ran to this file, as JSON lines")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Read the probes of one test."""
    taken = FOLDER / "taken"
    size = taken.stat().st_size
    with taken.open("r+b") as file:
        file.write(bytes(size))
    began_mono = time.monotonic()
    failed = item.session.testsfailed
    result = yield
    probes = [index for index, byte in enumerate(taken.read_bytes()) if byte]
    line = {
        "test": item.nodeid,
        "s": round(time.monotonic() - began_mono, 3),
        "probes": probes,
        "failed": item.session.testsfailed > failed,
    }
    with item.config.getoption("contexts").open("a") as out:
        out.write(json.dumps(line) + "\n")
    return result
