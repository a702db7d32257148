"""The chaos harness as a program: `python -m tests.chaos --seed 1 --seconds 180`. Exits with 0 if all went well."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import run


def main() -> int:
    """Run once, print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of load, faults and noise (1)")
    parser.add_argument("--seconds", type=float, default=60, help="how long load and faults last (60)")
    parser.add_argument("--rate", type=float, default=40, help="submissions a second (40)")
    parser.add_argument("--folder", type=Path, help="keep the witness and the log there; an empty folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        outcome = run(folder, seed=options.seed, seconds=options.seconds, rate=options.rate)
    print(f"seed {options.seed}, {options.seconds:g} s, {options.rate:g} submissions a second")
    print(outcome.report)
    return 1 if outcome.verdict.problems else 0


if __name__ == "__main__":
    sys.exit(main())
