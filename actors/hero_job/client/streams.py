"""Follows any number of streams on one connection, however many listen to them.

Used by the supervisor for the subscriptions of its clients; made by `AsyncStore.streams`. A stream is read while
somebody listens to it, and nothing is read while nobody does. Invariants: a listener hears every entry after the cursor
that `join` gave, in order, or is told that some may be missing; and the follower reads on only when its listeners have
taken what it read last, so that it holds one page of each stream at most.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from hero_job.client.async_store import end_task
from hero_job.model.errors import StoreError
from hero_job.operations.events import BEGINNING, Entry, Events

if TYPE_CHECKING:
    from hero_job.client.async_store import AsyncStore

#: Entries of each stream that are read at once. Small: lines of a log may be long.
PAGE: Final = 200
_BLOCK_S: Final = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamUpdate:
    """What a listener hears.

    Attributes:
        entries: New entries, in order.
        gap: Between what was heard before and these, some may be missing.
        interrupted: The store cannot be reached; what comes is heard later.
        resumed: It can again.
        cursor: Of the last entry that was read.
    """

    entries: Sequence[Entry] = ()
    gap: bool = False
    interrupted: bool = False
    resumed: bool = False
    cursor: str


class Listener(Protocol):
    """Who hears what is new in a stream."""

    async def hear(self, news: StreamUpdate) -> None:
        """Take it; the next page is read when this returns."""


@dataclass(slots=True)
class _Stream:
    last: str
    listeners: list[Listener] = field(default_factory=list)


class StreamFollower:
    """Reads streams and hands out what is new.

    Args:
        store: Runs the operations.
    """

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._streams: dict[str, _Stream] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._away = False

    async def join(self, key: str, listener: Listener) -> str:
        """Listen to a stream from now on.

        Returns:
            The cursor after which everything is heard.

        Raises:
            StoreError: The store cannot be asked where the stream is.
        """
        if key not in self._streams:
            newest = (await self._store.run(Events.edges(key))).newest or BEGINNING
            self._streams.setdefault(key, _Stream(newest))  # somebody else may have come meanwhile
            self._changed.set()
        stream = self._streams[key]
        stream.listeners.append(listener)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="follow streams")
        return stream.last

    def leave(self, key: str, listener: Listener) -> None:
        """Listen no more; nothing happens to who does not listen."""
        stream = self._streams.get(key)
        if stream is None or listener not in stream.listeners:
            return
        stream.listeners.remove(listener)
        if not stream.listeners:
            del self._streams[key]
            self._changed.set()

    def position(self, key: str) -> str:
        """Cursor up to which a stream that somebody listens to has been read."""
        return self._streams[key].last

    async def aclose(self) -> None:
        """Follow nothing any more."""
        self._streams.clear()
        if self._task is not None:
            await end_task(self._task)

    async def _run(self) -> None:
        pause_s = 0.05
        while self._streams:
            asked = {key: stream.last for key, stream in self._streams.items()}
            self._changed.clear()
            try:
                if self._away:
                    await self._come_back()
                    pause_s = 0.05
                    continue
                found = await self._read(asked)
            except StoreError as e:
                if not self._away:
                    self._away = True
                    _log.warning("streams_interrupted", extra={"error": str(e)})
                    await self._tell_all(interrupted=True)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 1.0)
                continue
            for key, entries in found.items():
                await self._hand_out(key, entries, asked[key])

    async def _read(self, asked: Mapping[str, str]) -> Mapping[str, list[Entry]]:
        """Wait for what is new, or until other streams are to be read."""
        reading = asyncio.ensure_future(self._store.run_aside(Events.follow(asked, PAGE, _BLOCK_S)))
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait((reading, changed), return_when=asyncio.FIRST_COMPLETED)
            # What a read that is given up had found is found by the next one.
            return reading.result() if reading.done() else {}
        finally:
            changed.cancel()
            await end_task(reading)

    async def _hand_out(self, key: str, entries: Sequence[Entry], before: str) -> None:
        stream = self._streams.get(key)
        if stream is None or stream.last != before:
            return  # left, and perhaps joined again elsewhere in it
        # A stream that is cut while we lag behind still has more than a page for us.
        gap = len(entries) == PAGE and (await self._store.run(Events.edges(key))).gap_after(before)
        stream.last = entries[-1][0]
        for listener in tuple(stream.listeners):
            await listener.hear(StreamUpdate(entries=entries, gap=gap, cursor=stream.last))

    async def _come_back(self) -> None:
        """See what is left of the streams after an outage."""
        gaps = {}
        for key, stream in tuple(self._streams.items()):
            edges = await self._store.run(Events.edges(key))
            gaps[key] = edges.gap_after(stream.last)
            if edges.was_reset(stream.last):
                stream.last = BEGINNING
        self._away = False
        _log.info("streams_resumed")
        await self._tell_all(resumed=True, gaps=gaps)

    async def _tell_all(
        self, *, interrupted: bool = False, resumed: bool = False, gaps: Mapping[str, bool] | None = None
    ) -> None:
        for key, stream in tuple(self._streams.items()):
            gap = (gaps or {}).get(key, False)
            for listener in tuple(stream.listeners):
                await listener.hear(StreamUpdate(interrupted=interrupted, resumed=resumed, gap=gap, cursor=stream.last))
