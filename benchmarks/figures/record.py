"""Hands the figures of one benchmark to `benchmarks.run_all`, which runs it several times and compares.

Owned here: the variable that names the file, and the form of its lines. Without the variable nothing is written.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

FILE_VARIABLE: Final = "HERO_BENCH_FIGURES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One figure of one run.

    Attributes:
        name: What was measured; the same in each run.
        value: How much.
        unit: In what.
        more_is_better: Whether a larger value is a better one.
    """

    name: str
    value: float
    unit: str
    more_is_better: bool


def record(name: str, value: float, unit: str, *, more_is_better: bool) -> None:
    """Write a figure down for `benchmarks.run_all`, if this process is one of its runs.

    Args:
        name: What was measured; the same in each run.
        value: How much.
        unit: In what.
        more_is_better: Whether a larger value is a better one.
    """
    if file := os.environ.get(FILE_VARIABLE):
        line = json.dumps(asdict(Recorded(name=name, value=value, unit=unit, more_is_better=more_is_better)))
        with Path(file).open("a") as sink:
            sink.write(line + "\n")


def read_records(file: Path) -> list[Recorded]:
    """Read what a run has written down."""
    return [Recorded(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []
