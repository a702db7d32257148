"""Compares this runtime with Dramatiq, Taskiq, Huey, BullMQ, Asynq and apalis-redis: jobs per second, and latencies.

    .venv/bin/python benchmarks/throughput.py            about ten minutes
    .venv/bin/python benchmarks/throughput.py --quick    a small run: shows that it works, not how fast it is

All systems do the same work: no-op jobs that return 42, with stored results, in one worker process, with one server
over TCP on the loopback address (the Valkey from our wheel, in memory; with `--appendonly` it persists). Rounds are
interleaved, so that other load on the machine affects all systems alike; the table shows the best and the median
round. The peers are installed once, each in its own environment below `.bench/`, in their newest versions, with the
settings that made them fastest.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures.actors import Figure, measure_actors
from benchmarks.figures.ceiling import measure_ceiling
from benchmarks.figures.environments import EnvironmentNotMade
from benchmarks.figures.machine import describe_machine
from benchmarks.figures.measure import Figures, Sizes, measure_round
from benchmarks.figures.processes import ProcessFailed, end_like_ctrl_c
from benchmarks.figures.record import record
from benchmarks.figures.report import markdown_table, percentile, ratios
from benchmarks.figures.server import connect, valkey
from benchmarks.figures.systems import FAMILIES, System


def main() -> int:
    """Measure and print the report."""
    options = _parse()
    families = [name for name in FAMILIES if name in options.systems]
    sizes = (
        Sizes(jobs=300, round_trips=20, bursts=2) if options.quick else Sizes(jobs=10_000, round_trips=300, bursts=10)
    )
    rounds = options.rounds or (1 if options.quick else 3)
    systems: list[tuple[System, Figures]] = []
    measured: list[Figures] = []
    for family in families:
        say(f"environment of {family}")
        try:
            made = FAMILIES[family]()
        except EnvironmentNotMade as e:
            measured.append(Figures(name=family, family=family, failure=e.reason))
            continue
        for system in made:
            figures = Figures(name=system.name, family=family, versions=system.versions)
            systems.append((system, figures))
            measured.append(figures)

    ceiling: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="hero-bench-") as folder,
        valkey(Path(folder), appendonly=options.appendonly) as url,
        connect(url) as client,
    ):
        machine = describe_machine(client)
        for number in range(1, rounds + 1):
            say(f"round {number} of {rounds}: ceiling")
            ceiling.append(measure_ceiling(client, 6_400 if options.quick else 64_000))
            for system, figures in systems:
                if figures.failure and not figures.measured:
                    continue
                say(f"round {number} of {rounds}: {system.name}")
                try:
                    measure_round(system, figures, url, client, sizes, Path(folder))
                except (ProcessFailed, TimeoutError) as e:
                    figures.failure = f"round {number}: {e}"
                    say(f"{system.name}: {e}")
        actors: list[Figure] = []
        if options.actors:
            say("actors: memory, start, recovery")
            client.flushall()
            actors = measure_actors(url, client, Path(folder), times=1 if options.quick else 5)

    record_figures(measured, ceiling)
    compared = ratios(measured, ceiling)
    report = {
        "machine": machine,
        "settings": {
            "rounds": rounds,
            "jobs": {system.name: int(sizes.jobs * system.weight) for system, _ in systems},
            "appendonly": options.appendonly,
            "quick": options.quick,
        },
        "ceiling_per_s": ceiling,
        "systems": [asdict(figures) for figures in measured],
        "actors": [asdict(figure) for figure in actors],
        "ratios": compared,
    }
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    print("\nMachine: " + "; ".join(f"{name} {value}" for name, value in machine.items()))
    versions = {name: version for figures in measured for name, version in figures.versions.items()}
    if versions:
        print("Versions: " + ", ".join(f"{name} {version}" for name, version in sorted(versions.items())))
    persistence = "appendonly, fsync every second" if options.appendonly else "in memory only"
    print(f"Rounds: {rounds}, interleaved; server {persistence}\n")
    print(markdown_table(measured, ceiling))
    print()
    for line in [*compared, *(figure.line() for figure in actors)]:
        print(line)
    if options.quick:
        print("\nA quick run: the figures show that everything works, not how fast it is.")
    # The failure of a peer is reported and does not fail the run.
    failed = [figures.name for figures in measured if figures.failure and figures.family == "hero"]
    return 1 if failed else 0


def record_figures(measured: list[Figures], ceiling: list[float]) -> None:
    """Record the figures of each system for `benchmarks.run_all`, and ours as a share of the ceiling."""
    record("ceiling", max(ceiling), "jobs/s", more_is_better=True)
    for figures in measured:
        if not figures.measured or figures.failure:
            continue
        drain = max(figures.drain_per_s)
        record(f"{figures.name}: drain", drain, "jobs/s", more_is_better=True)
        record(f"{figures.name}: submit", max(figures.submit_per_s), "jobs/s", more_is_better=True)
        record(f"{figures.name}: round trip, p50", percentile(figures.round_trip_ms, 0.5), "ms", more_is_better=False)
        record(f"{figures.name}: drain / ceiling", drain / max(ceiling), "", more_is_better=True)


def say(text: str) -> None:
    """Print progress on standard error, so that standard output holds only the report."""
    print(f"  {text}", file=sys.stderr, flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="make a small run, which only shows that everything works")
    parser.add_argument(
        "--rounds", type=int, default=0, help="number of interleaved rounds (default: 3, or 1 with --quick)"
    )
    parser.add_argument(
        "--systems",
        type=_families,
        default=list(FAMILIES),
        help=f"comma-separated list of {','.join(FAMILIES)} (default: all)",
    )
    parser.add_argument(
        "--no-actors", dest="actors", action="store_false", help="leave out memory, start and recovery of an actor"
    )
    parser.add_argument("--appendonly", action="store_true", help="let the server persist, like the embedded store")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all values to this file")
    return parser.parse_args()


def _families(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in FAMILIES:
            raise argparse.ArgumentTypeError(f"unknown system {name!r}; known are {', '.join(FAMILIES)}")
    return names


if __name__ == "__main__":
    end_like_ctrl_c()
    try:
        code = main()
    except KeyboardInterrupt:
        code = 130
    except ProcessFailed as e:
        say(str(e))
        code = 1
    sys.exit(code)
