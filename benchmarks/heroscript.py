"""Measures HeroScript: jobs per second through an actor with one lane, and the time of a no-op job beyond its parsing.

    .venv/bin/python -m benchmarks.heroscript            about half a minute
    .venv/bin/python -m benchmarks.heroscript --jobs 100 a quick run

It runs the Valkey from our wheel, one Python actor with one lane, and a submitter. "fresh" is the default, one child
process per job; "reused" keeps a child that left nothing behind. Submitter, server, actor and children share the
machine, so the figures are those of all of them together.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures.machine import describe_machine
from benchmarks.figures.processes import running
from benchmarks.figures.record import record
from benchmarks.figures.report import percentile
from benchmarks.figures.server import connect, valkey
from hero_engine.languages.heroscript import Playbook
from hero_job import Job, JobBuilder
from hero_supervisor import Supervisor, SupervisorBuilder

#: The shortest script that runs an action and has no output.
NO_OP = "!!session.env_set key:a val:b"
ROUNDS = 5
WAIT_S = 30.0
KINDS = {"fresh": "1", "reused": "1000000"}


@contextmanager
def actor(url: str, folder: Path, jobs_per_child: str) -> Iterator[Supervisor]:
    """Run an actor with one lane during a `with` block; it has already run a job."""
    command = [sys.executable, "-m", "hero_actor", "--type", "python", "--lanes", "1", "--redis-url", url]
    env = {"HERO_ACTIONS": "", "HERO_CHILD_JOBS": jobs_per_child}
    with running(command, log=folder / "actor.log", env=env), SupervisorBuilder().redis_url(url).build() as supervisor:
        supervisor.run_job_and_await_result(no_op(), wait_s=WAIT_S)
        yield supervisor


def no_op() -> Job:
    """Return a job that does nothing."""
    return JobBuilder().caller_id("bench").context_id("bench").script_type("python").script(NO_OP).build()


def rate(supervisor: Supervisor, jobs: int) -> float:
    """Measure the jobs per second, from before the first submission until the last job has ended."""
    batch = [no_op() for _ in range(jobs)]
    began = time.perf_counter()
    created = supervisor.create_jobs(batch)
    status = supervisor.await_batch(created.batch_id, wait_s=WAIT_S)
    took_s = time.perf_counter() - began
    assert status.finished == jobs, status
    return jobs / took_s


def round_trip_ms(supervisor: Supervisor, times: int) -> list[float]:
    """Measure the times from the submission of a job to its result, one job after the other."""
    return [timed_ms(lambda: supervisor.run_job_and_await_result(no_op(), wait_s=WAIT_S)) for _ in range(times)]


def timed_ms(call: Callable[[], object]) -> float:
    """Measure the time of one call, in milliseconds."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=600, help="jobs in each round (default: %(default)s)")
    jobs: int = parser.parse_args(argv).jobs

    parse_ms = statistics.median(timed_ms(lambda: Playbook.parse(NO_OP)) for _ in range(1000))
    with tempfile.TemporaryDirectory() as name, valkey(Path(name), appendonly=False) as url:
        with connect(url) as client:
            print("; ".join(f"{what} {value}" for what, value in describe_machine(client).items()))
        print(f"parse of the no-op script: {parse_ms:.3f} ms, median")
        print(f"\n{'':<8}{'jobs/s':^32}{'ms per job beyond parsing':>28}")
        print(f"{'child':<8}{'best':>14}{'median':>9}{'worst':>9}{'median':>20}{'99 %':>8}")
        for kind, jobs_per_child in KINDS.items():
            with actor(url, Path(name), jobs_per_child) as supervisor:
                rates = [rate(supervisor, jobs) for _ in range(ROUNDS)]
                trips = round_trip_ms(supervisor, jobs // 2)
            median, late = (percentile(trips, share) - parse_ms for share in (0.5, 0.99))
            figures = f"{max(rates):>14.0f}{statistics.median(rates):>9.0f}{min(rates):>9.0f}"
            print(f"{kind:<8}{figures}{median:>20.2f}{late:>8.2f}")
            record(f"{kind} child", max(rates), "jobs/s", more_is_better=True)
            record(f"{kind} child, a job beyond parsing", median, "ms", more_is_better=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
