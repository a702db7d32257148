"""Several hosts on one store: what the distance between an actor and its store costs, and how a queue is shared."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures.processes import running, until
from benchmarks.scale.finding import Finding
from benchmarks.scale.relay import distant
from hero_client import Supervisor, SupervisorBuilder
from hero_job import JobBuilder, ScriptType
from hero_job.operations.flow import chunks
from tests.valkey_server import ValkeyServer

#: Time of one direction, in seconds: the same rack, the same city, the next country. None is without the relay.
DELAYS_S = (None, 0.0002, 0.001, 0.010)
JOBS = 60_000
LIMIT_S = 1800.0


def measure(folder: Path, scale: float) -> Iterator[Finding]:
    """Measure the drain of one actor at each distance, then let actors at different distances share a queue.

    Args:
        folder: For the server and logs.
        scale: Share of the full number of jobs.
    """
    count = max(200, int(JOBS * scale))
    server = ValkeyServer(folder, "--appendfsync", "everysec").start()
    try:
        with SupervisorBuilder().redis_url(server.url).build() as supervisor:
            for script_type in (ScriptType.OSIS, ScriptType.SAL):
                for delay_s in DELAYS_S:
                    fill(supervisor, script_type, count)
                    with actor(folder, server, script_type, delay_s):
                        rate = drain(supervisor, script_type, count)
                    what = f"{script_type.value}, {named(delay_s)}: drain"
                    yield Finding(what=what, value=rate, unit="jobs/s", more_is_better=True)
            yield from shared(folder, server, supervisor, count)
    finally:
        server.stop()


def shared(folder: Path, server: ValkeyServer, supervisor: Supervisor, count: int) -> Iterator[Finding]:
    """Let SAL actors at all distances drain one queue, and say which part each has run."""
    with contextlib.ExitStack() as ends:
        for delay_s in DELAYS_S:
            ends.enter_context(actor(folder, server, ScriptType.SAL, delay_s))
        until(lambda: len(supervisor.list_actors()) == len(DELAYS_S), limit_s=60, every_s=0.05, what="all have joined")
        fill(supervisor, ScriptType.SAL, count)
        until(
            lambda: sum(a.jobs for a in supervisor.list_actors()) >= count,
            limit_s=LIMIT_S,
            every_s=0.2,
            what="all jobs are in the beats",
        )
        for found in sorted(supervisor.list_actors(), key=lambda a: -a.jobs):
            yield Finding(what=f"shared queue, {found.name}: jobs", value=100 * found.jobs / count, unit="%")


def fill(supervisor: Supervisor, script_type: ScriptType, count: int) -> None:
    """Queue no-op jobs."""
    make = JobBuilder().caller_id("bench").context_id("bench").script_type(script_type).script("40 + 2")
    for few in chunks(range(count)):
        supervisor.create_jobs([make.build() for _ in few])


def drain(supervisor: Supervisor, script_type: ScriptType, count: int) -> float:
    """Wait until a queue is empty; return the jobs per second of its middle."""
    # If the first look comes late, the queue may be empty already: then count from here.
    seen = [(time.perf_counter(), count)]

    def empty() -> bool:
        length = supervisor.store.run(supervisor.operations.admin.queue_length(script_type))
        seen.append((time.perf_counter(), length))
        return length == 0

    until(empty, limit_s=LIMIT_S, every_s=0.005, what="the queue is empty")
    middle = [each for each in seen if 0 < each[1] <= 0.95 * count] or seen[-2:]
    (began, first), (ended, last) = middle[0], seen[-1]
    return (first - last) / (ended - began)


@contextlib.contextmanager
def actor(folder: Path, server: ValkeyServer, script_type: ScriptType, delay_s: float | None) -> Iterator[None]:
    """Run an actor at a distance from its store."""
    command = [sys.executable, "-m", "hero_actor", "--type", script_type.value.lower(), "--name", named(delay_s)]
    with contextlib.ExitStack() as ends:
        url = server.url if delay_s is None else ends.enter_context(distant(server.port, delay_s))
        ends.enter_context(running(command, log=folder / "actor.log", env={"HERO_REDIS_URL": url}))
        yield


def named(delay_s: float | None) -> str:
    """Name a distance."""
    return "here" if delay_s is None else f"{delay_s * 1000:g}-ms-away"
