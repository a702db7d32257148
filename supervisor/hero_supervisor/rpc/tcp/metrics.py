"""What ``/metrics`` and ``/healthz`` say, from the store as it is when they are asked. Called by ``web`` only.

Written by hand: a few gauges need no library. Invariant: a store that is away is a value, never an error.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from hero_client import AsyncSupervisor
from hero_job.model.errors import HeroJobError
from hero_job.model.job import ScriptType
from hero_job.model.views import ActorPresence
from hero_supervisor.rpc.methods.openrpc import runtime_version

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_Samples: TypeAlias = Mapping[str, float]


async def health(supervisor: AsyncSupervisor) -> dict[str, object]:
    """Say whether the store can be reached, and how many actors live."""
    try:
        actors = _alive(await supervisor.list_actors())
    except HeroJobError:
        # No reason: whoever may see this need not be allowed to know where the store is.
        return {"status": "degraded", "store": "unreachable", "actors": None}
    return {"status": "ok", "store": "ok", "actors": len(actors)}


async def metrics(supervisor: AsyncSupervisor, connections: int) -> str:
    """Describe the deployment.

    Args:
        supervisor: Reads it.
        connections: To the TCP port, now.
    """
    families = [
        _gauge("hero_info", "Version of the runtime.", {_label("version", runtime_version()): 1}),
        _gauge("hero_rpc_tcp_connections", "Connections to the TCP port.", {"": connections}),
    ]
    try:
        actors, dead = await asyncio.gather(supervisor.list_actors(), supervisor.count_dead())
        waiting = await asyncio.gather(*(supervisor.queue_length(script_type) for script_type in ScriptType))
    except HeroJobError:
        families.append(_gauge("hero_store_up", "Whether the store answers.", {"": 0}))
        return "".join(families)
    alive = _alive(actors)

    def by_type(value_of: Mapping[ScriptType, float]) -> _Samples:
        return {_label("script_type", script_type.value): value_of[script_type] for script_type in ScriptType}

    def summed(value_of: Mapping[str, int]) -> _Samples:
        return by_type(
            {t: sum(value_of[actor.incarnation] for actor in alive if actor.script_type is t) for t in ScriptType}
        )

    families += [
        _gauge("hero_store_up", "Whether the store answers.", {"": 1}),
        _gauge("hero_queue_jobs", "Jobs that wait in the queue.", by_type(dict(zip(ScriptType, waiting, strict=True)))),
        _gauge("hero_dead_jobs", "Dead letters.", {"": dead}),
        _gauge("hero_actors", "Actor processes alive.", summed({a.incarnation: 1 for a in alive})),
        _gauge("hero_actor_lanes", "Jobs that they can run at once.", summed({a.incarnation: a.lanes for a in alive})),
        _gauge("hero_jobs_running", "Jobs that they run.", summed({a.incarnation: a.busy for a in alive})),
        _gauge(
            "hero_actor_jobs",
            "Jobs that the actors alive have run since their start.",
            summed({a.incarnation: a.jobs for a in alive}),
        ),
    ]
    return "".join(families)


def _alive(actors: Sequence[ActorPresence]) -> list[ActorPresence]:
    return [actor for actor in actors if actor.beat_at is not None]


def _gauge(name: str, text: str, samples: _Samples) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
    lines += [f"{name}{labels} {value}" for labels, value in samples.items()]
    return "\n".join(lines) + "\n"


def _label(name: str, value: str) -> str:
    return f'{{{name}="{value}"}}'
