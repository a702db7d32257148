"""Jobs a second and latencies of this runtime, beside Dramatiq, Taskiq, Huey and BullMQ, in one run on one server.

    .venv/bin/python benchmarks/throughput.py            about five minutes
    .venv/bin/python benchmarks/throughput.py --quick    a small run: shows that it works, not how fast it is

Everybody does the same work: a no-op that answers 42, its result stored, one worker process, one server over TCP on
the loopback (the wheel's Valkey, in memory; `--appendonly` for one that persists). Rounds are interleaved, so that a
neighbour's load falls on all of them alike; the best and the median of the rounds are printed. The peers are installed
once, each in its own environment below `.bench/`, at their newest version, with the settings that made them fastest.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from figures.actors import measure_actors
from figures.ceiling import measure_ceiling
from figures.environments import EnvironmentNotMade
from figures.machine import describe_machine
from figures.measure import Figures, Sizes, measure_round
from figures.processes import ProcessFailed
from figures.report import markdown_table, ratios
from figures.server import connect, valkey
from figures.systems import FAMILIES, System


def main() -> int:
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
        actors = []
        if options.actors:
            say("actors: memory, start, recovery")
            client.flushall()
            actors = measure_actors(url, client, Path(folder), times=1 if options.quick else 5)

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
        "ratios": ratios(measured, ceiling),
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
    for line in [*report["ratios"], *(figure.line() for figure in actors)]:
        print(line)
    if options.quick:
        print("\nA quick run: the figures show that everything works, not how fast it is.")
    # What a peer cannot do is told and does not fail the run.
    failed = [figures.name for figures in measured if figures.failure and figures.family == "hero"]
    return 1 if failed else 0


def say(text: str) -> None:
    """Progress, on standard error, so that the table can be piped away."""
    print(f"  {text}", file=sys.stderr, flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small run that shows that everything works")
    parser.add_argument("--rounds", type=int, default=0, help="interleaved rounds (3; quick: 1)")
    parser.add_argument(
        "--systems", type=_families, default=list(FAMILIES), help=f"comma-separated, of {','.join(FAMILIES)} (all)"
    )
    parser.add_argument("--no-actors", dest="actors", action="store_false", help="leave out memory, start and recovery")
    parser.add_argument("--appendonly", action="store_true", help="the server persists, as the embedded store does")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all values there too")
    return parser.parse_args()


def _families(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in FAMILIES:
            raise argparse.ArgumentTypeError(f"unknown system {name!r}; known are {', '.join(FAMILIES)}")
    return names


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as with Ctrl-C: with all that was started
    try:
        code = main()
    except KeyboardInterrupt:
        code = 130
    except ProcessFailed as e:
        say(str(e))
        code = 1
    sys.exit(code)
