"""Runs the benchmarks in several rounds and writes a report, which a later one can be compared with.

    .venv/bin/python -m benchmarks.run_all                          all, three rounds: about an hour
    .venv/bin/python -m benchmarks.run_all --quick --only store     shows that it works, not how fast anything is
    .venv/bin/python -m benchmarks.run_all --against ../before      two checkouts in turns, compared round by round
    .venv/bin/python -m benchmarks.run_all --compare old/report.json

The report is `report.json` and `report.md` in the folder of `--out`. With `--against`, each round runs each benchmark
in both checkouts, one right after the other and in alternating order, so that other load on the machine meets both
alike; what is compared is the ratio within each round. That is the way to judge a change: figures of two reports that
were not made together differ with the hour. Each checkout uses its own `.venv`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.figures.compare import Series, markdown, take_other
from benchmarks.figures.machine import describe_machine
from benchmarks.figures.processes import ProcessFailed, call, end_like_ctrl_c
from benchmarks.figures.record import FILE_VARIABLE, read_records
from benchmarks.figures.server import connect, valkey

ROOT = Path(__file__).resolve().parents[1]
#: Longest time of one run of one benchmark, in seconds.
LIMIT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How a benchmark is run: with these arguments, or with those of a small run."""

    full: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()


BENCHMARKS = {
    "throughput": Plan(("--rounds", "1", "--no-actors"), ("--quick", "--no-actors", "--systems", "hero")),
    "store": Plan((), ("--jobs", "500", "--long", "2000")),
    "startup": Plan((), ("--runs", "1")),
    "rpc": Plan((), ("--seconds", "0.05")),
    "heroscript": Plan((), ("--jobs", "20")),
    "stalls": Plan(("--scale", "0.05"), ("--scale", "0.001")),
    "objects": Plan(("--objects", "20000", "--times", "200"), ("--objects", "500", "--times", "5")),
    "idle_actors": Plan((), ("--actors", "2", "--idle-s", "1")),
    "page": Plan((), ("--jobs", "100", "--loads", "1", "--seconds", "1", "--pages", "1")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A run that has ended with an error."""

    benchmark: str
    checkout: str
    round: int
    reason: str


class Rounds:
    """Runs benchmarks in turns and collects their figures.

    Args:
        checkouts: Name and folder of what is measured, and of what it is compared with, if anything.
        quick: Whether the runs are small.
    """

    def __init__(self, checkouts: Sequence[tuple[str, Path]], *, quick: bool) -> None:
        self._checkouts = checkouts
        self._quick = quick
        self._series: dict[tuple[str, str], Series] = {}
        self.failures: list[Failure] = []

    @property
    def series(self) -> list[Series]:
        """The figures, in the order in which the benchmarks gave them."""
        return list(self._series.values())

    def run(self, benchmark: str, number: int) -> None:
        """Run a benchmark once in each checkout; the one that is first changes from round to round."""
        turns = self._checkouts if number % 2 else self._checkouts[::-1]
        for name, folder in turns:
            say(f"round {number}: {benchmark} in {name}")
            try:
                self._take(benchmark, folder, is_other=name != self._checkouts[0][0])
            except ProcessFailed as e:
                self.failures.append(Failure(benchmark=benchmark, checkout=name, round=number, reason=str(e)))
                say(str(e))

    def _take(self, benchmark: str, folder: Path, *, is_other: bool) -> None:
        plan = BENCHMARKS[benchmark]
        command = [str(folder / ".venv/bin/python"), "-m", f"benchmarks.{benchmark}"]
        command += plan.quick if self._quick else plan.full
        with tempfile.TemporaryDirectory(prefix="hero-bench-") as kept:
            file = Path(kept) / "figures"
            call(command, env={FILE_VARIABLE: str(file)}, cwd=folder, limit_s=LIMIT_S)
            records = read_records(file)
        if not records:
            raise ProcessFailed(command, 0, "it has recorded no figure")
        for found in records:
            series = self._series.setdefault(
                (benchmark, found.name),
                Series(benchmark=benchmark, name=found.name, unit=found.unit, more_is_better=found.more_is_better),
            )
            (series.other if is_other else series.values).append(found.value)


def commit_of(folder: Path) -> str:
    """Return the commit of a checkout, with `+` if files are changed; `unknown` without git."""
    git = ["git", "-C", str(folder)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def say(text: str) -> None:
    """Print progress on standard error."""
    print(f"  {text}", file=sys.stderr, flush=True)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=tuple(BENCHMARKS), help="this benchmark; may be repeated")
    parser.add_argument("--rounds", type=int, default=3, help="how often each one runs (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="small runs, which only show that everything works")
    compared = parser.add_mutually_exclusive_group()
    compared.add_argument(
        "--against", type=Path, metavar="FOLDER", help="another checkout, measured in turns with this"
    )
    compared.add_argument("--compare", type=Path, metavar="REPORT", help="the report.json of an earlier run")
    parser.add_argument("--out", type=Path, default=ROOT / ".bench/report", help="folder of the report")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks and write the report."""
    options = _parse(argv)
    earlier = json.loads(options.compare.read_text()) if options.compare else None
    checkouts = [("this", ROOT)]
    if options.against:
        checkouts.append(("the other", options.against.resolve()))
    rounds = Rounds(checkouts, quick=options.quick)
    with tempfile.TemporaryDirectory() as folder, valkey(Path(folder), appendonly=False) as url, connect(url) as client:
        machine = describe_machine(client)
    began = time.monotonic()
    for number in range(1, options.rounds + 1):
        for benchmark in options.only or BENCHMARKS:
            rounds.run(benchmark, number)
    series = rounds.series
    if earlier is not None:
        take_other(series, earlier)
    commits = {name: commit_of(folder) for name, folder in checkouts}
    report = {
        "machine": machine,
        "commits": commits,
        "rounds": options.rounds,
        "quick": options.quick,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "figures": [asdict(each) for each in series],
        "failures": [asdict(each) for each in rounds.failures],
    }
    other = "the other" if options.against else "earlier" if earlier else ""
    lines = [
        "# Benchmarks",
        "",
        "Machine: " + "; ".join(f"{name} {value}" for name, value in machine.items()),
        "",
        f"Commits: {', '.join(f'{name} {commit}' for name, commit in commits.items())}. "
        f"Rounds: {options.rounds}{', small ones' if options.quick else ''}.",
        "",
        markdown(series, other=other, paired=options.against is not None),
        *(f"\nFailed: {f.benchmark} in {f.checkout}, round {f.round}: {f.reason}" for f in rounds.failures),
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    (options.out / "report.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    say(f"written to {options.out}; {len(series)} figures, {len(rounds.failures)} failures")
    return 1 if rounds.failures else 0


if __name__ == "__main__":
    end_like_ctrl_c()
    try:
        code = main()
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
