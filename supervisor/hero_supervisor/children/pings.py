"""Gives an empty job to an actor that has been idle for long, and has it replaced when it does not answer.

A heartbeat says that a lane moves. An answer to a ping says that a job is claimed, executed and settled. Owned here:
when an actor is pinged, and the ping jobs from creation to deletion. The service runs this beside the loop of the
children. Invariants: a ping goes to one lane of one incarnation and passes no queue, so it delays no job and no other
actor can answer it; an actor is not blamed for a time in which its store was away, nor for a ping that waits behind
a job, because its lane has taken that job in the moment in which the ping was given.

Source: actor loop of the Rust system (a job whose script is `ping` is answered `pong`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from hero_job.client.async_store import AsyncStore
from hero_job.client.cancellation import end_task
from hero_job.model.builder import JobBuilder
from hero_job.model.errors import HeroJobError, StoreError, WaitTimeout
from hero_job.model.job import Job
from hero_job.model.status import JobStatus
from hero_job.operations.actor_operations import Recoveries
from hero_job.operations.operations import Operations
from hero_supervisor.children.child_view import ChildView
from hero_supervisor.policy.child_state import Phase

log = logging.getLogger(__name__)

#: Seconds between two looks, at least and at most, and which share of the idle time they are between those. A look at
#: many slots costs a supervisor that has nothing else to do a tenth of its time if it looks every second.
_LOOK_S = 1.0
_MAX_LOOK_S = 5.0
_LOOK_SHARE = 0.01
#: How long the end of the service waits for a ping that is being deleted, in seconds.
_TIDY_UP_S = 2.0
#: Group of the ping jobs. No actor serves it.
_GROUP = "ping"
#: Ends that the runtime gives to a job without its actor.
_NOT_BY_THE_ACTOR = frozenset({"expired", "lost"})


@dataclass(slots=True)
class _Idle:
    """Since when an incarnation has had no job, and how many pings it got; `ends` while one is being deleted."""

    jobs: int
    since_mono: float
    pings: int = 0
    asking: asyncio.Task[None] | None = None
    ends: bool = False


class Pings:
    """Pings the actors of one supervisor.

    Args:
        store: Where the jobs are.
        operations: Builds the operations on jobs.
        recoveries: Builds the operation that hands a job to a lane.
        children: Gives the actors as they are now.
        silent: Called with the incarnation that has not answered, and for how many seconds.
        idle_s: Seconds without a job after which an actor is pinged.
        wait_s: Seconds that it has to answer.
    """

    def __init__(
        self,
        store: AsyncStore,
        operations: Operations,
        recoveries: Recoveries,
        *,
        children: Callable[[], tuple[ChildView, ...]],
        silent: Callable[[str, float], None],
        idle_s: float,
        wait_s: float,
    ) -> None:
        self._store = store
        self._operations = operations
        self._recoveries = recoveries
        self._children = children
        self._silent = silent
        self._idle_s = idle_s
        self._wait_s = wait_s
        self._idle: dict[str, _Idle] = {}

    async def run(self) -> None:
        """Look repeatedly, until cancelled."""
        look_s = max(_LOOK_S, min(_MAX_LOOK_S, self._idle_s * _LOOK_SHARE))
        try:
            while True:
                await asyncio.sleep(look_s)
                self._look(time.monotonic())
        finally:
            asking = [idle.asking for idle in self._idle.values() if idle.asking is not None]
            for idle in self._idle.values():
                if idle.asking is not None and not idle.ends:
                    idle.asking.cancel()
            if asking:
                await asyncio.wait(asking, timeout=_TIDY_UP_S)
            for task in asking:
                await end_task(task)

    def _look(self, now_mono: float) -> None:
        # A third-party program reports no lanes, so there is none that could be given a job.
        ready = {c.incarnation: c for c in self._children() if c.phase is Phase.RUNNING and c.lanes}
        for incarnation in [i for i, idle in self._idle.items() if i not in ready and idle.asking is None]:
            del self._idle[incarnation]
        for incarnation, child in ready.items():
            idle = self._idle.setdefault(incarnation, _Idle(child.jobs, now_mono))
            if child.busy or child.jobs != idle.jobs:
                idle.jobs, idle.since_mono = child.jobs, now_mono
            elif idle.asking is None and now_mono - idle.since_mono >= self._idle_s:
                idle.asking = asyncio.create_task(self._ask(child, idle), name=f"ping {incarnation}")

    async def _ask(self, child: ChildView, idle: _Idle) -> None:
        job = self._job(child)
        lane = idle.pings % child.lanes
        idle.pings += 1
        asked_mono = time.monotonic()
        answered = False
        try:
            await self._store.run(self._operations.create(job, start=True))
            await self._store.run(self._recoveries.hand_over(job, child.incarnation, lane))
            reply = await self._store.wait_reply(self._operations, job.id, self._wait_s)
            if reply.status is JobStatus.STOPPED or reply.error_kind in _NOT_BY_THE_ACTOR:
                raise WaitTimeout(job.id, self._wait_s)
        except WaitTimeout:
            await self._judge(child, lane, job, time.monotonic() - asked_mono)
        except StoreError as e:
            # The ping could not be queued, so the actor is not to blame. The next look tries again.
            log.debug("ping.not_given", extra={"child": child.slot, "reason": str(e)})
        else:
            answered = True
            after_s = round(time.monotonic() - asked_mono, 3)
            log.debug("ping.answered", extra={"child": child.slot, "after_s": after_s})
        finally:
            idle.since_mono = time.monotonic()
            idle.ends = True
            await self._tidy_up(job, answered=answered)
            idle.asking, idle.ends = None, False

    async def _judge(self, child: ChildView, lane: int, job: Job, waited_s: float) -> None:
        try:
            held = await self._store.run(self._recoveries.held_by(child.incarnation, lane))
        except StoreError:
            return  # nothing is known of the lane
        if any(job_id != job.id for job_id in held):
            log.debug("ping.waits", extra={"child": child.slot, "reason": "its lane runs a job"})
            return
        log.warning("ping.unanswered", extra={"child": child.slot, "incarnation": child.incarnation})
        self._silent(child.incarnation, waited_s)

    async def _tidy_up(self, job: Job, *, answered: bool) -> None:
        if not answered:
            # Nobody serves its queue, so its id would stay there for ever.
            with contextlib.suppress(HeroJobError):
                await self._store.run(self._operations.admin.purge(job.script_type, job.group, job.instance, 1))
        # Stopped first, because an open job cannot be deleted. If the store is lost meanwhile, the job expires.
        with contextlib.suppress(HeroJobError):
            await self._store.run(self._operations.stop(job.id))
        with contextlib.suppress(HeroJobError):
            await self._store.run(self._operations.delete(job.id))

    def _job(self, child: ChildView) -> Job:
        token = secrets.token_hex(8)
        return (
            JobBuilder()
            .id(f"ping-{token}")
            .caller_id("supervisor")
            .context_id(f"ping-{token}")
            .script_type(child.script_type)
            .script("ping")
            .group(_GROUP)
            .instance(token)
            .expires(self._wait_s)
            .build()
        )
