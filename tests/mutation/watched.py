"""Notes which test has begun and which has failed, as they do: `pytest -p tests.mutation.watched --watched=FILE`.

`asking.py` is the caller. A test that hangs or dies with its process is known by this as well.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the file."""
    parser.addoption("--watched", type=Path, help="append what begins, ends and fails to this file, as JSON lines")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Note the beginning and the end of one test."""
    _note(item.config, "began", item.nodeid)
    failed = item.session.testsfailed
    result = yield
    _note(item.config, "failed" if item.session.testsfailed > failed else "passed", item.nodeid)
    return result


def _note(config: pytest.Config, what: str, test: str) -> None:
    with config.getoption("watched").open("a") as out:
        out.write(json.dumps([what, test]) + "\n")
