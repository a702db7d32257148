"""No value that a script makes ends the process, on whichever way it crosses between the script and Python."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import rhai
from tests.rhai.bounds import GUARD_S
from tests.rhai.crossings import CHILD, CROSSINGS, VALUES

pytestmark = pytest.mark.timeout(10 * GUARD_S)


@pytest.fixture(scope="module", params=VALUES)
def crossed(request: pytest.FixtureRequest) -> dict[str, Any]:
    """How each crossing of one value ended, and how the child process did."""
    value = request.param
    scripts = json.dumps({crossing: f"{VALUES[value]} {CROSSINGS[crossing]}" for crossing in CROSSINGS})
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(GUARD_S)],
        input=scripts,
        capture_output=True,
        text=True,
        timeout=8 * GUARD_S,
        check=False,
    )
    outcomes = dict(json.loads(line) for line in child.stdout.splitlines())
    return {"value": value, "outcomes": outcomes, "exit": child.returncode, "stderr": child.stderr}


def test_the_process_survives_each_crossing(crossed: dict[str, Any]) -> None:
    died_at = [crossing for crossing, outcome in crossed["outcomes"].items() if outcome is None]

    assert (crossed["exit"], died_at) == (0, []), crossed["stderr"]
    assert set(crossed["outcomes"]) == set(CROSSINGS)


def test_a_deep_value_is_refused_where_it_would_reach_python(crossed: dict[str, Any]) -> None:
    refused = {"RhaiConversionError", "RhaiRuntimeError", "RhaiLimitError"}
    if crossed["value"].startswith("deep"):
        for crossing in ("argument", "argument in an array", "argument that is captured", "result", "result in a map"):
            assert crossed["outcomes"][crossing] in refused, crossing


@pytest.mark.parametrize("value", ["let v = 1; || v", "let v = [1]; let f = || v; let g = || f; [g, g]"])
def test_a_function_that_is_not_deep_crosses(engine: rhai.Engine, value: str) -> None:
    seen: list[Any] = []
    engine.register("keep", seen.append)
    engine.eval(f"let x = {{ {value} }}; keep(x)")

    assert seen


def test_a_refused_argument_is_an_error_that_the_script_can_catch(engine: rhai.Engine) -> None:
    engine.register("host", lambda value: value)
    deep = "let v = 0; for i in 0..1000 { let p = v; let f = || p; v = f; } "

    with pytest.raises(rhai.RhaiConversionError, match="argument 1 is nested deeper than"):
        engine.eval(deep + "host(v)")
    assert "deeper" in engine.eval(deep + "let r = 0; try { host(v) } catch (e) { r = e.message } r")
