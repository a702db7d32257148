"""Keeps the connections of an `AsyncStore` with the primary that its sentinels name.

`AsyncStore` has one for `redis+sentinel` URLs. The watch runs in threads of its own (`primary_watch.py`); here its news
reach the event loop. Invariant: a connection to a server that is not the primary any more is closed, also while an
operation waits on it, which then fails as with any broken connection.
"""

from __future__ import annotations

import asyncio
from itertools import chain
from typing import Any

from hero_job.client.primary_watch import PrimaryWatch, leave_watch, watch_primary
from hero_job.client.url import Address, StoreUrl


class AsyncPrimary:
    """Finds the primary for new connections, and closes those to any other server.

    Args:
        url: Names the sentinels and the service.
        timeout_s: Longest time to wait for a sentinel, in seconds.
    """

    def __init__(self, url: StoreUrl, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        #: The pool of the client of redis-py.
        self.pool: Any = None
        self._watch: PrimaryWatch | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def find(self) -> Address:
        """Give the address of the primary.

        Raises:
            StoreUnavailable: No sentinel names one.
        """
        if self._watch is None:
            self._loop = asyncio.get_running_loop()
            self._watch = watch_primary(self._url, self._on_primary)
        address = await asyncio.to_thread(self._watch.primary, self._timeout_s)
        self.pool.master_address = address  # otherwise redis-py does not take connections back into the pool
        return address

    def close(self) -> None:
        """Listen no more."""
        if self._watch is not None:
            leave_watch(self._watch, self._on_primary)
            self._watch = None

    def _on_primary(self, primary: Address) -> None:
        """Take the news, in a thread of the watch."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(self._leave_others, primary)
            except RuntimeError:  # it has been closed since
                return

    def _leave_others(self, primary: Address) -> None:
        # redis-py has no other way to learn to which server a connection leads.
        connections = chain(self.pool._available_connections, self.pool._in_use_connections)
        for connection in [one for one in connections if one.is_connected and (one.host, int(one.port)) != primary]:
            closing = asyncio.create_task(self._close(connection))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _close(self, connection: Any) -> None:
        await connection.disconnect(nowait=True)
