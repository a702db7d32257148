"""Follows the stream of job events and wakes the callers that wait for the end of a job.

`AsyncStore` has one `JobEnds` for each namespace it waits in: a thousand waiters share one connection and one blocking
read. Invariant: while `following` is set, every job that ends wakes its waiters; they then read the outcome themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

from hero_job.client.backoff import Backoff
from hero_job.client.cancellation import end_task
from hero_job.client.store import GLANCE_S
from hero_job.client.streams import StreamFollower, StreamUpdate
from hero_job.model.errors import StoreError
from hero_job.model.status import JobStatus

#: Most looks per second of all waiters together, which find the ends that nobody tells.
_GLANCES_PER_S: Final = 1000
_OPEN = frozenset(s.value for s in JobStatus if not s.terminal)


class JobEnds:
    """Listens to the job events of one namespace. Needs a running event loop.

    Args:
        follower: Reads the stream.
        key: Key of the stream.
    """

    def __init__(self, follower: StreamFollower, key: str) -> None:
        self._follower = follower
        self._key = key
        self._waiting: dict[str, list[asyncio.Event]] = {}
        #: Set while every end of a job is heard.
        self.following = asyncio.Event()
        self._joining = asyncio.create_task(self._join(), name=f"join {key}")

    @contextlib.contextmanager
    def watch(self, job_id: str) -> Iterator[asyncio.Event]:
        """Give an event that is set each time the job ends, or may have ended unheard.

        Args:
            job_id: A job, or `batch:ID` for the end of a batch.
        """
        ended = asyncio.Event()
        waiting = self._waiting.setdefault(job_id, [])
        waiting.append(ended)
        try:
            yield ended
        finally:
            waiting.remove(ended)
            if not waiting:
                self._waiting.pop(job_id, None)

    @property
    def glance_s(self) -> float:
        """After how many seconds without an event a waiter looks for itself: later, if there are very many waiters."""
        return max(GLANCE_S, len(self._waiting) / _GLANCES_PER_S)

    async def hear(self, update: StreamUpdate) -> None:
        """Wake the waiters of the jobs that have ended."""
        if update.interrupted:
            self.following.clear()
        elif update.resumed:
            self.following.set()
        if update.gap:
            for job_id in self._waiting:
                self._wake(job_id)
        for _, moved in update.entries:
            for job_id, status in moved.items():
                if status not in _OPEN:
                    self._wake(job_id)

    async def aclose(self) -> None:
        """Stop listening."""
        await end_task(self._joining)
        self._follower.leave(self._key, self)

    async def _join(self) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._follower.join(self._key, self)
            except StoreError:
                # The waiters ask the store themselves meanwhile, and report what it says.
                await asyncio.sleep(backoff.next_wait_s())
                continue
            self.following.set()
            return

    def _wake(self, job_id: str) -> None:
        for ended in self._waiting.get(job_id, ()):
            ended.set()
