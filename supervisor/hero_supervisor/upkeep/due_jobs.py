"""Does what is due: queues the jobs whose time has come, ends those that were not started in theirs, fires schedules.

Owned here: when the store is asked what is due. Run by `service.py`, in every supervisor of a deployment; the store
sees to it that each job is moved once and each tick of a schedule gets one job, whoever asks. Invariant: a tick is
moved on only after its jobs are there, so a supervisor that dies between the two leaves the tick to the next.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from hero_job.client.async_store import AsyncStore
from hero_job.model.errors import JobConflict, JobInvalid, JobNotFound, StoreError
from hero_job.model.job import JobLimits
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import DueSchedule, Overlap, Schedules

log = logging.getLogger(__name__)

#: Longest time between two looks, in seconds: what became due meanwhile by somebody else's doing waits so long.
_LONGEST_S = 0.5
_SHORTEST_S = 0.01


class Clock:
    """Moves what is due in one namespace.

    Args:
        store: Where the jobs are.
        operations: Builds the operations on jobs.
        schedules: Builds those on schedules.
        limits: What the deployment accepts of scheduled jobs.
        roll: Gives chances in [0, 1).
    """

    def __init__(
        self,
        store: AsyncStore,
        operations: Operations,
        schedules: Schedules,
        *,
        limits: JobLimits,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._operations = operations
        self._schedules = schedules
        self._limits = limits
        self._roll = roll

    async def run(self) -> None:
        """Look again and again, until cancelled; the store's being away only delays it, and is the sweep's to tell."""
        while True:
            try:
                wait_s = await self.run_once()
            except StoreError:
                wait_s = _LONGEST_S
            # Spread, so that many supervisors do not all ask at the same moment.
            await asyncio.sleep(max(_SHORTEST_S, min(wait_s, _LONGEST_S)) * (1 + self._roll() / 10))

    async def run_once(self) -> float:
        """Do all that is due now.

        Returns:
            In how many seconds the next is due, as far as is known.

        Raises:
            StoreError: The store is away, or refuses.
        """
        moved, next_job_s = await self._store.run(self._operations.admin.promote())
        due = await self._store.run(self._schedules.due())
        for found in due.schedules:
            await self._fire(found, due.now_ms)
        if moved or due.schedules:
            return 0.0
        known = [s for s in (next_job_s, due.next_s) if s is not None]
        return min(known, default=_LONGEST_S)

    async def _fire(self, found: DueSchedule, now_ms: int) -> None:
        schedule = found.schedule
        ticks, following = schedule.due(found.tick_ms, now_ms)
        last_id = found.last_job_id
        for tick in ticks:
            job = schedule.job_at(tick, self._limits)
            if schedule.overlap is Overlap.SKIP and last_id not in (None, job.id) and await self._is_open(last_id):
                log.info("schedule.skipped", extra={"schedule": schedule.name, "job": job.id, "running": last_id})
                continue
            try:
                last_id = await self._store.run(self._operations.create(job, start=True))
            except (JobInvalid, JobConflict) as e:
                log.error("schedule.refused", extra={"schedule": schedule.name, "job": job.id, "error": str(e)})
        if await self._store.run(self._schedules.move_on(schedule.name, found.tick_ms, following, last_id)):
            log.info("schedule.fired", extra={"schedule": schedule.name, "ticks": len(ticks), "job": last_id})

    async def _is_open(self, job_id: str | None) -> bool:
        try:
            return not (await self._store.run(self._operations.status(job_id or ""))).terminal
        except JobNotFound:
            return False
