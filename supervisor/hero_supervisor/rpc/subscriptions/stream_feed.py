"""Follows one stream of the store for one subscription; the base of the feeds of jobs, actors and logs.

All stream feeds of a server share one connection to the store. Invariants: a feed switches from reading what the stream
has to hearing what is new without missing or repeating an entry; it reports entries that the store has lost as a gap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

from hero_client import AsyncSupervisor
from hero_job.client.streams import PAGE, StreamUpdate
from hero_job.model.errors import StoreError
from hero_job.operations.events import BEGINNING, Entry, Events, order
from hero_supervisor.rpc.subscriptions import notices
from hero_supervisor.rpc.subscriptions.subscription import Subscription

#: Pause before the store is asked again after an error.
PAUSE_S: Final = 1.0


class StreamFeed:
    """The position of one subscription in a stream.

    Args:
        supervisor: Whose store has the stream.
        key: Key of the stream.
        subscription: Gets the results.
        after: Cursor to begin after; None to begin with what happens next.
    """

    def __init__(self, supervisor: AsyncSupervisor, key: str, subscription: Subscription, after: str | None) -> None:
        self._supervisor = supervisor
        self._streams = supervisor.store.streams
        self._key = key
        self._subscription = subscription
        self._after = after
        self._last = after or BEGINNING
        self._live = False

    async def begin(self) -> None:
        """Begin; everything that happens from now on is sent.

        Raises:
            StoreError: The store cannot be reached.
        """
        position = await self._streams.join(self._key, self)
        if self._after is None:
            self._last, self._live = position, True
        self._subscription.put(notices.notice("following", self._last))
        if not self._live:
            self._subscription.run(self._catch_up())

    def close(self) -> None:
        """Produce nothing more."""
        self._live = False
        self._streams.leave(self._key, self)

    async def hear(self, update: StreamUpdate) -> None:
        """Take the new entries of the stream."""
        if not self._live:
            return
        if update.interrupted:
            self._subscription.put(notices.notice("interrupted", self._last))
        if update.resumed:
            self._last = update.cursor
            self._subscription.put(notices.notice("resumed", self._last))
        if update.gap:
            self._subscription.put(notices.notice("gap", self._last))
        fresh = [entry for entry in update.entries if order(entry[0]) > order(self._last)]
        if fresh:
            before, self._last = self._last, fresh[-1][0]
            for result in await self._results(fresh, before, update.cursor):
                self._subscription.put(result)

    async def _results(self, entries: Sequence[Entry], before: str, page: str) -> Iterable[Any]:
        """Make results of entries.

        Args:
            entries: In order.
            before: Cursor of the entry before them.
            page: Identifies these entries, if other feeds were given the same ones; "" if not.
        """
        raise NotImplementedError

    async def _catch_up(self, *, to_the_end: bool = False) -> None:
        """Read the entries that the stream has, at the pace of the client, until the feed can continue by hearing.

        Args:
            to_the_end: Nothing more will be written: read to the end and stop there.
        """
        store = self._supervisor.store
        check_edges, away = not to_the_end, False
        while True:
            try:
                if check_edges:
                    edges = await store.run(Events.edges(self._key))
                    if edges.gap_after(self._last):
                        await self._subscription.put_patiently(notices.notice("gap", self._last))
                    if edges.was_reset(self._last):
                        self._last = BEGINNING
                position = self._last if to_the_end else self._streams.position(self._key)
                entries = await store.run(Events.entries(self._key, self._last, PAGE))
            except StoreError:
                if not away:
                    away = True
                    await self._subscription.put_patiently(notices.notice("interrupted", self._last))
                await asyncio.sleep(PAUSE_S)
                continue
            if away:
                away = False
                await self._subscription.put_patiently(notices.notice("resumed", self._last))
            if entries:
                before, self._last = self._last, entries[-1][0]
                for result in await self._results(entries, before, ""):
                    await self._subscription.put_patiently(result)
            elif order(position) > order(self._last):
                self._last = position  # the entries between are gone
            check_edges = len(entries) == PAGE
            if check_edges:
                continue
            if to_the_end or order(self._streams.position(self._key)) <= order(self._last):
                self._live = not to_the_end
                return
