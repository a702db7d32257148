"""HeroScript jobs a second through a whole actor of one lane, and what a no-op job costs over its parse.

    .venv/bin/python -m benchmarks.heroscript            about half a minute
    .venv/bin/python -m benchmarks.heroscript --jobs 100 a quick run

The wheel's Valkey over TCP on the loopback, one `hero-actor` for Python with one lane, and a submitter. "fresh" is the
default, a child a job; "reused" keeps a child that left nothing behind. The submitter, the server, the actor and its
children share the machine, so the figures say what all of them reach together.
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

sys.path.insert(0, str(Path(__file__).resolve().parent))

from figures.machine import describe_machine
from figures.processes import running
from figures.server import connect, valkey

from hero_engine.languages.heroscript import Playbook
from hero_job import Job, JobBuilder
from hero_supervisor import Supervisor, SupervisorBuilder

#: The shortest script that runs an action and says nothing.
NO_OP = "!!session.env_set key:a val:b"
ROUNDS = 5
WAIT_S = 30.0
KINDS = {"fresh": "1", "reused": "1000000"}


@contextmanager
def actor(url: str, folder: Path, jobs_per_child: str) -> Iterator[Supervisor]:
    """Have an actor of one lane running, which has run a job."""
    command = [sys.executable, "-m", "hero_actor", "--type", "python", "--lanes", "1", "--redis-url", url]
    env = {"HERO_ACTIONS": "", "HERO_CHILD_JOBS": jobs_per_child}
    with running(command, log=folder / "actor.log", env=env), SupervisorBuilder().redis_url(url).build() as supervisor:
        supervisor.run_job_and_await_result(no_op(), wait_s=WAIT_S)
        yield supervisor


def no_op() -> Job:
    return JobBuilder().caller_id("bench").context_id("bench").script_type("python").script(NO_OP).build()


def rate(supervisor: Supervisor, jobs: int) -> float:
    """Jobs a second, from before the first is submitted until the last has ended."""
    batch = [no_op() for _ in range(jobs)]
    began = time.perf_counter()
    created = supervisor.create_jobs(batch)
    status = supervisor.await_batch(created.batch_id, wait_s=WAIT_S)
    took_s = time.perf_counter() - began
    assert status.finished == jobs, status
    return jobs / took_s


def round_trip_ms(supervisor: Supervisor, times: int) -> list[float]:
    """From submitting a job to having its result, one after the other."""
    return [timed_ms(lambda: supervisor.run_job_and_await_result(no_op(), wait_s=WAIT_S)) for _ in range(times)]


def timed_ms(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=600, help="in each round")
    jobs: int = parser.parse_args(argv).jobs

    parse_ms = statistics.median(timed_ms(lambda: Playbook.parse(NO_OP)) for _ in range(1000))
    with tempfile.TemporaryDirectory() as name, valkey(Path(name), appendonly=False) as url:
        with connect(url) as client:
            say("; ".join(f"{what} {value}" for what, value in describe_machine(client).items()))
        say(f"parse of the no-op script: {parse_ms:.3f} ms, median")
        say(f"\n{'':<8}{'jobs/s':^32}{'ms of a job over its parse':>28}")
        say(f"{'child':<8}{'best':>14}{'median':>9}{'worst':>9}{'median':>20}{'99 %':>8}")
        for kind, jobs_per_child in KINDS.items():
            with actor(url, Path(name), jobs_per_child) as supervisor:
                rates = [rate(supervisor, jobs) for _ in range(ROUNDS)]
                trips = sorted(round_trip_ms(supervisor, jobs // 2))
            median, late = (trips[int(len(trips) * part)] - parse_ms for part in (0.5, 0.99))
            figures = f"{max(rates):>14.0f}{statistics.median(rates):>9.0f}{min(rates):>9.0f}"
            say(f"{kind:<8}{figures}{median:>20.2f}{late:>8.2f}")
    return 0


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
