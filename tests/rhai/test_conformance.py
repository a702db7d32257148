"""The corpus: the outcome of each script, through the package and with the Rhai crate alone.

A line of `corpus/*.txt` is a script, an arrow, and the expected outcome as JSON: a value or the kind of an error, and
the printed lines. Floats, decimals, blobs, maps and ranges are tagged objects, so that comparisons are exact.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import rhai
from tests.rhai.bounds import GUARD_S

CORPUS = Path(__file__).parent / "corpus"
CRATE = Path(__file__).resolve().parents[2] / "engines" / "rhai-py"
BUILD_S = 3000.0
#: The program is linked from the compiled crate of the wheel, which `scripts/setup` has made. The optimiser has worked
#: on that; to let it work on the program, too, would take longer than all scripts do.
WITHOUT_OPTIMISER = ("--config", "profile.release.package.native.opt-level=0")

CASES: dict[str, tuple[str, dict[str, Any]]] = {}
for chapter in sorted(CORPUS.glob("*.txt")):
    for number, line in enumerate(chapter.read_text().splitlines(), start=1):
        if not line.startswith("//"):
            script, _, outcome = line.rpartition("  ==>  ")
            CASES[f"{chapter.stem}:{number}"] = (script, json.loads(outcome))


def tagged(value: Any) -> Any:
    """The value in the notation of the native program, `engines/rhai-py/native`."""
    match value:
        case float():
            text = "NaN" if math.isnan(value) else repr(value)
            return {"float": text}
        case Decimal():
            return {"decimal": str(value)}
        case bytes():
            return {"bytes": value.hex()}
        case range():
            return {"range": [value.start, value.stop]}
        case list():
            return [tagged(item) for item in value]
        case dict():
            return {"map": {key: tagged(item) for key, item in value.items()}}
        case rhai.Function():
            return {"type": "Fn"}
        case rhai.Timestamp():
            return {"type": "timestamp"}
    return value


def same_floats(value: Any) -> Any:
    """Write floats by their value, because Rust writes `1e20` and Python `1e+20`."""
    if isinstance(value, dict) and set(value) == {"float"}:
        return {"float": float(value["float"]).hex()}
    if isinstance(value, dict):
        return {key: same_floats(item) for key, item in value.items()}
    return [same_floats(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", CASES)
def test_a_script_of_the_corpus_has_the_expected_outcome(engine: rhai.Engine, case: str) -> None:
    script, expected = CASES[case]
    run = rhai.Run()
    outcome: dict[str, Any]
    try:
        outcome = {"value": tagged(engine.eval(script, run=run))}
    except rhai.RhaiError as error:
        outcome = {"error": error.kind}

    printed = "".join(f"{line}\n" for line in expected.get("output", []))
    assert same_floats(outcome) == same_floats({key: expected[key] for key in expected if key != "output"})
    assert run.output == printed


def test_the_corpus_is_large_and_repeats_no_script() -> None:
    scripts = [script for script, _ in CASES.values()]

    assert len(scripts) >= 300
    assert len(set(scripts)) == len(scripts)


@pytest.mark.timeout(BUILD_S)
@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is needed to build the native program")
def test_the_crate_alone_agrees_with_the_corpus() -> None:
    build = ["cargo", "build", "--quiet", "--locked", "--release", "--package", "native"]
    subprocess.run([*build, *WITHOUT_OPTIMISER], cwd=CRATE, check=True, timeout=BUILD_S)
    target = Path(os.environ.get("CARGO_TARGET_DIR", CRATE / "target"))
    answered = subprocess.run(
        [target / "release" / "native"],
        input="\0".join(script for script, _ in CASES.values()),
        capture_output=True,
        text=True,
        check=True,
        timeout=GUARD_S,
    )
    outcomes = [json.loads(line) for line in answered.stdout.splitlines()]

    assert len(outcomes) == len(CASES)
    differing = {
        case: (script, outcome)
        for (case, (script, expected)), outcome in zip(CASES.items(), outcomes, strict=True)
        if outcome != {"output": [], **expected}
    }
    assert differing == {}
