"""Measures the load of the entries that scale automatically, and changes their number of processes.

Owned here: where the figures come from. `autoscale.py` decides, and `fleet.py` acts. The service runs this. Invariant:
nothing changes when the store does not answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from hero_job.client.async_store import AsyncStore
from hero_job.model.errors import StoreError
from hero_job.model.job import ScriptType
from hero_job.model.views import ActorPresence
from hero_job.operations.operations import Operations
from hero_supervisor.fleet import autoscale
from hero_supervisor.fleet.autoscale import EntryLoad, ScaleBounds, ScaleState
from hero_supervisor.fleet.fleet import Fleet
from hero_supervisor.policy.child_state import Phase
from hero_supervisor.process.spec import ActorSpec

log = logging.getLogger(__name__)

#: Seconds between two looks. Actors report their figures once per second.
EVERY_S = 1.0


@dataclass(slots=True)
class _Drain:
    """How fast the queues of an entry empty, as far as it was seen."""

    jobs: int = 0
    waiting: int = 0
    at_mono: float = 0.0
    per_s: float = 0.0
    #: Since when jobs wait and none has left the queues; None when they move.
    stuck_since_mono: float | None = None


class Scaler:
    """Scales the entries of a fleet.

    Args:
        store: Where the queues are.
        operations: Builds the operations on queues.
        fleet: Its entries are scaled.
        every_s: Seconds between two looks.
    """

    def __init__(self, store: AsyncStore, operations: Operations, fleet: Fleet, *, every_s: float = EVERY_S) -> None:
        self._store = store
        self._operations = operations
        self._fleet = fleet
        self._every_s = every_s
        self._drains: dict[str, _Drain] = {}

    async def run(self) -> None:
        """Look repeatedly, until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.look()
            except StoreError as e:
                log.debug("scaler.store_away", extra={"reason": str(e)})

    async def look(self) -> None:
        """Look once, and act.

        Raises:
            StoreError: The store is away. Entries that were not looked at stay as they are.
        """
        entries = [entry for entry in self._fleet.entries if entry.scale_max and entry.script_type]
        if not entries:
            return
        actors = await self._store.drive(self._operations.admin.actors())
        for entry in entries:
            load = await self._load(entry, actors)
            bounds = ScaleBounds(
                least=entry.scale_min, most=entry.scale_max, wait_s=entry.scale_wait_s, idle_s=entry.scale_idle_s
            )
            known = self._fleet.scaling.get(entry.name, ScaleState())
            state, count = autoscale.decide(known, load, entry.count, bounds, time.monotonic())
            self._fleet.scaling[entry.name] = state
            if count != entry.count:
                self._fleet.scale(entry.name, count, reason=state.reason)

    async def _load(self, entry: ActorSpec, actors: Sequence[ActorPresence]) -> EntryLoad:
        script_type = ScriptType.parse(entry.script_type)
        groups = (None, entry.group) if entry.group else (None,)
        queues = [await self._store.run(self._operations.admin.queue_head(script_type, group)) for group in groups]
        serving = [a for a in actors if a.script_type is script_type and (not entry.group or a.group == entry.group)]
        waiting = sum(head.waiting for head in queues)
        drain = self._drains.setdefault(entry.name, _Drain())
        _note(drain, sum(actor.jobs for actor in serving), waiting, time.monotonic())
        running = [c for c in self._fleet.children() if c.entry == entry.name and c.phase is Phase.RUNNING]
        stuck_s = 0.0 if drain.stuck_since_mono is None else time.monotonic() - drain.stuck_since_mono
        return EntryLoad(
            waiting=waiting,
            # A third-party producer may not say since when its jobs wait.
            wait_s=max(stuck_s, *(head.wait_s for head in queues)),
            drained_per_s=drain.per_s,
            lanes=sum(child.lanes for child in running),
            busy=sum(child.busy for child in running),
            ready=len(running),
        )


def _note(drain: _Drain, jobs: int, waiting: int, now_mono: float) -> None:
    """Update the speed from the number of jobs that the actors have run. When that falls, an actor has ended."""
    moved, passed_s = jobs != drain.jobs, now_mono - drain.at_mono
    if not (waiting and drain.waiting):
        drain.per_s = 0.0  # the flow of an idle queue does not show how fast it could empty
    elif jobs >= drain.jobs and passed_s > 0:
        seen_per_s = (jobs - drain.jobs) / passed_s
        drain.per_s = (drain.per_s + seen_per_s) / 2 if drain.per_s else seen_per_s
    drain.jobs, drain.waiting, drain.at_mono = jobs, waiting, now_mono
    if not waiting or moved:
        drain.stuck_since_mono = None
    elif drain.stuck_since_mono is None:
        drain.stuck_since_mono = now_mono
