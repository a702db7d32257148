"""Keeps the connections of an `AsyncStore` with the primary that sentinels or a cluster name.

`AsyncStore` has one for `redis+sentinel` and `redis+cluster` URLs. The watch runs in threads of its own (`watch.py`);
here its news reach the event loop. Invariants: a connection to a server that is not the primary any more is closed,
also while an operation waits on it, which then fails as with any broken connection; all connections lead to the same
server, so a store for a cluster serves one namespace well, and several that share no slot slowly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import chain
from typing import Any

from hero_job.client.primary.watch import MayStay, PrimaryWatch
from hero_job.client.primary.watches import leave_watch, watch_primary
from hero_job.client.redis_py import AskError, MovedError
from hero_job.client.url import Address, StoreUrl


class AsyncPrimary:
    """Finds the primary for new connections, and closes those to any other server.

    Args:
        url: Names the sentinels and the service, or nodes of the cluster.
        timeout_s: Longest time to wait for those who know the primary, in seconds.
    """

    def __init__(self, url: StoreUrl, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        #: The pool of the client of redis-py.
        self.pool: Any = None
        self._last: Address | None = None
        self._watch: PrimaryWatch | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def find(self) -> Address:
        """Give the address of the primary.

        Raises:
            StoreUnavailable: Nobody names one.
        """
        if self._watch is None:
            self._loop = asyncio.get_running_loop()
            self._watch = watch_primary(self._url, self._on_news)
        last = self._last
        address = await asyncio.to_thread(self._watch.primary, self._timeout_s, last)
        if self._last is not last and self._last is not None:
            address = self._last  # a node has told meanwhile who has the slot
        self._last = address
        self.pool.master_address = address  # otherwise redis-py does not take connections back into the pool
        return address

    async def move(self, moved: MovedError) -> None:
        """Go to the node that has the slot now. Connections in use are told the same by their server."""
        self._last = self.pool.master_address = address = self._place(moved)
        for connection in tuple(self.pool._available_connections):
            if connection.is_connected and (connection.host, int(connection.port)) != address:
                await connection.disconnect(nowait=True)

    async def ask_aside(self, asked: AskError, *command: Any) -> Any:
        """Send a command to the node that the slot is on its way to, on a connection of its own.

        Raises:
            RedisError: What that node answers, or the connection broke.
            OSError: There is no connection.
        """
        connection = self.pool.make_connection()
        try:
            await connection.connect_to(self._place(asked))
            await connection.send_command("ASKING")
            await connection.read_response()
            await connection.send_command(*command)
            return await connection.read_response()
        finally:
            await connection.disconnect(nowait=True)

    def _place(self, error: AskError) -> Address:
        # A node that does not know how it is reached gives no host: then it is that of the node that was asked.
        return error.host or (self._last or self._url.hosts[0])[0], int(error.port)

    def close(self) -> None:
        """Listen no more."""
        if self._watch is not None:
            leave_watch(self._watch, self._on_news)
            self._watch = None

    def _on_news(self, may_stay: MayStay) -> None:
        """Take the news, in a thread of the watch."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(self._leave_others, may_stay)
            except RuntimeError:  # it has been closed since
                return

    def _leave_others(self, may_stay: Callable[[Address | None], bool]) -> None:
        # redis-py has no other way to learn to which server a connection leads.
        connections = chain(self.pool._available_connections, self.pool._in_use_connections)
        for connection in [one for one in connections if one.is_connected]:
            if not may_stay((connection.host, int(connection.port))):
                closing = asyncio.create_task(self._close(connection))
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)

    async def _close(self, connection: Any) -> None:
        await connection.disconnect(nowait=True)
