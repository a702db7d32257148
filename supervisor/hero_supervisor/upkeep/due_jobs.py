"""Queues the jobs whose time has come, ends the jobs that have expired, fires schedules, and minds the store's clock.

Owned here: when the store is asked what is due. The service of every supervisor runs this. The store's scripts make
sure that each job is moved once and that each tick of a schedule gets one job, even when several supervisors ask.
Invariants: a schedule moves on to its next tick only after the jobs of this tick exist, so when a supervisor dies
between the two, another one completes the tick; a schedule that cannot be used stops no other one.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from hero_job.client.async_store import AsyncStore
from hero_job.model.damaged import UNREADABLE, reason_of
from hero_job.model.errors import JobConflict, JobDamaged, JobInvalid, JobNotFound, StoreError, StoreRefused
from hero_job.model.job import JobLimits
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import DueSchedule, Overlap, Schedules
from hero_job.operations.store_clock import ClockLook, ClockWatch

log = logging.getLogger(__name__)

#: Longest time between two looks, in seconds. A job that another program makes due waits this long at most.
_LONGEST_S = 0.5
_SHORTEST_S = 0.01
#: Calls of one look that move jobs. Each moves few, so that the store answers others between them.
_CALLS = 40
#: Schedules in one look.
_PAGE = 100


class DueJobs:
    """Moves the due jobs of one namespace.

    Args:
        store: Where the jobs are.
        operations: Builds the operations on jobs.
        schedules: Builds those on schedules.
        limits: The limits of the deployment, which scheduled jobs must keep too.
        clock: Compares the store's clock with ours.
        roll: Gives chances in [0, 1).
    """

    def __init__(
        self,
        store: AsyncStore,
        operations: Operations,
        schedules: Schedules,
        *,
        limits: JobLimits,
        clock: ClockWatch | None = None,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._operations = operations
        self._schedules = schedules
        self._limits = limits
        self._clock = clock
        self._looked = ClockLook()
        self._roll = roll
        # What was said about each schedule that cannot be used, so that it is said once.
        self._refused: dict[str, str] = {}

    async def run(self) -> None:
        """Look repeatedly, until cancelled. An outage of the store only delays this; `JobRecovery` reports it."""
        refused = ""
        while True:
            try:
                wait_s = await self.run_once()
                if refused:
                    log.info("due_jobs.resumed")
                refused = ""
            except StoreError as e:
                wait_s = _LONGEST_S
                if isinstance(e, StoreRefused) and not e.passing and e.reason != refused:
                    refused = e.reason
                    log.error("due_jobs.refused", extra={"reason": refused, "next": "no delayed job or schedule runs"})
            # With jitter, so that many supervisors do not all ask at the same moment.
            await asyncio.sleep(max(_SHORTEST_S, min(wait_s, _LONGEST_S)) * (1 + self._roll() / 10))

    async def run_once(self) -> float:
        """Move everything that is due now.

        Returns:
            Seconds until the next job or tick that is known to become due.

        Raises:
            StoreError: The store is away, or refuses the command.
        """
        if self._clock is not None:
            await self._mind_clock(self._clock)
        try:
            for _ in range(_CALLS):
                moved, next_job_s = await self._store.run(self._operations.admin.promote())
                if not moved:
                    break
        finally:
            fired, next_tick_s = await self._fire_all()
        if moved or fired or self._looked.left:
            return 0.0
        known = [s for s in (next_job_s, next_tick_s) if s is not None]
        return min(known, default=_LONGEST_S)

    async def _mind_clock(self, clock: ClockWatch) -> None:
        """Notice that the store's clock was set. If it was set back, have the schedules go on from there."""
        looked = self._looked = await self._store.run(clock.look())
        if looked.step_ms:
            effect = "delays and schedules were moved" if looked.step_ms < 0 else "what waits is due earlier"
            log.warning("store.clock_stepped", extra={"step_s": looked.step_ms / 1000, "effect": effect})
        if looked.schedules_due:
            now_ms = (await self._store.run(self._schedules.due(1))).now_ms
            known = await self._store.run(self._schedules.list())
            await self._store.run_many([clock.reschedule(schedule, now_ms) for schedule in known])
            await self._store.run(clock.rescheduled(looked.backs))

    async def _fire_all(self) -> tuple[int, float | None]:
        """Fire every schedule whose tick has come; return how many, and when the next tick comes."""
        fired = left = 0
        while True:
            due = await self._store.run(self._schedules.due(_PAGE, left))
            refused = [(damaged.name, damaged.reason) for damaged in due.damaged]
            for found in due.schedules:
                try:
                    await self._fire(found, due.now_ms)
                except UNREADABLE as e:
                    refused.append((found.schedule.name, reason_of(e)))
            # A schedule that this host cannot use keeps its tick: another host, or a newer version, may be able to.
            for name, reason in refused:
                if self._refused.get(name) != reason:
                    self._refused[name] = reason
                    log.error("schedule.refused", extra={"schedule": name, "error": reason})
            fired += len(due.schedules) + len(due.damaged) - len(refused)
            left += len(refused)
            if not refused or len(due.schedules) + len(due.damaged) < _PAGE:
                return fired, due.next_s

    async def _fire(self, found: DueSchedule, now_ms: int) -> None:
        schedule = found.schedule
        ticks, following = schedule.due(found.tick_ms, now_ms)
        last_id = found.last_job_id
        for tick in ticks:
            again = self._looked.backs if tick <= self._looked.behind_until_ms else 0
            job = schedule.job_at(tick, self._limits, again)
            if schedule.overlap is Overlap.SKIP and last_id not in (None, job.id) and await self._is_open(last_id):
                log.info("schedule.skipped", extra={"schedule": schedule.name, "job": job.id, "running": last_id})
                continue
            try:
                last_id = await self._store.run(self._operations.create(job, start=True))
            except (JobInvalid, JobConflict, JobDamaged) as e:
                log.error("schedule.refused", extra={"schedule": schedule.name, "job": job.id, "error": str(e)})
        if await self._store.run(self._schedules.move_on(schedule.name, found.tick_ms, following, last_id)):
            log.info("schedule.fired", extra={"schedule": schedule.name, "ticks": len(ticks), "job": last_id})

    async def _is_open(self, job_id: str | None) -> bool:
        try:
            return not (await self._store.run(self._operations.status(job_id or ""))).terminal
        except (JobNotFound, JobDamaged):
            return False
