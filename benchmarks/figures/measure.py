"""The three measurements that every system goes through: submit and drain, round trip, burst."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import redis

from figures.processes import ProcessFailed, call, running, tail_of, until
from figures.systems import System

DRAIN_LIMIT_S = 120.0
START_LIMIT_S = 20.0
POLL_S = 0.004


@dataclass(slots=True, kw_only=True)
class Figures:
    """What was measured of one system, a value a round (milliseconds: all samples of all rounds)."""

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
        """Is there a drain at least? A failure beside it is told below the table."""
        return bool(self.drain_per_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured.

    Attributes:
        jobs: Jobs of a drain, before the system's weight.
        round_trips: Sequential submit-and-wait exchanges a round.
        bursts: Bursts a round.
        burst_width: Jobs of a burst.
    """

    jobs: int
    round_trips: int
    bursts: int
    burst_width: int = 50


def measure_round(system: System, figures: Figures, url: str, client: redis.Redis, sizes: Sizes, folder: Path) -> None:
    """Take one round of a system and add it to its figures.

    Args:
        system: What to run.
        figures: Gets the values.
        url: The server; it is emptied.
        client: A client of it, for watching.
        sizes: How much.
        folder: For the log of the worker.
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
        # The same worker, now idle, for the latencies.
        for command, times in (("roundtrip", [sizes.round_trips]), ("burst", [sizes.burst_width, sizes.bursts])):
            arguments = [*system.client, command, *(str(n) for n in times)]
            answer = json.loads(call(arguments, env=env, cwd=system.cwd))
            (figures.round_trip_ms if command == "roundtrip" else figures.burst_ms).extend(answer["ms"])


def _drain_rate(pending: Callable[[], int], jobs: int) -> float:
    """Jobs a second between the first 5 % and the last 2 %: without the worker's start and the queue's end."""
    started = time.perf_counter()
    before = (started, jobs)
    begin: tuple[float, int] | None = None
    while True:
        now = (time.perf_counter(), pending())
        if begin is None and now[1] <= 0.95 * jobs:
            # A drain so short that one pause of the watcher hid most of it is counted from the look before.
            begin = now if now[1] >= 0.5 * jobs else before
        if begin is not None and now[1] <= 0.02 * jobs:
            break
        if begin is None and now[0] > started + START_LIMIT_S:
            raise TimeoutError(f"no job done after {START_LIMIT_S:g} s")
        if now[0] > started + DRAIN_LIMIT_S:
            raise TimeoutError(f"{now[1]} of {jobs} jobs not done after {DRAIN_LIMIT_S:g} s")
        before = now
        time.sleep(POLL_S)
    until(lambda: pending() <= 0, limit_s=DRAIN_LIMIT_S, every_s=POLL_S, what="the last jobs are done")
    return (begin[1] - now[1]) / (now[0] - begin[0])
