"""The bodies of ``/metrics`` and ``/healthz``, read from the store at each request of the application.

Written by hand, because a few gauges need no library. Invariant: an unreachable store is a value, never an error.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from hero_client import AsyncSupervisor
from hero_job.model.errors import HeroJobError
from hero_job.model.job import ScriptType
from hero_job.model.views import ActorPresence
from hero_job.operations.overview.backlog import Backlog
from hero_supervisor.rpc.methods.openrpc import runtime_version

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_Samples: TypeAlias = Mapping[str, float]


async def health(supervisor: AsyncSupervisor) -> dict[str, object]:
    """Say whether the store can be reached, and how many actors are alive."""
    try:
        actors = _alive(await supervisor.list_actors())
    except HeroJobError:
        # Without the reason, which would tell everybody where the store is.
        return {"status": "degraded", "store": "unreachable", "actors": None}
    return {"status": "ok", "store": "ok", "actors": len(actors)}


async def metrics(supervisor: AsyncSupervisor, connections: int, disk_free: int | None = None) -> str:
    """Write the gauges of the deployment in Prometheus' text format.

    Args:
        supervisor: Reads the store.
        connections: Current connections to the TCP port.
        disk_free: Free bytes on the disk of the embedded store; None without one.
    """
    families = [
        _gauge("hero_info", "Version of the runtime.", {_label("version", runtime_version()): 1}),
        _gauge("hero_rpc_tcp_connections", "Connections to the TCP port.", {"": connections}),
    ]
    if disk_free is not None:
        text = "Free bytes on the disk of the embedded store, without its reserve."
        families.append(_gauge("hero_store_disk_free_bytes", text, {"": disk_free}))
    try:
        actors, dead, server = await asyncio.gather(
            supervisor.list_actors(), supervisor.count_dead(), supervisor.get_server()
        )
        asked_mono = time.monotonic()
        await supervisor.ping()
        round_trip_s = time.monotonic() - asked_mono
        behind = await supervisor.get_backlog()
        waiting = await asyncio.gather(*(supervisor.queue_length(script_type) for script_type in ScriptType))
    except HeroJobError:
        families.append(_gauge("hero_store_up", "Whether the store answers.", {"": 0}))
        return "".join(families)
    alive = _alive(actors)

    def by_type(value_of: Mapping[ScriptType, float]) -> _Samples:
        return {_label("script_type", script_type.value): value_of[script_type] for script_type in ScriptType}

    def total_of(value_of: Callable[[ActorPresence], int]) -> _Samples:
        return by_type({t: sum(value_of(actor) for actor in alive if actor.script_type is t) for t in ScriptType})

    families += [
        _gauge("hero_store_up", "Whether the store answers.", {"": 1}),
        _gauge("hero_store_writes", "Whether the store takes writes.", {"": int(server.takes_writes)}),
        _gauge("hero_queue_jobs", "Jobs that wait in the queue.", by_type(dict(zip(ScriptType, waiting, strict=True)))),
        _gauge("hero_dead_jobs", "Dead letters.", {"": dead}),
        _gauge("hero_actors", "Actor processes alive.", total_of(lambda actor: 1)),
        _gauge("hero_actor_lanes", "Jobs that they can run simultaneously.", total_of(lambda actor: actor.lanes)),
        _gauge("hero_jobs_running", "Jobs that they run.", total_of(lambda actor: actor.busy)),
        _gauge("hero_actor_jobs", "Jobs that they have run since their start.", total_of(lambda actor: actor.jobs)),
        _gauge("hero_store_roundtrip_seconds", "Time of one PING to the store.", {"": round(round_trip_s, 6)}),
        *_backlog_families(behind),
    ]
    return "".join(families)


def _backlog_families(behind: Backlog) -> list[str]:
    """Write how far the deployment is behind; see `hero_job.operations.overview.backlog`."""
    queues = {_label("queue", queue.name): queue for queue in behind.queues}
    text_of_late = "For how long the next tick of a schedule has been due."
    late = {_label("schedule", name): round(late_s, 3) for name, late_s in behind.schedules_late_s.items()}
    return [
        _gauge("hero_queue_waiting_jobs", "Ids that wait in a queue.", {k: q.waiting for k, q in queues.items()}),
        _gauge(
            "hero_queue_oldest_wait_seconds",
            "For how long the first job of a queue has waited since it may run.",
            {k: round(q.oldest_wait_s, 3) for k, q in queues.items()},
        ),
        _gauge("hero_queue_paused", "Whether a queue is paused.", {k: int(q.paused) for k, q in queues.items()}),
        _gauge(
            "hero_queue_unserved",
            "Whether jobs wait in a queue that no actor serves.",
            {k: int(q.unserved) for k, q in queues.items()},
        ),
        _gauge("hero_jobs_delayed", "Jobs that wait for their time.", {"": behind.delayed}),
        _gauge(
            "hero_jobs_delayed_late_seconds",
            "For how long the first delayed job has been due.",
            {"": round(behind.delayed_late_s, 3)},
        ),
        _gauge("hero_jobs_blocked", "Jobs that wait for other jobs, or in line for a key.", {"": behind.blocked}),
        _gauge("hero_actors_silent", "Actors whose presence has expired.", {"": behind.silent_actors}),
        *([_gauge("hero_schedule_late_seconds", text_of_late, late)] if late else []),
    ]


def _alive(actors: Sequence[ActorPresence]) -> list[ActorPresence]:
    return [actor for actor in actors if actor.beat_at is not None]


def _gauge(name: str, text: str, samples: _Samples) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
    lines += [f"{name}{labels} {value}" for labels, value in samples.items()]
    return "\n".join(lines) + "\n"


def _label(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{{{name}="{escaped}"}}'
