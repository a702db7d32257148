"""Fixtures for the tests of the wheel `rhai-py`.

Invariant: the tests import the built wheel and never the source tree, so that they test what is shipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import rhai
from tests.rhai.bounds import GUARD_S


def pytest_sessionstart() -> None:
    source_tree = Path(__file__).resolve().parents[2] / "engines"
    assert source_tree not in Path(rhai.__file__).resolve().parents, "install the wheel: scripts/setup --dev"


@pytest.fixture
def engine() -> rhai.Engine:
    """An engine with a timeout, so that no script can hang a test."""
    return rhai.Engine(limits=rhai.Limits(timeout_s=GUARD_S))


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Threads for eight functions that run simultaneously."""
    with ThreadPoolExecutor(max_workers=8) as executor:
        yield executor
