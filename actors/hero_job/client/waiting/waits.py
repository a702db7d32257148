"""Waits for the ends of jobs and batches, for an `AsyncStore`.

A waiter is woken by the stream of events (`job_ends.py`), which all waiters of a namespace share. Invariant: each
learns of its end, also of one that no event tells, because it looks for itself when none has come for a while.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from hero_job.client.backoff import Backoff
from hero_job.client.cancellation import set_within
from hero_job.client.sharing.command_groups import CommandGroups
from hero_job.client.store import GLANCE_S
from hero_job.client.streams import StreamFollower
from hero_job.client.waiting.job_ends import JobEnds
from hero_job.model.errors import StoreUnavailable, WaitTimeout
from hero_job.model.views import BatchStatus, Reply
from hero_job.operations.flow import Flow
from hero_job.operations.foreign_ends import look_again
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op

if TYPE_CHECKING:
    from hero_job.client.async_store import AsyncStore

T = TypeVar("T")

#: Entries of the event stream in one read. An entry is short, and under load a thousand jobs end between two reads.
_EVENTS_PAGE = 1000
#: An answer of `create.lua` that is longer tells that the job was started by it.
_CREATED_LENGTH = 2


class Waits:
    """The waits of one store.

    Args:
        store: Runs the operations.
        groups: Its shared connection, on which the outcomes of those that have ended are read together.
    """

    def __init__(self, store: AsyncStore, groups: CommandGroups) -> None:
        self._store = store
        self._groups = groups
        # A slow subscriber holds up the other listeners of its follower, so those who wait for a job have another one.
        self._events = StreamFollower(store, "events", _EVENTS_PAGE)
        self._ends: dict[str, JobEnds] = {}

    async def run_job(self, operations: Operations, submit: Op[str], job_id: str, wait_s: float) -> Reply:
        """Submit a job and wait until it has ended.

        Args:
            operations: Of the namespace.
            submit: Creates and starts the job.
            job_id: The job's id; the server may answer with another one, of the job that holds its unique key.
            wait_s: Longest wait after the submission, in seconds.

        Raises:
            HeroJobError: One of the errors of `submit` and of `wait_reply`.
        """
        ends = self._ends_in(operations.keys.events)
        was_following = ends.following.is_set()
        look = operations.outcome(job_id)
        waited_s, heard = 0.0, True
        with ends.watch(job_id, look) as waiter:
            submitted_id, has_started = await self._store.run(_telling_start(submit))
            if has_started and was_following:
                # Its end comes after this waiter, which hears it, so nothing is to be seen before.
                began_mono = time.monotonic()
                reply: Reply | None = await waiter.wait(min(ends.glance_s, wait_s))
                if reply is not None:
                    return reply
                waited_s, heard = time.monotonic() - began_mono, waiter.heard
        return await self.reply(operations, submitted_id, wait_s, waited_s=waited_s, heard=heard)

    async def reply(
        self, operations: Operations, job_id: str, wait_s: float, *, waited_s: float = 0.0, heard: bool = True
    ) -> Reply:
        """Wait until a job has ended; see `Store.wait_reply`.

        Args:
            operations: Of the namespace.
            job_id: The job.
            wait_s: Longest wait, in seconds.
            waited_s: How much of that is over.
            heard: Its end may have been an event; otherwise look closely first.
        """
        look, glance = operations.outcome(job_id), partial(look_again, operations, job_id)
        return await self._wait(operations, job_id, look, wait_s, waited_s=waited_s, heard=heard, glance=glance)

    async def batch(self, operations: Operations, batch_id: str, wait_s: float) -> BatchStatus:
        """Wait until all jobs of a batch have ended; see `Store.wait_batch`."""
        return await self._wait(operations, f"batch:{batch_id}", operations.ended_batch(batch_id), wait_s)

    async def aclose(self) -> None:
        """Stop following the events."""
        for ends in self._ends.values():
            await ends.aclose()
        self._ends.clear()
        await self._events.aclose()

    async def _wait(
        self,
        operations: Operations,
        awaited: str,
        look: Op[T | None],
        wait_s: float,
        *,
        waited_s: float = 0.0,
        heard: bool = True,
        glance: Callable[[], Flow[T | None]] | None = None,
    ) -> T:
        """Look for the result after each event of the awaited job or batch, until there is one.

        Args:
            operations: Of the namespace.
            awaited: What the event stream calls it: a job's id, or `batch:ID`.
            look: Reads the result; None if there is none yet.
            wait_s: Longest wait, in seconds.
            waited_s: How much of that is over.
            heard: Begin with `look`, not with `glance`.
            glance: Looks more closely when no event has come for a while; None for `look` again.
        """
        store = self._store
        deadline_mono = time.monotonic() + wait_s - waited_s
        ends = self._ends_in(operations.keys.events)
        with ends.watch(awaited, look) as waiter:
            # An event between the first look and the first read would be missed. When the server is away, the look
            # says so.
            if not ends.following.is_set():
                await set_within(ends.following, min(GLANCE_S, wait_s))
            backoff = Backoff()
            while True:
                waiter.clear()
                try:
                    async with asyncio.timeout(max(GLANCE_S, deadline_mono - time.monotonic())):
                        found = await (store.run(look) if heard or glance is None else store.drive(glance()))
                    backoff.reset()
                except TimeoutError as e:
                    raise StoreUnavailable(store.url.shown, "no answer within the time of the wait") from e
                except StoreUnavailable as e:
                    await asyncio.sleep(backoff.next_wait_before(deadline_mono, e))
                    continue
                if found is not None:
                    return found
                left_s = deadline_mono - time.monotonic()
                if left_s <= 0:
                    if heard and glance is not None:
                        heard = False
                        continue
                    raise WaitTimeout(awaited, wait_s)
                # Third-party actors send no event: look again after a while.
                found = await waiter.wait(min(ends.glance_s, left_s))
                if found is not None:
                    return found
                heard = waiter.heard

    def _ends_in(self, events_key: str) -> JobEnds:
        ends = self._ends.get(events_key)
        if ends is None:
            ends = self._ends[events_key] = JobEnds(self._events, events_key, self._groups)
        return ends


def _telling_start(submit: Op[str]) -> Op[tuple[str, bool]]:
    def decode(answer: list[Any]) -> tuple[str, bool]:
        return submit.decode(answer[:_CREATED_LENGTH]), len(answer) > _CREATED_LENGTH

    return Op(submit.args, decode, submit.script, submit.key_count, submit.job_id)
