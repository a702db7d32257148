"""The chaos harness as a program: `python -m tests.chaos --seed 1 --seconds 180`.

It prints the figures of the run and exits with 0 if the checker has found no problem.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import run


def main() -> int:
    """Run the harness once and print the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="seed of load, faults and network noise (default: 1)")
    parser.add_argument("--seconds", type=float, default=60, help="duration of load and faults (default: 60)")
    parser.add_argument("--rate", type=float, default=40, help="submissions per second (default: 40)")
    parser.add_argument("--folder", type=Path, help="empty folder in which to keep the witness's file and the logs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        outcome = run(folder, seed=options.seed, seconds=options.seconds, rate=options.rate)
    print(f"seed {options.seed}, {options.seconds:g} s, {options.rate:g} submissions per second")
    print(outcome.report)
    return 1 if outcome.verdict.problems else 0


if __name__ == "__main__":
    sys.exit(main())
