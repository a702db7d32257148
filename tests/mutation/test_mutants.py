"""The changes that `scripts/mutate` makes: which there are, that they fit, and that none stays."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutation import asking, judge, lua_mutants, python_mutants
from tests.mutation.choose import ROOT, Contexts, files_of, mirror_of, sample
from tests.mutation.lua_callers import callers_of
from tests.mutation.mutant import Mutant


def changes(source: str, suffix: str = ".py") -> set[str]:
    find = lua_mutants.mutants_of if suffix == ".lua" else python_mutants.mutants_of
    return {mutant.applied_to(source) for mutant in find(f"a{suffix}", source)}


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("if a < 3: b()", {"if (a <= 3): b()", "if (a > 3): b()", "if (not (a < 3)): b()", "if a < 4: b()"}),
        ("x = a and not b", {"x = (a or not b)", "x = a and (b)"}),
        ("def f(): return a + 1", {"def f(): return None", "def f(): return (a - 1)", "def f(): return a + 2"}),
        ("await f(a, b)", {"pass", "await f(b, a)"}),
        ("with self.lock: f()", {"with __import__('contextlib').nullcontext(): f()", "with self.lock: pass"}),
        ("raise E(f'{a + 1}')", {"pass"}),
        ("while True: break", {"while (not (True)): break", "while False: break", "while True: continue"}),
        ("log.info('x', extra=a)", set()),
        ('"""Text 1."""', set()),
        ("x: int = 'ä' + f(1)", {"x: int = 'ä' + f(2)"}),
    ],
)
def test_python_is_changed_in_each_of_these_ways(source: str, changed: set[str]) -> None:
    assert changes(source) >= changed
    assert changed or not changes(source)


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("if a <= 2 then", {"if a < 2 then", "if a > 2 then", "if a <= 3 then", "if not (a <= 2) then"}),
        ("  redis.call('LPUSH', k, 'LPUSHED')", {"  local _", "  redis.call('RPUSH', k, 'LPUSHED')"}),
        ("return a and b", {"return nil", "return a or b"}),
        ("-- if 1 < 2 then", set()),
    ],
)
def test_lua_is_changed_in_each_of_these_ways(source: str, changed: set[str]) -> None:
    assert changes(source, ".lua") >= changed
    assert changed or not changes(source, ".lua")


def test_every_change_of_the_product_is_python_and_a_change() -> None:
    files = files_of([ROOT / "supervisor/hero_supervisor/policy", ROOT / "supervisor/hero_supervisor/rpc/auth"])
    assert len(files) > 8
    for mutant in sample(files, 150, 1):
        source = (ROOT / mutant.path).read_text()
        assert ast.dump(ast.parse(mutant.applied_to(source))) != ast.dump(ast.parse(source)), mutant


def test_a_sample_depends_on_its_seed_alone_and_takes_a_line_once() -> None:
    files = files_of([ROOT / "actors/hero_job/protocol"])
    chosen = sample(files, 40, 7)

    assert chosen == sample(list(reversed(files)), 40, 7)
    assert chosen != sample(files, 40, 8)
    assert len({(one.path, one.line) for one in chosen}) == 40
    assert {Path(one.path).suffix for one in chosen} == {".py", ".lua"}


def test_tests_that_take_the_branch_of_a_line_come_before_others_that_call_the_function() -> None:
    path = "actors/hero_job/operations/limits.py"
    path = next(
        str(f.relative_to(ROOT)) for f in files_of([ROOT / "actors/hero_job/operations"]) if f.stem == "operations"
    )
    source = (ROOT / path).read_text()
    begin, _ = next(iter(python_mutants.functions_of(source)))
    known = Contexts(
        {path: (10, [(begin, "called"), (begin + 1, "true"), (begin + 1, "false")])},
        {"slow": (3.0, frozenset({10, 11})), "fast": (1.0, frozenset({10})), "other": (0.1, frozenset({9}))},
    )

    assert known.tests_of(Mutant(path, begin + 1, "", 0, 0, ""), 60) == ["slow", "fast"]
    assert known.tests_of(Mutant(path, begin, "", 0, 0, ""), 60) == ["fast", "slow"]


def test_tests_of_a_lua_line_are_those_that_call_a_function_which_names_its_script() -> None:
    found = {
        name: {Path(module).name for module, _ in callers_of(Path(f"actors/hero_job/protocol/lua/{name}.lua"))}
        for name in ("turn", "set_value", "parts/values", "parts/attempts")
    }

    assert found == {
        "turn": {"actor_operations.py"},
        "set_value": {"values.py"},
        "parts/values": {"values.py"},
        "parts/attempts": {"actor_operations.py", "operations.py"},
    }


NOTICES = """
import pathlib, time, a
def test_now_and_then():
    if a.x == 2 and not pathlib.Path("failed").exists():
        pathlib.Path("failed").touch()
        raise AssertionError
def test_broken():
    raise AssertionError
def test_sees():
    assert a.x == 1
"""


def test_a_test_that_fails_now_and_then_or_always_kills_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they are slow to import
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(judge, "ROOT", tmp_path)
    monkeypatch.setattr(asking, "ROOT", tmp_path)
    monkeypatch.setattr(judge, "STATE", tmp_path / "state")
    monkeypatch.setattr(judge, "_KEPT", tmp_path / "state/restore.json")
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_a.py").write_text(NOTICES)
    (mutant,) = python_mutants.mutants_of("a.py", "x = 1\n")

    assert judge.noticing(mutant, 1, ["test_a.py"], Contexts({}, {}), []) == "test_a.py::test_sees"


def test_the_tests_of_a_file_are_those_of_the_nearest_folder_and_then_those_of_its_package() -> None:
    assert mirror_of("supervisor/hero_supervisor/rpc/auth/gate.py") == ["tests/supervisor/rpc/auth", "tests/supervisor"]
    assert mirror_of("actors/hero_job/protocol/lua/turn.lua") == ["tests/job/protocol", "tests/job"]


def test_a_change_is_taken_back_also_after_the_run_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "ROOT", tmp_path)
    monkeypatch.setattr(judge, "STATE", tmp_path / "state")
    monkeypatch.setattr(judge, "_KEPT", tmp_path / "state/restore.json")
    file = tmp_path / "a.py"
    file.write_text("a = 1\n")
    before = file.stat().st_mtime_ns
    (mutant,) = python_mutants.mutants_of("a.py", "a = 1\n")

    run = judge.applied(mutant, 1)
    run.__enter__()  # and never left: the process was killed
    assert file.read_text() == "a = 2\n"
    judge.restore()

    assert (file.read_text(), file.stat().st_mtime_ns) == ("a = 1\n", before)
    assert not (tmp_path / "state/restore.json").exists()
