"""Measures what starting a program costs: processor time, also as a multiple of what Python itself needs.

    .venv/bin/python -m benchmarks.startup              half a minute
    .venv/bin/python -m benchmarks.startup --runs 20

The programs take turns, so that a busy moment of the machine meets all of them. Nothing listens at the store's address:
`heroctl run` gets as far as a command can without one. Compiled modules go to a folder of their own, whatever
PYTHONDONTWRITEBYTECODE says, as they are compiled in an installation.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.figures.record import record

_BIN = Path(sys.executable).parent
_STORE = "redis://127.0.0.1:1/"
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "heroctl --help": [str(_BIN / "heroctl"), "--help"],
    "heroctl run --help": [str(_BIN / "heroctl"), "run", "--help"],
    "heroctl run 1": [str(_BIN / "heroctl"), "run", "1"],
    "heroctl queues": [str(_BIN / "heroctl"), "queues"],
    "hero-actor --help": [str(_BIN / "hero-actor"), "--help"],
    "hero-supervisor --version": [str(_BIN / "hero-supervisor"), "--version"],
}


def processor_time_s(command: list[str], environment: dict[str, str]) -> float:
    """Run a command, and return its user and system time in seconds."""
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure all commands, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10, help="how often each command runs (default: %(default)s)")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "HERO_REDIS_URL": _STORE, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        used: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for turn in range(runs + 1):
            for name, command in COMMANDS.items():
                took_s = processor_time_s(command, environment)
                if turn:  # the first one compiles
                    used[name].append(took_s)
    base_s = min(used["python -c pass"])
    print(f"{'program':<28}{'least':>10}{'median':>10}{'times Python':>14}")
    for name, times in used.items():
        least, median = min(times), statistics.median(times)
        print(f"{name:<28}{least * 1000:>7.0f} ms{median * 1000:>7.0f} ms{least / base_s:>14.1f}")
        record(f"{name}, as a multiple of Python", least / base_s, "", more_is_better=False)


if __name__ == "__main__":
    main()
