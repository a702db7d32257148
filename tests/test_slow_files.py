"""The order of the files in a run with several processes."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.slow_files import SECONDS, longest_first, pytest_collection_modifyitems

ROOT = Path(__file__).parents[1]


def test_every_file_with_a_number_is_there() -> None:
    assert [name for name in SECONDS if not (ROOT / name).is_file()] == []


def test_a_file_that_takes_longer_comes_first_and_no_test_is_lost(request: pytest.FixtureRequest) -> None:
    before = list(request.session.items)
    random.Random(1).shuffle(before)
    after = list(before)
    longest_first(after)

    files = list(dict.fromkeys(item.nodeid.partition("::")[0] for item in after))
    weighed = [SECONDS[name] for name in files if name in SECONDS]
    assert weighed == sorted(weighed, reverse=True)
    assert after == sorted(before, key=lambda item: files.index(item.nodeid.partition("::")[0]))


def test_only_the_processes_of_a_parallel_run_change_the_order() -> None:
    def in_order(**config: object) -> list[str]:
        items = [SimpleNamespace(nodeid=f"{file}::test") for file in ("tests/any.py", "tests/rhai/test_conformance.py")]
        pytest_collection_modifyitems(cast(Any, SimpleNamespace(**config)), cast(Any, items))
        return [item.nodeid.partition("::")[0] for item in items]

    assert in_order() == ["tests/any.py", "tests/rhai/test_conformance.py"]
    assert in_order(workerinput={}) == ["tests/rhai/test_conformance.py", "tests/any.py"]
    assert "--dist loadfile --no-loadscope-reorder" in (ROOT / "scripts/test").read_text()
