"""Connections of asyncio to a supervisor, which are kept for the next call. `links` has the same for threads.

Invariant: a connection whose call has failed or was cancelled is closed, and one that the supervisor has closed is not
used again.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import h11

from hero_client.remote.links import CONNECT_S, MOST, REST_S, is_silent, message

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from hero_client.remote.server import RemoteServer

_CHUNK_BYTES = 65_536


class AsyncLink(Protocol):
    """One connection, which carries one call at a time."""

    async def exchange(self, request: bytes) -> bytes | str:
        """Send a request and return its answer."""

    def is_open(self) -> bool:
        """Can it carry another call?"""

    def abort(self) -> None:
        """Close it without waiting for anything."""


class AsyncLinks:
    """Calls one supervisor, and keeps the connections. Those of another event loop are given up.

    Args:
        server: Which supervisor.
    """

    def __init__(self, server: RemoteServer) -> None:
        self._server = server
        self._kept: list[tuple[float, AsyncLink]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    async def call(self, method: str, params: Any, wait_s: float | None = None) -> dict[str, Any]:
        """Make one call; see `RemoteServer.call`.

        Args:
            method: Name of the method.
            params: Parameters, by name or by position.
            wait_s: Longest wait in seconds; None for no limit.

        Raises:
            ServerUnusable: No connection, no answer in time, or none that can be read.
        """
        link = self._take() or (AsyncWebSocketLink if self._server.by_websocket else AsyncHttpLink)(self._server)
        done = False
        try:
            async with asyncio.timeout(wait_s):
                answer = await link.exchange(message(method, params))
            done = True
        except (OSError, h11.ProtocolError) as e:
            raise self._server.unusable(e) from e
        finally:
            self._put(link, done=done)
        return self._server.parsed(answer)

    def close(self) -> None:
        """Close those that wait for a call."""
        while (link := self._take()) is not None:
            link.abort()

    def _take(self) -> AsyncLink | None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._kept, self._loop = [], loop
        while self._kept:
            since_mono, link = self._kept.pop()
            if time.monotonic() - since_mono < REST_S and link.is_open():
                return link
            link.abort()
        return None

    def _put(self, link: AsyncLink, *, done: bool) -> None:
        if done and len(self._kept) < MOST and link.is_open():
            self._kept.append((time.monotonic(), link))
        else:
            link.abort()


class AsyncHttpLink:
    """HTTP over TCP, TLS or a Unix socket.

    Args:
        server: Which supervisor.
    """

    def __init__(self, server: RemoteServer) -> None:
        self._server = server
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._http = h11.Connection(h11.CLIENT)
        unix = server.url.startswith("unix:")
        self._headers = [("Host", "localhost" if unix else urlsplit(server.url).netloc.rpartition("@")[2])]
        self._headers.append(("Content-Type", "application/json"))
        if server.token:
            self._headers.append(("Authorization", f"Bearer {server.token}"))

    async def exchange(self, request: bytes) -> bytes:
        """See `AsyncLink`.

        Raises:
            OSError: The connection has failed.
            ProtocolError: The answer is none of HTTP.
        """
        reader, writer = self._streams = self._streams or await self._connect()
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        headers = [*self._headers, ("Content-Length", str(len(request)))]
        for event in (
            h11.Request(method="POST", target="/rpc", headers=headers),
            h11.Data(data=request),
            h11.EndOfMessage(),
        ):
            writer.write(self._http.send(event) or b"")
        await writer.drain()
        answer = bytearray()
        while True:
            found = self._http.next_event()
            if found is h11.NEED_DATA:
                self._http.receive_data(await reader.read(_CHUNK_BYTES))
            elif isinstance(found, h11.Data):
                answer += found.data
            elif isinstance(found, h11.EndOfMessage):
                return bytes(answer)
            elif isinstance(found, h11.ConnectionClosed):
                raise ConnectionResetError("the connection was closed before the answer came")

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self._server.url)
        if parts.scheme == "unix":
            return await asyncio.open_unix_connection(self._server.socket_path)
        context: ssl.SSLContext | None = self._server.tls() if parts.scheme == "https" else None
        return await asyncio.open_connection(parts.hostname or "", parts.port or (443 if context else 80), ssl=context)

    def is_open(self) -> bool:
        """See `AsyncLink`."""
        if self._streams is None:
            return False
        reader, writer = self._streams
        is_done = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if not is_done or reader.at_eof() or writer.is_closing():
            return False
        # The loop may have been too busy to see that the supervisor has closed it.
        return is_silent(writer.get_extra_info("socket").fileno())

    def abort(self) -> None:
        """See `AsyncLink`."""
        if self._streams is not None:
            self._streams[1].transport.abort()


class AsyncWebSocketLink:
    """A WebSocket that shows the token when it is opened.

    Args:
        server: Which supervisor.
    """

    def __init__(self, server: RemoteServer) -> None:
        self._server = server
        self._opened: ClientConnection | None = None
        self._refused = False

    async def exchange(self, request: bytes) -> bytes | str:
        """See `AsyncLink`. The answer to a token that is refused is that to the request.

        Raises:
            OSError: The connection has failed.
            ServerUnusable: It has been closed.
        """
        from websockets.exceptions import WebSocketException

        try:
            if self._opened is None:
                self._opened = await self._open()
                if self._server.token:
                    await self._opened.send(message("authenticate", {"token": self._server.token}).decode())
                    answer = await self._opened.recv()
                    if "error" in json.loads(answer):
                        self._refused = True
                        return answer
            await self._opened.send(request.decode())
            return await self._opened.recv()
        except WebSocketException as e:
            raise self._server.cut(e) from e

    async def _open(self) -> ClientConnection:
        from websockets.asyncio.client import connect

        context = self._server.tls() if self._server.url.startswith("wss:") else None
        return await connect(self._server.url, ssl=context, open_timeout=CONNECT_S, max_size=None)

    def is_open(self) -> bool:
        """See `AsyncLink`."""
        from websockets.protocol import State

        return self._opened is not None and not self._refused and self._opened.state is State.OPEN

    def abort(self) -> None:
        """See `AsyncLink`."""
        if self._opened is not None:
            self._opened.transport.abort()
