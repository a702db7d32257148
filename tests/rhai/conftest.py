"""Fixtures of the tests of the wheel `rhai-py`.

Invariant: the imported package is the built wheel, never the source tree, so that what is tested is what is shipped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rhai
from tests.rhai.bounds import GUARD_S


def pytest_sessionstart() -> None:
    source_tree = Path(__file__).resolve().parents[2] / "engines"
    assert source_tree not in Path(rhai.__file__).resolve().parents, "test the wheel, not the tree"


@pytest.fixture
def engine() -> rhai.Engine:
    """An engine whose scripts cannot run away with a test."""
    return rhai.Engine(limits=rhai.Limits(timeout_s=GUARD_S))


@pytest.fixture
def in_thread() -> Iterator[Callable[[Callable[[], Any]], Callable[[], Any]]]:
    """Starts a function in a thread; the returned function waits for it and returns or raises its outcome."""
    threads: list[threading.Thread] = []

    def start(function: Callable[[], Any]) -> Callable[[], Any]:
        outcome: dict[str, Any] = {}

        def body() -> None:
            try:
                outcome["value"] = function()
            except BaseException as error:
                outcome["error"] = error

        thread = threading.Thread(target=body)
        threads.append(thread)
        thread.start()

        def join() -> Any:
            thread.join(GUARD_S)
            assert not thread.is_alive(), "the thread did not end"
            if "error" in outcome:
                raise outcome["error"]
            return outcome["value"]

        return join

    yield start
    for thread in threads:
        thread.join(GUARD_S)
        assert not thread.is_alive()
