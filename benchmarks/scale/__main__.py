"""Measures what one store, one host and one supervisor carry, and what breaks first.

    .venv/bin/python -m benchmarks.scale                        full size: half an hour, 22 GB of memory and disk
    .venv/bin/python -m benchmarks.scale --case actors --scale 0.1

The cases: `distance` (actors whose packets to the store take 0.2, 1 and 10 ms), `stores` (io-threads, a cluster),
`jobs` (a million open jobs), `results` (ten gigabytes of them), `waiters` (ten thousand waiting calls), `actors` (a
thousand of them in the registry, simulated by their beats). Everything shares one machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.scale import distance, many_actors, many_jobs, many_stores, many_waiters
from benchmarks.scale.finding import Finding

CASES: dict[str, Callable[[Path, float], Iterator[Finding]]] = {
    "distance": distance.measure,
    "stores": many_stores.measure,
    "jobs": many_jobs.open_jobs,
    "results": many_jobs.results,
    "waiters": many_waiters.measure,
    "actors": many_actors.measure,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the cases, and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size (default: %(default)s)")
    parser.add_argument("--case", action="append", choices=tuple(CASES), help="only this case; may be repeated")
    parser.add_argument("--folder", type=Path, help="where the stores write (default: the temporary folder)")
    options = parser.parse_args(argv)
    for name in options.case or CASES:
        print(name, flush=True)
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            for finding in CASES[name](Path(folder), options.scale):
                finding.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
