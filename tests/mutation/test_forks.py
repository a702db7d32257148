"""Tests that are asked in forks see the change that is in the file, and only while it is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation.asking import Answer
from tests.mutation.choose import Contexts
from tests.mutation.forks import Forks
from tests.mutation.lua_blocks import edges_of
from tests.mutation.mutant import Mutant

MODULE = """
LIMIT = 3
def add(x):
    return x + 1
class Holder:
    @property
    def double(self):
        return [2 * one for one in (1, LIMIT)]
"""
TESTS = """
import os, pathlib, tempfile, a
def test_add(tmp_path):
    assert a.add(1) == 2
def test_double():
    assert a.Holder().double == [2, 6]
def test_nothing():
    pathlib.Path(tempfile.mkdtemp()).joinpath("left").touch()
"""


def change(file: Path, before: str, after: str) -> Mutant:
    """Change a file, and name the change."""
    text = MODULE.replace(before, after)
    assert text != MODULE
    file.write_text(text)
    line = next(
        n for n, (one, other) in enumerate(zip(text.split("\n"), MODULE.split("\n"), strict=True), 1) if one != other
    )
    return Mutant(str(file), line, "", 0, 0, after)


def test_a_fork_runs_the_changed_code_and_the_next_one_the_code_of_its_time(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    (tmp_path / "test_a.py").write_text(TESTS)
    file = tmp_path / "a.py"
    file.write_text(MODULE)
    with Forks([str(tmp_path)]) as forks:
        in_function = change(file, "x + 1", "x - 1")
        assert forks.ask(in_function, ["test_a.py"], {}) == Answer(False, "test_a.py::test_add")
        assert forks.ask(in_function, ["test_a.py"], {}, spared=["test_a.py::test_add"]) == Answer(True, "")
        in_method = change(file, "2 * one", "3 * one")
        assert forks.ask(in_method, ["test_a.py"], {}) == Answer(False, "test_a.py::test_double")
        assert forks.ask(in_method, ["test_a.py::test_nothing"], {}) == Answer(True, "")
        of_module = change(file, "LIMIT = 3", "LIMIT = 4")
        assert forks.ask(of_module, ["test_a.py"], {}) is None, "what an import computes needs a new process"
        assert list(forks._folder.iterdir()) == []
    assert not forks._folder.exists()


SCRIPT = """local a = 1
local function f(x)
  if x then
    return 1
  end
  for i = 1, 2 do -- a loop
    g(i)
  end
end
if a == 1 then return f(1) end
f(2)"""


def test_probes_stand_where_a_block_of_lua_begins_or_ends() -> None:
    assert edges_of(SCRIPT) == (0, 2, 3, 5, 6, 8, 9)


def test_tests_of_a_line_of_lua_are_those_that_run_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "actors/hero_job/protocol/lua/get_value.lua"
    tests = {name: (float(n), frozenset[int]()) for n, name in enumerate(("fast", "slow", "other"))}
    blocks = {
        "slow": frozenset({"get_value.lua:0"}),
        "fast": frozenset({"get_value.lua:0"}),
        "other": frozenset({"tick.lua:0"}),
    }
    monkeypatch.setattr(Contexts, "_probes_of", lambda *_: (set(), set()))
    known = Contexts({}, tests, frozenset(), blocks)
    assert known.tests_of(Mutant(path, 10, "", 0, 0, ""), 60) == ["fast", "slow"]
