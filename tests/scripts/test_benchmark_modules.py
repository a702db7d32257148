"""The benchmarks that run as modules: each prints the figures that its docstring promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT_S = 1500


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize(
    ("arguments", "promised"),
    [
        (
            ["benchmarks.rpc", "--seconds", "0.05"],
            ["dispatch of a small request", "websocket", "run_job, SAL", "run_job, OSIS", "simultaneous run_job"],
        ),
        (["benchmarks.store", "--jobs", "500", "--long", "5000"], ["bytes", "us"]),
        (["benchmarks.objects", "--objects", "500", "--times", "5"], ["bytes of memory each", "| get |", "state:done"]),
        (["benchmarks.stalls", "--scale", "0.001"], ["dependents", "recovery", "purge", "delayed", "commands/call"]),
        (
            ["benchmarks.scale", "--scale", "0.001"],
            [
                "10-ms-away: drain",
                "on three primaries",
                "memory of a job",
                "longest PING",
                "all have their answers",
                "beats",
            ],
        ),
    ],
    ids=["rpc", "store", "objects", "stalls", "scale"],
)
def test_a_quick_run_prints_its_figures(arguments: list[str], promised: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, check=False, cwd=ROOT, text=True, timeout=LIMIT_S
    )

    assert done.returncode == 0, done.stderr
    assert all(words in done.stdout for words in promised), done.stdout
