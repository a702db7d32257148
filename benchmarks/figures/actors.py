"""Measures one OSIS actor: its memory, its start, and how soon the job of a killed actor runs again."""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import redis

from benchmarks.figures.processes import running, until
from hero_client import Supervisor, SupervisorBuilder
from hero_job import Job, JobBuilder, JobStatus, ScriptType


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure with its aim.

    Attributes:
        name: What was measured.
        values: One value per repetition.
        unit: MB or s.
        aim: Largest value that reaches the aim.
    """

    name: str
    values: tuple[float, ...]
    unit: str
    aim: float

    def line(self) -> str:
        """Return the line of the report."""
        best, median = min(self.values), statistics.median(self.values)
        reached = "reached" if best <= self.aim else "NOT reached"
        return f"{self.name}: best {best:.3g} {self.unit}, median {median:.3g}, aim at most {self.aim:g}: {reached}"


def measure_actors(url: str, client: redis.Redis, folder: Path, *, times: int) -> list[Figure]:
    """Measure an OSIS actor.

    Args:
        url: URL of the server, which is emptied.
        client: A client of that server.
        folder: Folder for logs and the supervisor's config.
        times: Number of repetitions.
    """
    with SupervisorBuilder().redis_url(url).build() as supervisor:
        resident: list[float] = []
        resident_after: list[float] = []
        start: list[float] = []
        for _ in range(times):
            client.flushall()
            resident_mb, resident_after_mb = _idle_memory(url, supervisor, folder)
            resident.append(resident_mb)
            resident_after.append(resident_after_mb)
            client.flushall()
            start.append(_launch_to_first_job(url, supervisor, folder))
        client.flushall()
        again = _killed_to_next_start(url, supervisor, folder, times)
    return [
        Figure(name="idle OSIS actor, resident", values=tuple(resident), unit="MB", aim=35),
        Figure(name="the same after 100 jobs", values=tuple(resident_after), unit="MB", aim=35),
        Figure(name="OSIS actor, launch to first finished job", values=tuple(start), unit="s", aim=0.25),
        Figure(name="killed actor, until its job starts again", values=tuple(again), unit="s", aim=1.0),
    ]


def _idle_memory(url: str, supervisor: Supervisor, folder: Path) -> tuple[float, float]:
    """Measure the resident MB of the process tree when the actor is idle, and again after 100 jobs."""
    with running(_ACTOR, log=folder / "actor.log", env={"HERO_REDIS_URL": url}) as actor:
        until(lambda: bool(supervisor.list_actors()), limit_s=20, every_s=0.02, what="the actor has joined")
        time.sleep(1.5)  # after one beat an idle actor has loaded all that it needs
        before = _tree_mb(actor.pid)
        for _ in range(100):
            supervisor.run_job_and_await_result(_job("40 + 2"), wait_s=20)
        return before, _tree_mb(actor.pid)


def _launch_to_first_job(url: str, supervisor: Supervisor, folder: Path) -> float:
    job = _job("40 + 2")
    supervisor.submit_job(job)
    begin = time.perf_counter()
    with running(_ACTOR, log=folder / "actor.log", env={"HERO_REDIS_URL": url}):
        supervisor.await_result(job.id, 20)
        return time.perf_counter() - begin


def _killed_to_next_start(url: str, supervisor: Supervisor, folder: Path, times: int) -> list[float]:
    """Measure the seconds from the SIGKILL of an actor to the next start of the job that it ran."""
    config = folder / "hero.toml"
    config.write_text(f'[store]\nredis_url = "{url}"\n[rpc]\nunix_socket = ""\n[[actors]]\ntype = "osis"\n')
    command = [sys.executable, "-m", "hero_supervisor.cli", "--config", str(config)]
    took = []
    with running(command, log=folder / "supervisor.log"):
        for _ in range(times):
            job = _job("sleep(1)")
            until(lambda: len(_living(supervisor)) == 1, limit_s=60, every_s=0.02, what="one actor is up")
            supervisor.submit_job(job)
            until(_started(supervisor, job.id, attempt=1), limit_s=20, every_s=0.001, what="the job has started")
            (pid,) = _living(supervisor)
            killed = time.perf_counter()
            os.kill(pid, signal.SIGKILL)
            again = until(
                _started(supervisor, job.id, attempt=2), limit_s=60, every_s=0.001, what="the job starts again"
            )
            took.append(again - killed)
            supervisor.await_result(job.id, 20)
    return took


def _living(supervisor: Supervisor) -> list[int]:
    """List the process ids of the actors that are alive."""
    return [actor.pid for actor in supervisor.list_actors() if actor.beat_at is not None]


def _started(supervisor: Supervisor, job_id: str, *, attempt: int) -> Callable[[], bool]:
    def probe() -> bool:
        record = supervisor.get_job(job_id)
        return record.attempt >= attempt and record.status is not JobStatus.DISPATCHED

    return probe


def _job(script: str) -> Job:
    builder = JobBuilder().caller_id("bench").context_id("bench").script(script)
    return builder.script_type(ScriptType.OSIS).timeout(30).build()


def _tree_mb(pid: int) -> float:
    root = psutil.Process(pid)
    return sum(process.memory_info().rss for process in [root, *root.children(recursive=True)]) / 1e6


_ACTOR: Sequence[str] = (sys.executable, "-m", "hero_actor", "--type", "osis", "--name", "bench-osis")
