"""Follows the stream of job events and wakes the callers that wait for the end of a job.

`Waits` has one `JobEnds` for each namespace it waits in: a thousand waiters share one connection and one blocking read,
and the outcomes of the jobs that ended together are read together. Invariant: while `following` is set, every job that
ends wakes its waiters: with the outcome, or without one, and then they read it themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

from hero_job.client.backoff import Backoff
from hero_job.client.cancellation import end_task
from hero_job.client.sharing.command_groups import MOST_OPS, CommandGroups
from hero_job.client.store import GLANCE_S
from hero_job.client.streams import StreamFollower, StreamUpdate
from hero_job.model.errors import HeroJobError, StoreError
from hero_job.model.status import JobStatus
from hero_job.protocol.op import Op

T = TypeVar("T")

#: Most looks per second of all waiters together, which find the ends that nobody tells.
_GLANCES_PER_S: Final = 1000
_OPEN = frozenset(s.value for s in JobStatus if not s.terminal)


class Waiter(Generic[T]):
    """Somebody who waits for the end of a job, within a `with` block.

    Args:
        waiting: Where the waiters of this job are.
        name: What the stream calls it.
        look: Reads the outcome.
        glances: Ends its waits of `GLANCE_S`.

    Attributes:
        heard: An end was heard since `clear`.
    """

    __slots__ = ("_ending", "_glances", "_name", "_waiting", "heard", "look")

    def __init__(self, waiting: dict[str, list[Waiter[Any]]], name: str, look: Op[T | None], glances: Glances) -> None:
        self.look = look
        self.heard = False
        self._glances = glances
        self._name = name
        self._waiting = waiting
        self._ending: asyncio.Future[T | None] | None = None

    def __enter__(self) -> Waiter[T]:
        self._waiting.setdefault(self._name, []).append(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        others = self._waiting[self._name]
        others.remove(self)
        if not others:
            del self._waiting[self._name]

    def clear(self) -> None:
        """Forget what was heard so far."""
        self.heard = False

    async def wait(self, wait_s: float) -> T | None:
        """Wait for an end that was not heard before.

        Args:
            wait_s: Longest wait, in seconds.

        Returns:
            The outcome; None if it is to be looked for, or no end was heard in time.

        Raises:
            HeroJobError: The outcome cannot be read.
        """
        if self.heard:
            return None
        loop = asyncio.get_running_loop()
        ending = self._ending = loop.create_future()
        timer = None if wait_s == GLANCE_S else loop.call_later(wait_s, _give_up, ending)
        if timer is None:
            self._glances.begin(self)
        try:
            found: T | None = await ending
            return found
        finally:
            if timer is None:
                self._glances.end(self)
            else:
                timer.cancel()
            self._ending = None

    def wake(self) -> bool:
        """Note that an end was heard.

        Returns:
            Whether the outcome is wanted now: call `take` or `let_look` next.
        """
        self.heard = True
        return self._ending is not None and not self._ending.done()

    def take(self, answer: Any) -> None:
        """Give it the server's answer to `look`."""
        ending = self._ending
        if ending is None or ending.done():
            return
        if isinstance(answer, Exception):
            self.let_look()
            return
        try:
            ending.set_result(self.look.decode(answer))
        except HeroJobError as e:
            ending.set_exception(e)

    def let_look(self) -> None:
        """Have it look for itself."""
        if self._ending is not None:
            _give_up(self._ending)


def _give_up(ending: asyncio.Future[Any]) -> None:
    if not ending.done():
        ending.set_result(None)


class Glances:
    """Has waiters look for themselves when they have waited for `GLANCE_S`, by one timer.

    Nearly all waits are of this length, and most end long before; a timer of uvloop for each would take some 5 us.
    Needs a running event loop.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._due: dict[Waiter[Any], float] = {}  # in the order of their times, because all wait equally long
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, waiter: Waiter[Any]) -> None:
        """Note that a waiter begins to wait."""
        self._due[waiter] = self._loop.time() + GLANCE_S
        if self._timer is None:
            self._timer = self._loop.call_later(GLANCE_S, self._ring)

    def end(self, waiter: Waiter[Any]) -> None:
        """Note that a waiter waits no more."""
        del self._due[waiter]

    def _ring(self) -> None:
        self._timer = None
        now = self._loop.time()
        for waiter, due in self._due.items():
            if due > now:
                self._timer = self._loop.call_at(due, self._ring)
                return
            waiter.let_look()


class JobEnds:
    """Listens to the job events of one namespace. Needs a running event loop.

    Args:
        follower: Reads the stream.
        key: Key of the stream.
        groups: Reads outcomes.
    """

    def __init__(self, follower: StreamFollower, key: str, groups: CommandGroups) -> None:
        self._follower = follower
        self._key = key
        self._groups = groups
        self._waiting: dict[str, list[Waiter[Any]]] = {}
        self._glances = Glances()
        #: Set while every end of a job is heard.
        self.following = asyncio.Event()
        self._joining = asyncio.create_task(self._join(), name=f"join {key}")

    def watch(self, job_id: str, look: Op[T | None]) -> Waiter[T]:
        """Make a waiter, which is woken each time the job ends, or may have ended unheard.

        Args:
            job_id: A job, or `batch:ID` for the end of a batch.
            look: Reads its outcome; None while there is none.
        """
        return Waiter(self._waiting, job_id, look, self._glances)

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
        waiting = self._waiting
        if update.gap:
            for waiters in waiting.values():
                for waiter in waiters:
                    if waiter.wake():
                        waiter.let_look()
        woken = [
            waiter
            for _, moved in update.entries
            for job_id, status in moved.items()
            if status not in _OPEN and job_id in waiting
            for waiter in waiting[job_id]
            if waiter.wake()
        ]
        for start in range(0, len(woken), MOST_OPS):
            self._look_for(woken[start : start + MOST_OPS])

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

    def _look_for(self, waiters: Sequence[Waiter[Any]]) -> None:
        """Read the outcomes that some waiters wait for. The follower of the stream does not wait for that."""
        packed = self._groups.pack([waiter.look for waiter in waiters])
        if packed is None:
            for waiter in waiters:
                waiter.let_look()
        else:
            self._groups.ask(packed, len(waiters)).add_done_callback(partial(_hand_out, waiters))


def _hand_out(waiters: Sequence[Waiter[Any]], asked: asyncio.Future[list[Any]]) -> None:
    if asked.cancelled() or asked.exception() is not None:
        for waiter in waiters:
            waiter.let_look()
        return
    for waiter, answer in zip(waiters, asked.result(), strict=True):
        waiter.take(answer)
