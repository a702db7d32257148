"""The methods on the service as a whole: ``stats``, ``health``, ``version``."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from hero_job.model.errors import HeroJobError, StoreRefused
from hero_supervisor.rpc.methods import openrpc, results, shapes
from hero_supervisor.store.store_answers import check_store
from hero_supervisor.store.store_warnings import dangers

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor


class ServiceMethods:
    """The methods on the service as a whole.

    Args:
        supervisor: Whose deployment they describe.
    """

    def __init__(self, supervisor: AsyncSupervisor) -> None:
        self._supervisor = supervisor
        self._started_mono = time.monotonic()

    async def stats(self) -> results.Stats:
        """Return figures of the deployment: queues, actors, dead letters."""
        actors = await self._supervisor.list_actors()
        alive = [actor for actor in actors if actor.beat_at is not None]
        return {
            "queues": [results.queue_view(queue) for queue in await self._supervisor.list_queues()],
            "actors": {
                "alive": len(alive),
                "silent": len(actors) - len(alive),
                "lanes": sum(actor.lanes for actor in alive),
                "busy": sum(actor.busy for actor in alive),
            },
            "dead": await self._supervisor.count_dead(),
            "uptime_s": self._uptime_s(),
        }

    async def health(self) -> shapes.Health:
        """Say whether the service can do its work: "ok", or "degraded" and why; and which settings endanger jobs."""
        problem: str | None = None
        warnings: list[str] = []
        try:
            await check_store(self._supervisor)
            with contextlib.suppress(StoreRefused):  # a user of the store that may not ask for its settings
                facts = await self._supervisor.get_server()
                problem = facts.refusal
                warnings = [f"{setting}: {danger}" for setting, danger in dangers(facts)]
        except HeroJobError as e:
            problem = str(e)
        return {
            "status": "ok" if problem is None else "degraded",
            "problem": problem,
            "warnings": warnings,
            "uptime_s": self._uptime_s(),
        }

    async def version(self) -> shapes.Version:
        """Return the version of the runtime."""
        return {"name": "hero-runtime", "version": openrpc.runtime_version(), "openrpc": openrpc.OPENRPC_VERSION}

    def _uptime_s(self) -> float:
        return round(time.monotonic() - self._started_mono, 3)
