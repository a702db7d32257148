"""The metrics of the deployment, which come from the store and are the same from every supervisor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hero_client import AsyncSupervisor
from hero_job.model.job import ScriptType
from hero_job.model.overview.counters import BOUNDS_S, JobCounts
from hero_job.model.views import ActorPresence, ServerFacts
from hero_job.operations.overview.backlog import Backlog
from hero_job.operations.overview.overdue import Running
from hero_supervisor.rpc.methods.overview.history_methods import shown_type
from hero_supervisor.rpc.metrics.exposition import HistogramSample, Samples, counter, gauge, histogram, labels
from hero_supervisor.store.store_warnings import dangers

#: Script types whose series are always there, so that `rate()` sees their first increase.
_TYPES: Final = tuple(script_type.suffix for script_type in ScriptType)


async def read_store(supervisor: AsyncSupervisor) -> str:
    """Write the metrics that the store tells.

    Args:
        supervisor: Reads the store.

    Raises:
        HeroJobError: The store cannot be reached, or refuses.
    """
    actors, dead, server, counts = await asyncio.gather(
        supervisor.list_actors(), supervisor.count_dead(), supervisor.get_server(), supervisor.get_counts()
    )
    asked_mono = time.monotonic()
    await supervisor.ping()
    round_trip_s = time.monotonic() - asked_mono
    behind = await supervisor.get_backlog()
    running = await supervisor.get_running()
    waiting = await asyncio.gather(*(supervisor.queue_length(script_type) for script_type in ScriptType))
    alive = [actor for actor in actors if actor.beat_at is not None]
    families = [
        *_store_families(server, round_trip_s),
        gauge(
            "hero_queue_jobs",
            "Jobs that wait in the queue.",
            {_type(t): n for t, n in zip((one.suffix for one in ScriptType), waiting, strict=True)},
        ),
        gauge("hero_dead_jobs", "Dead letters.", {"": dead}),
        *_actor_families(alive),
        *_backlog_families(behind),
        *_running_families(running),
        *count_families(counts),
    ]
    return "".join(families)


def count_families(counts: Mapping[str, JobCounts]) -> list[str]:
    """Write the counters of the deployment.

    Args:
        counts: Script type in lower case -> what was counted since the deployment began.
    """
    every = {**{suffix: JobCounts() for suffix in _TYPES}, **counts}

    def by_type(value_of: Callable[[JobCounts], float]) -> Samples:
        return {_type(suffix): value_of(one) for suffix, one in every.items()}

    ended: dict[str, float] = {}
    for suffix, one in every.items():
        script_type = shown_type(suffix)
        ended[labels(script_type=script_type, status="finished", error_kind="")] = one.finished
        ended[labels(script_type=script_type, status="stopped", error_kind="")] = one.stopped
        for kind, count in {"timeout": 0, "lost": 0, **one.errors}.items():
            ended[labels(script_type=script_type, status="error", error_kind=kind)] = count
    waits = {_type(s): HistogramSample(one.wait.buckets, one.wait.sum_us / 1e6) for s, one in every.items()}
    runs = {_type(s): HistogramSample(one.run.buckets, one.run.sum_us / 1e6) for s, one in every.items()}
    return [
        counter("hero_jobs_started_total", "Runs that have begun.", by_type(lambda one: one.started)),
        counter("hero_jobs_ended_total", "Jobs that have ended, by status and kind of error.", ended),
        # Beside the series by kind, which begin with their first error: `rate()` does not see that one.
        counter("hero_jobs_failed_total", "Jobs that have ended in error.", by_type(lambda one: one.failed)),
        counter("hero_job_retries_total", "Failed runs that are to be repeated.", by_type(lambda one: one.retries)),
        counter(
            "hero_jobs_redelivered_total",
            "Jobs that run again because their actor or process ended.",
            by_type(lambda one: one.redeliveries),
        ),
        counter(
            "hero_jobs_lost_total",
            "Jobs that ended because each process that ran them ended.",
            by_type(lambda one: one.lost),
        ),
        histogram("hero_job_wait_seconds", "From when a job might run until it was claimed.", BOUNDS_S, waits),
        histogram("hero_job_run_seconds", "How long runs took.", BOUNDS_S, runs),
    ]


def _store_families(server: ServerFacts, round_trip_s: float) -> list[str]:
    named = {labels(setting=setting): 1 for setting, _ in dangers(server)}
    return [
        gauge("hero_store_replicas", "Replicas that are connected to the store.", {"": server.replicas}),
        gauge("hero_store_dangerous_settings", "Settings of the store that may lose jobs, by name.", named),
        gauge("hero_store_writes", "Whether the store takes writes.", {"": int(server.takes_writes)}),
        gauge("hero_store_roundtrip_seconds", "Time of one PING to the store.", {"": round(round_trip_s, 6)}),
        gauge("hero_store_memory_bytes", "Memory that the store uses.", {"": server.used_memory}),
        gauge(
            "hero_store_memory_max_bytes", "Memory that the store may use; 0 for no limit.", {"": server.memory_limit}
        ),
    ]


def _actor_families(alive: Sequence[ActorPresence]) -> list[str]:
    def total_of(value_of: Callable[[ActorPresence], int]) -> Samples:
        return {_type(t.suffix): sum(value_of(actor) for actor in alive if actor.script_type is t) for t in ScriptType}

    return [
        gauge("hero_actors", "Actor processes alive.", total_of(lambda actor: 1)),
        gauge(
            "hero_actors_unavailable",
            "Actor processes alive whose engine is missing.",
            total_of(lambda actor: int(actor.unavailable is not None)),
        ),
        gauge("hero_actor_lanes", "Jobs that they can run simultaneously.", total_of(lambda actor: actor.lanes)),
        gauge("hero_jobs_running", "Jobs that they run.", total_of(lambda actor: actor.busy)),
        gauge("hero_actor_jobs", "Jobs that they have run since their start.", total_of(lambda actor: actor.jobs)),
    ]


def _backlog_families(behind: Backlog) -> list[str]:
    """Write how far the deployment is behind; see `hero_job.operations.overview.backlog`."""
    queues = {labels(queue=queue.name): queue for queue in behind.queues}
    text_of_late = "For how long the next tick of a schedule has been due."
    late = {labels(schedule=name): round(late_s, 3) for name, late_s in behind.schedules_late_s.items()}
    return [
        gauge("hero_queue_waiting_jobs", "Ids that wait in a queue.", {k: q.waiting for k, q in queues.items()}),
        gauge(
            "hero_queue_oldest_wait_seconds",
            "For how long the first job of a queue has waited since it may run.",
            {k: round(q.oldest_wait_s, 3) for k, q in queues.items()},
        ),
        gauge("hero_queue_paused", "Whether a queue is paused.", {k: int(q.paused) for k, q in queues.items()}),
        gauge(
            "hero_queue_unserved",
            "Whether jobs wait in a queue that no actor serves.",
            {k: int(q.unserved) for k, q in queues.items()},
        ),
        gauge("hero_jobs_delayed", "Jobs that wait for their time.", {"": behind.delayed}),
        gauge(
            "hero_jobs_delayed_late_seconds",
            "For how long the first delayed job has been due.",
            {"": round(behind.delayed_late_s, 3)},
        ),
        gauge("hero_jobs_blocked", "Jobs that wait for other jobs, or in line for a key.", {"": behind.blocked}),
        gauge("hero_actors_silent", "Actors whose presence has expired.", {"": behind.silent_actors}),
        gauge("hero_schedule_late_seconds", text_of_late, late),
    ]


def _running_families(running: Running) -> list[str]:
    oldest = {_type(suffix): round(running.oldest_s.get(suffix, 0.0), 3) for suffix in _TYPES}
    return [
        gauge("hero_jobs_running_oldest_seconds", "For how long the oldest running job has run.", oldest),
        gauge("hero_jobs_overdue", "Running jobs that are past their timeout by 30 s.", {"": running.overdue}),
    ]


def _type(suffix: str) -> str:
    return labels(script_type=shown_type(suffix))
