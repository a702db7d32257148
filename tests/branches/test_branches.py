"""The measurement of branches sees each arm, in each process, and changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.branches.arms import PROBES, write_probes
from tests.branches.plugin import measured, per_cent
from tests.branches.prepare import compile_with_probes, line_to_start


def untaken(source: str, call: str) -> list[str]:
    """Run a module and one call of it; return the arms that were not taken."""
    tree, arms = write_probes(textwrap.dedent(source), 0)
    taken = bytearray(len(arms))
    names: dict[str, object] = {PROBES: taken}
    exec(compile(tree, "module.py", "exec"), names)
    exec(call, names)
    return [f"{arm.line} {arm.way}" for arm, was in zip(arms, taken, strict=True) if not was]


@pytest.mark.parametrize(
    ("body", "missed"),
    [
        ("if a > 1:\n  pass", ["2 true"]),
        ("if a > 0:\n  pass", ["2 false"]),
        ("if a > 1:\n  pass\nelif a > 0:\n  pass\nelse:\n  pass", ["2 true", "4 false"]),
        ("for _ in []:\n  pass", ["2 entered"]),
        ("for _ in [1]:\n  break", ["2 exhausted"]),
        ("for _ in [1]:\n  pass", []),
        ("while a < 1:\n  pass", ["2 entered"]),
        ("while True:\n  break", []),
        ("match a:\n  case 1:\n    pass\n  case 2:\n    pass", ["5 case", "2 no case"]),
        ("match a:\n  case 2:\n    pass\n  case _:\n    pass", ["3 case"]),
        ("if a > 1:  # pragma: no branch - a is one\n  pass", []),
        ("if a > 1:\n  assert_never(a)", []),
    ],
)
def test_each_arm_that_a_call_does_not_take_is_named(body: str, missed: list[str]) -> None:
    source = "def f(a):\n" + textwrap.indent(body, "  ")
    assert untaken(source, "f(1)") == missed


def test_a_line_that_fails_keeps_its_number() -> None:
    source = "def f(a):\n  for _ in [1]:\n    if a:\n      return 1 / 0\n"
    with pytest.raises(ZeroDivisionError) as caught:
        untaken(source, "f(1)")
    assert caught.traceback[-1].lineno == 3  # it counts from 0


def test_branches_of_killed_and_forked_processes_count(tmp_path: Path) -> None:
    package = tmp_path / "source" / "probed"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "ways.py").write_text("def go(n):\n  if n == 1:\n    return 1\n  if n == 2:\n    return 2\n  return 3\n")
    compile_with_probes(tmp_path / "branches", [package])
    program = f"""{line_to_start(tmp_path / "branches")}
import os, signal, sys
sys.path.insert(0, {str(package.parent)!r})
from probed import ways
if os.fork() == 0:
    ways.go(1)
    os._exit(0)
os.wait()
ways.go(3)
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-S", "-c", program], check=False, env={})
    assert ended.returncode == -9
    (ways,) = measured(tmp_path / "branches")
    assert (ways.arms, ways.missed, per_cent([ways])) == (4, ["4 true"], 75)


def test_a_module_that_changed_is_loaded_as_it_is(tmp_path: Path) -> None:
    package = tmp_path / "source" / "probed"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "text.py").write_text("if True:\n  NAME = 'old'\n")
    compile_with_probes(tmp_path / "branches", [package])
    before_ns = (package / "text.py").stat().st_mtime_ns
    (package / "text.py").write_text("NAME = 'changed'\n")
    # The clock of a file system may stand still for some milliseconds.
    os.utime(package / "text.py", ns=(before_ns + 1, before_ns + 1))
    program = line_to_start(tmp_path / "branches") + "import probed.text; print(probed.text.NAME)"
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONPATH": package.parent}
    )
    assert ended.stdout == "changed\n"
