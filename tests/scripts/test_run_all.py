"""`benchmarks.run_all`: its report, how it compares two sets of runs, and what it does with a run that fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.figures.compare import Series, markdown, take_other
from benchmarks.run_all import BENCHMARKS

ROOT = Path(__file__).parents[2]


def series(values: list[float], other: list[float], *, more_is_better: bool = True) -> Series:
    return Series(
        benchmark="rpc", name="run_job", unit="jobs/s", more_is_better=more_is_better, values=values, other=other
    )


def run_all(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.run_all", *arguments]
    return subprocess.run(command, capture_output=True, check=False, cwd=ROOT, text=True)


def test_report_has_every_round_and_an_earlier_one_is_compared(tmp_path: Path) -> None:
    small = ["--quick", "--only", "store", "--rounds", "2"]
    first = run_all(*small, "--out", str(tmp_path / "first"))
    assert first.returncode == 0, first.stderr
    report = json.loads((tmp_path / "first/report.json").read_text())
    assert {each["name"] for each in report["figures"]} >= {"memory per queued job, server's defaults"}
    assert [len(each["values"]) for each in report["figures"]] == [2] * len(report["figures"])
    assert report["machine"]["cores"]
    assert report["failures"] == []

    second = run_all(
        *small[:-1], "1", "--out", str(tmp_path / "second"), "--compare", str(tmp_path / "first/report.json")
    )
    assert second.returncode == 0, second.stderr
    table = (tmp_path / "second/report.md").read_text()
    assert "| earlier: median |" in table
    assert table.rstrip() == second.stdout.rstrip()


def test_checkout_that_cannot_run_is_told_and_the_rest_is_reported(tmp_path: Path) -> None:
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)

    done = run_all(
        "--quick", "--only", "store", "--rounds", "1", "--against", str(tmp_path), "--out", str(tmp_path / "o")
    )

    assert done.returncode == 1
    report = json.loads((tmp_path / "o/report.json").read_text())
    assert [failure["checkout"] for failure in report["failures"]] == ["the other"]
    assert all(each["values"] and not each["other"] for each in report["figures"])
    assert "Failed: store in the other, round 1" in done.stdout


def test_every_benchmark_that_it_names_exists_and_records_figures() -> None:
    for name in BENCHMARKS:
        assert "record(" in (ROOT / "benchmarks" / f"{name}.py").read_text(), name


@pytest.mark.parametrize(
    ("values", "other", "more_is_better", "verdict"),
    [
        ([11, 22, 33], [10, 20, 30], True, "better"),
        ([11, 22, 33], [10, 20, 30], False, "worse"),
        ([9, 18, 27], [10, 20, 30], True, "worse"),
        ([9, 18, 27], [10, 20, 30], False, "better"),
        ([11, 18, 33], [10, 20, 30], True, "not told apart"),
        ([11, 22], [10, 20], True, "not told apart"),
        ([10, 20, 30], [10, 20, 30], True, "not told apart"),
        ([11, 22, 33], [], True, ""),
        ([11, 22, 33], [0, 0, 0], True, ""),
    ],
)
def test_paired_rounds_tell_apart_only_what_all_of_them_agree_on(
    values: list[float], other: list[float], more_is_better: bool, verdict: str
) -> None:
    assert series(values, other, more_is_better=more_is_better).verdict(paired=True) == verdict


@pytest.mark.parametrize(
    ("values", "other", "verdict"),
    [
        ([31, 32, 33], [10, 20, 30], "better"),
        ([11, 22, 33], [10, 20, 30], "not told apart"),
        ([1, 2, 3], [10, 20, 30], "worse"),
        ([31, 32], [10, 20, 30], "not told apart"),
    ],
)
def test_separate_runs_are_told_apart_only_if_they_do_not_overlap(
    values: list[float], other: list[float], verdict: str
) -> None:
    assert series(values, other).verdict(paired=False) == verdict


def test_figures_that_only_one_report_has_stay_without_a_ratio() -> None:
    known, new = series([1, 2, 3], []), series([4], [])
    new.name = "new"

    take_other([known, new], {"figures": [{"benchmark": "rpc", "name": "run_job", "values": [2, 4, 6]}]})

    lines = markdown([known, new], other="earlier", paired=False).splitlines()
    assert lines[2] == "| rpc | run_job | jobs/s | 2 | 1 to 3 | 4 | 2 to 6 | 0.50 | not told apart |"
    assert lines[3] == "| rpc | new | jobs/s | 4 | 4 to 4 |  |  |  |  |"
