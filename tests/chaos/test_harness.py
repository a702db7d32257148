"""A short run of the chaos harness. `python -m tests.chaos` makes longer ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.faults import LEAST_FAULTS
from tests.chaos.run import run


@pytest.mark.slow
def test_faults_of_many_kinds_under_load_break_no_promise(tmp_path: Path) -> None:
    outcome = run(tmp_path, seed=53, seconds=25, rate=20)

    print(outcome.report)
    assert outcome.verdict.problems == [], outcome.report
    assert outcome.jobs > 400
    assert outcome.faults >= LEAST_FAULTS
