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
from tests.mutation.lua_blocks import Blocks


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the file."""
    parser.addoption("--contexts", type=Path, help="append what each test ran to this file, as JSON lines")


_BLOCKS = pytest.StashKey[Blocks]()


def pytest_configure(config: pytest.Config) -> None:
    """Put probes into the scripts."""
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    config.stash[_BLOCKS] = Blocks(config.getoption("contexts").with_suffix(".log").absolute(), patch)


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
        "blocks": item.config.stash[_BLOCKS].take(),
        "failed": item.session.testsfailed > failed,
    }
    with item.config.getoption("contexts").open("a") as out:
        out.write(json.dumps(line) + "\n")
    return result
