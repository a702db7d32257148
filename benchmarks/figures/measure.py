"""The measurements of one system in one round: submitting and draining jobs, round trips, bursts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import redis

from benchmarks.figures.processes import ProcessFailed, call, running, tail_of, until
from benchmarks.figures.systems import System

DRAIN_LIMIT_S = 120.0
START_LIMIT_S = 20.0
POLL_S = 0.004


@dataclass(slots=True, kw_only=True)
class Figures:
    """What was measured of one system: one rate per round, and the latencies of all rounds."""

    name: str
    family: str
    drain_per_s: list[float] = field(default_factory=list)
    submit_per_s: list[float] = field(default_factory=list)
    round_trip_ms: list[float] = field(default_factory=list)
    burst_ms: list[float] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    failure: str = ""

    @property
    def measured(self) -> bool:
        """Is there at least one drain? A later failure is reported below the table."""
        return bool(self.drain_per_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured in one round.

    Attributes:
        jobs: Number of jobs in a drain, before the system's weight.
        round_trips: Number of jobs that are submitted and awaited one by one.
        bursts: Number of bursts.
        burst_width: Number of jobs in a burst.
    """

    jobs: int
    round_trips: int
    bursts: int
    burst_width: int = 50


def measure_round(system: System, figures: Figures, url: str, client: redis.Redis, sizes: Sizes, folder: Path) -> None:
    """Measure one round of a system.

    Args:
        system: The system.
        figures: Where the values are added.
        url: URL of the server, which is emptied.
        client: A client of that server.
        sizes: How much to measure.
        folder: Folder for the worker's log.
    """
    env = {**system.env, "BENCH_REDIS_URL": url, "HERO_REDIS_URL": url}
    log = folder / f"{system.family}.log"
    jobs = int(sizes.jobs * system.weight)

    client.flushall()
    seconds = json.loads(call([*system.client, "submit", str(jobs)], env=env, cwd=system.cwd))["seconds"]
    figures.submit_per_s.append((jobs - 1) / seconds)
    keys_before = int(client.dbsize())
    with running(system.worker, log=log, env=env, cwd=system.cwd) as worker:

        def pending() -> int:
            if worker.poll() is not None:
                raise ProcessFailed(system.worker, worker.returncode, tail_of(log.read_text(errors="replace")))
            return system.pending(client, jobs, keys_before)

        figures.drain_per_s.append(_drain_rate(pending, jobs))
        # The latencies are measured with the same worker, which is idle now.
        for command, times in (("roundtrip", [sizes.round_trips]), ("burst", [sizes.burst_width, sizes.bursts])):
            arguments = [*system.client, command, *(str(n) for n in times)]
            answer = json.loads(call(arguments, env=env, cwd=system.cwd))
            (figures.round_trip_ms if command == "roundtrip" else figures.burst_ms).extend(answer["ms"])


def _drain_rate(pending: Callable[[], int], jobs: int) -> float:
    """Measure the jobs per second between 5 % and 98 %, without the start of the worker and the end of the queue."""
    started = time.perf_counter()
    before = (started, jobs)
    begin: tuple[float, int] | None = None
    while True:
        now = (time.perf_counter(), pending())
        if begin is None and now[1] <= 0.95 * jobs:
            # If one pause of this loop hid most of a short drain, count from the look before it.
            begin = now if now[1] >= 0.5 * jobs else before
        if begin is not None and now[1] <= 0.02 * jobs:
            break
        if begin is None and now[0] > started + START_LIMIT_S:
            raise TimeoutError(f"no job has ended after {START_LIMIT_S:g} s")
        if now[0] > started + DRAIN_LIMIT_S:
            raise TimeoutError(f"{now[1]} of {jobs} jobs have not ended after {DRAIN_LIMIT_S:g} s")
        before = now
        time.sleep(POLL_S)
    until(lambda: pending() <= 0, limit_s=DRAIN_LIMIT_S, every_s=POLL_S, what="the last jobs have ended")
    return (begin[1] - now[1]) / (now[0] - begin[0])
