"""The command line of every measured client, so that all systems are driven in the same way.

    PROGRAM submit N           submit N no-op jobs in a simple loop             -> {"seconds": 1.23}
    PROGRAM roundtrip N        N times: submit one, wait for its result         -> {"ms": [0.7, ...]}
    PROGRAM burst WIDTH TIMES  TIMES times: submit WIDTH jobs, await them all   -> {"ms": [12.1, ...]}

The answer is one JSON line on standard output; `BENCH_REDIS_URL` is the URL of the server. It uses only the standard
library, because it runs in the environments of the peers.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable

REDIS_URL = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/0")
EXPECTED = 42


def drive(
    submit: Callable[[], object], round_trip: Callable[[], object], burst: Callable[[int], list[object]] | None = None
) -> None:
    """Run the command in `sys.argv` and print its figures.

    Args:
        submit: Submits one job.
        round_trip: Submits one job, waits for it and returns its result.
        burst: Submits a number of jobs, waits for all and returns their results.
    """
    command, *arguments = sys.argv[1:]
    if command == "submit":
        submit()  # connects and fills the caches of the client, which is not measured
        start = time.perf_counter()
        for _ in range(int(arguments[0]) - 1):
            submit()
        print(json.dumps({"seconds": time.perf_counter() - start}))
    elif command == "roundtrip":
        print(json.dumps({"ms": timed(int(arguments[0]), lambda: [round_trip()])}))
    elif command == "burst" and burst is not None:
        width, times = int(arguments[0]), int(arguments[1])
        print(json.dumps({"ms": timed(times, lambda: burst(width))}))
    else:
        raise SystemExit(f"unknown command {command!r}")


def timed(times: int, act: Callable[[], list[object]]) -> list[float]:
    """Measure calls, after three that do not count, in milliseconds; every result must be 42."""
    figures = []
    for i in range(times + 3):
        start = time.perf_counter()
        results = act()
        took_ms = (time.perf_counter() - start) * 1000
        for result in results:
            if int(str(result)) != EXPECTED:
                raise SystemExit(f"expected {EXPECTED}, got {result!r}")
        if i >= 3:
            figures.append(round(took_ms, 4))
    return figures
