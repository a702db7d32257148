"""Queues the jobs whose time has come, ends the jobs that have expired, and fires schedules.

Owned here: when the store is asked what is due. The service of every supervisor runs this. The store's scripts make
sure that each job is moved once and that each tick of a schedule gets one job, even when several supervisors ask.
Invariant: a schedule moves on to its next tick only after the jobs of this tick exist, so when a supervisor dies
between the two, another one completes the tick.
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

#: Longest time between two looks, in seconds. A job that another program makes due waits this long at most.
_LONGEST_S = 0.5
_SHORTEST_S = 0.01


class DueJobs:
    """Moves the due jobs of one namespace.

    Args:
        store: Where the jobs are.
        operations: Builds the operations on jobs.
        schedules: Builds those on schedules.
        limits: The limits of the deployment, which scheduled jobs must keep too.
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
        """Look repeatedly, until cancelled. An outage of the store only delays this; `JobRecovery` reports it."""
        while True:
            try:
                wait_s = await self.run_once()
            except StoreError:
                wait_s = _LONGEST_S
            # With jitter, so that many supervisors do not all ask at the same moment.
            await asyncio.sleep(max(_SHORTEST_S, min(wait_s, _LONGEST_S)) * (1 + self._roll() / 10))

    async def run_once(self) -> float:
        """Move everything that is due now.

        Returns:
            Seconds until the next job or tick that is known to become due.

        Raises:
            StoreError: The store is away, or refuses the command.
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
