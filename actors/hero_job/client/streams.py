"""Follows any number of streams on one connection, for any number of listeners.

`AsyncStore` has two followers: one for programs that subscribe to streams, and one that wakes those who wait for the
end of a job. A stream is read only while it has a listener. Invariants: a listener hears every entry after the cursor
that `join` returned, in order, or hears that some may be missing; and the follower reads the next page only after all
listeners have taken the last one, so it holds at most one page of each stream; and joining or leaving a stream opens
and closes no connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Final, Protocol

from hero_job.client.backoff import Backoff
from hero_job.client.cancellation import end_task
from hero_job.client.sharing.waking_read import WakingRead
from hero_job.model.errors import StoreError, StoreUnavailable
from hero_job.operations.events import BEGINNING, Entry, Events
from hero_job.protocol.op import Op, T

#: Entries of each stream in one read. Small, because the lines of a log may be long.
PAGE: Final = 200
_BLOCK_S: Final = 5.0
#: The same where the store does not let us wake a read.
_SHORT_BLOCK_S: Final = 0.25
#: How long a stream that is joined may wait for others, so that they share a read.
_GATHER_S: Final = 0.002
_PAUSE_S: Final = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamUpdate:
    """What a listener hears.

    Attributes:
        entries: New entries, in order.
        gap: Entries may be missing between the previous update and this one.
        interrupted: The store cannot be reached; entries that are written now arrive later.
        resumed: The store can be reached again.
        cursor: Cursor of the last entry that was read.
    """

    entries: Sequence[Entry] = ()
    gap: bool = False
    interrupted: bool = False
    resumed: bool = False
    cursor: str


class Listener(Protocol):
    """Takes what is new in a stream."""

    async def hear(self, update: StreamUpdate) -> None:
        """Take an update; the follower reads on when all listeners have returned."""


class AsyncRunner(Protocol):
    """The part of `AsyncStore` that a follower calls."""

    async def run(self, op: Op[T]) -> T:
        """Run an operation on one of the bounded connections."""

    def new_read(self) -> WakingRead:
        """Make a connection for reads that block."""

    async def run_aside(self, read: WakingRead, op: Op[T]) -> T:
        """Run an operation that blocks, on such a connection."""

    async def wake(self, read: WakingRead) -> bool:
        """Have the read that is under way there return without an answer."""


@dataclass(slots=True)
class _Stream:
    last: str
    listeners: list[Listener] = field(default_factory=list)


class StreamFollower:
    """Reads streams and hands out what is new.

    Args:
        store: Runs the operations.
        name: What it follows, for the log.
        page: Most entries of each stream in one read.
    """

    def __init__(self, store: AsyncRunner, name: str = "streams", page: int = PAGE) -> None:
        self._store = store
        self._name = name
        self._page = page
        self._streams: dict[str, _Stream] = {}
        self._task: asyncio.Task[None] | None = None
        self._read = store.new_read()
        # The streams of the read under way; empty between two reads.
        self._asked: Mapping[str, str] = {}
        # Wakes the read under way, because streams were joined that it does not wait for.
        self._waking: asyncio.Task[None] | None = None
        self._block_s = _BLOCK_S
        self._away = False

    async def join(self, key: str, listener: Listener) -> str:
        """Listen to a stream from now on.

        Args:
            key: Key of the stream; it need not exist.
            listener: Hears what is new.

        Returns:
            The cursor after which the listener hears everything.

        Raises:
            StoreError: The end of the stream cannot be read.
        """
        if key not in self._streams:
            newest = (await self._store.run(Events.edges(key))).newest or BEGINNING
            # Another listener may have joined during the question.
            self._streams.setdefault(key, _Stream(newest))
        stream = self._streams[key]
        stream.listeners.append(listener)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=f"follow {self._name}")
        if self._misses_one() and (self._waking is None or self._waking.done()):
            self._waking = asyncio.create_task(self._wake(), name=f"wake {self._name}")
        return stream.last

    def leave(self, key: str, listener: Listener) -> None:
        """Stop listening; does nothing when the listener has not joined the stream."""
        stream = self._streams.get(key)
        if stream is None or listener not in stream.listeners:
            return
        stream.listeners.remove(listener)
        if not stream.listeners:
            # The read under way goes on: what it finds there is dropped.
            del self._streams[key]

    def position(self, key: str) -> str:
        """Cursor up to which a stream with listeners has been read."""
        return self._streams[key].last

    async def aclose(self) -> None:
        """Stop following all streams."""
        self._streams.clear()
        for task in (self._waking, self._task):
            if task is not None:
                await end_task(task)

    def _misses_one(self) -> bool:
        """Does the read under way not wait for a stream that has a listener?"""
        return bool(self._asked) and not self._streams.keys() <= self._asked.keys()

    async def _wake(self) -> None:
        """Wake the read under way until it waits for all streams that have listeners."""
        backoff = Backoff()
        # Streams that are joined meanwhile are read with this one: many need no read each.
        await asyncio.sleep(_GATHER_S)
        while self._misses_one():
            try:
                await self._store.wake(self._read)
            except StoreUnavailable:
                await asyncio.sleep(backoff.next_wait_s())
            except StoreError as e:
                # A user of the store that may not do this: a new stream is read when the read under way ends.
                if self._block_s > _SHORT_BLOCK_S:
                    self._block_s = _SHORT_BLOCK_S
                    _log.warning(
                        "follower.not_woken", extra={"follower": self._name, "error": str(e), "next": "reads are short"}
                    )
                return
            # Again, if the command had not arrived there yet. Otherwise its answer is on its way.
            await asyncio.sleep(_GATHER_S)

    async def _run(self) -> None:
        while self._streams:
            try:
                await self._follow()
            except Exception:  # noqa: BLE001 - see below
                # A defect of ours. Listeners would wait for ever, so they hear of the gap, and following starts again.
                _log.exception("follower.failed", extra={"follower": self._name})
                self._away = True
                await self._tell_all(interrupted=True)
                await asyncio.sleep(_PAUSE_S)

    async def _follow(self) -> None:
        backoff = Backoff()
        while self._streams:
            asked = {key: stream.last for key, stream in self._streams.items()}
            try:
                if self._away:
                    await self._resume()
                    backoff.reset()
                    continue
                found = await self._wait(asked)
                # Where a bounded stream has dropped entries that were not read, what is left fills a whole page.
                full = [key for key, entries in found.items() if len(entries) == self._page]
                gaps = {key for key in full if (await self._store.run(Events.edges(key))).gap_after(asked[key])}
            except StoreError as e:
                if not self._away:
                    self._away = True
                    _log.warning("follower.interrupted", extra={"follower": self._name, "error": str(e)})
                    await self._tell_all(interrupted=True)
                await asyncio.sleep(backoff.next_wait_s())
                continue
            for key, entries in found.items():
                await self._hand_out(key, entries, before=asked[key], gap=key in gaps)

    async def _wait(self, asked: Mapping[str, str]) -> Mapping[str, list[Entry]]:
        """Wait for new entries, or until a stream is joined."""
        self._asked = asked
        try:
            op = Events.follow(asked, self._page, self._block_s)
            return await self._store.run_aside(self._read, op)
        finally:
            self._asked = {}

    async def _hand_out(self, key: str, entries: Sequence[Entry], *, before: str, gap: bool) -> None:
        stream = self._streams.get(key)
        if stream is None or stream.last != before:
            return  # All listeners left, and perhaps one has joined again at another cursor.
        stream.last = entries[-1][0]
        update = StreamUpdate(entries=entries, gap=gap, cursor=stream.last)
        for listener in tuple(stream.listeners):
            await self._tell(listener, update)

    async def _tell(self, listener: Listener, update: StreamUpdate) -> None:
        try:
            await listener.hear(update)
        except Exception:  # noqa: BLE001 - logged
            # A defect of this listener; the others hear on.
            _log.exception("follower.listener_failed", extra={"follower": self._name})

    async def _resume(self) -> None:
        """Look at both ends of each stream after an outage, and tell the listeners what may be missing."""
        gaps = set()
        for key, stream in tuple(self._streams.items()):
            edges = await self._store.run(Events.edges(key))
            if edges.gap_after(stream.last):
                gaps.add(key)
            if edges.was_reset(stream.last):
                stream.last = BEGINNING
        self._away = False
        _log.info("follower.resumed", extra={"follower": self._name})
        await self._tell_all(resumed=True, gaps=gaps)

    async def _tell_all(
        self, *, interrupted: bool = False, resumed: bool = False, gaps: Set[str] = frozenset()
    ) -> None:
        for key, stream in tuple(self._streams.items()):
            update = StreamUpdate(interrupted=interrupted, resumed=resumed, gap=key in gaps, cursor=stream.last)
            for listener in tuple(stream.listeners):
                await self._tell(listener, update)
