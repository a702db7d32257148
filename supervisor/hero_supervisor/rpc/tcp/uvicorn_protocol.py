"""What uvicorn leaves to its user about connections: how many, how slow, and how they end. Called by ``web`` only.

uvicorn frames HTTP and WebSockets; these subclasses watch the clock and the buffers beneath. Invariant: a connection on
which the client neither asks nor reads ends by itself, so a client cannot hold more than its place among
``max_connections`` for more than the seconds stated here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.protocol import State

# From the connection, or the first byte of a further request, to the end of the request's head; and what a client gets
# to send the rest of a body that has been refused.
HEAD_S: Final = 10.0
# A client that reads nothing of what waits for it for so long is cut off.
STALL_S: Final = 30.0
KEEP_ALIVE_S: Final = 15
PING_EVERY_S: Final = 20.0
PONG_WITHIN_S: Final = 20.0
_BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n"
    b"Retry-After: 1\r\nConnection: close\r\n\r\ntoo many connections\n"
)

log = logging.getLogger(__name__)


class Connection(Protocol):
    """What the server needs of a connection, of either protocol."""

    lost: asyncio.Future[None]
    """Done when the connection has ended."""

    def shutdown(self) -> None:
        """Close when the answer under way is written."""

    def abort(self) -> None:
        """Close at once."""


class _Stall:
    """Sees whether a client reads what is written to it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """The buffer is full."""
        self.end()
        unread_bytes = self._transport.get_write_buffer_size()
        self._timer = asyncio.get_running_loop().call_later(STALL_S, self._check, unread_bytes)

    def end(self) -> None:
        """It has room again, or nobody is there any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self, unread_before_bytes: int) -> None:
        unread_bytes = self._transport.get_write_buffer_size()
        if unread_bytes < unread_before_bytes:
            self.begin()
            return
        peer = (self._transport.get_extra_info("peername") or ("",))[0]
        log.warning("rpc.slow_reader_cut_off", extra={"peer": peer, "unread_bytes": unread_bytes})
        self._transport.abort()


class HttpConnection(H11Protocol):
    """A connection that speaks HTTP, until it becomes a WebSocket.

    Args:
        config: Of uvicorn.
        server_state: Of uvicorn; knows all connections.
        max_connections: How many there may be.
        on_full: Called when this one is one too many.
    """

    def __init__(
        self, config: Config, server_state: ServerState, *, max_connections: int, on_full: Callable[[], None]
    ) -> None:
        super().__init__(config, server_state, {}, asyncio.get_running_loop())
        self.lost: asyncio.Future[None] = self.loop.create_future()
        self._max_connections = max_connections
        self._on_full = on_full
        self._stall: _Stall
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._stall = _Stall(transport)
        if len(self.connections) > self._max_connections:
            self._on_full()
            transport.write(_BUSY)
            transport.close()
            return
        self._watch_client()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._watch_client()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stall.end()
        self._end_patience()
        super().connection_lost(exc)
        _set(self.lost)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall.begin()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stall.end()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._end_patience()
        _set(self.lost)  # another object is the connection from here on
        super().handle_websocket_upgrade(event)

    def abort(self) -> None:
        self.transport.abort()

    def _watch_client(self) -> None:
        """Run the clock while it is the client's turn to send."""
        head_awaited = self.conn.their_state is h11.IDLE
        refused_body = (
            self.conn.their_state is h11.SEND_BODY and self.cycle is not None and self.cycle.response_complete
        )
        if not (head_awaited or refused_body) or self.transport.get_protocol() is not self:
            self._end_patience()
        elif self._patience is None and self.timeout_keep_alive_task is None:
            self._patience = self.loop.call_later(HEAD_S, self._lose_patience)

    def _lose_patience(self) -> None:
        log.debug("rpc.half_request_dropped", extra={"peer": self.client and self.client[0]})
        self.transport.abort()

    def _end_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A connection that has become a WebSocket."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        super().__init__(config, server_state, {**app_state, "abort": self.abort, "lost": self.lost}, _loop)
        self._stall: _Stall

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._stall = _Stall(cast(asyncio.Transport, transport))

    def connection_lost(self, exc: Exception | None) -> None:
        self._stall.end()
        super().connection_lost(exc)
        _set(self.lost)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall.begin()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stall.end()

    def keepalive_timeout(self) -> None:
        if self.read_paused:
            # We do not read, so an answer to the ping cannot be seen: too many requests are under way for another one.
            self.pong_timer = None
            self.pending_ping_payload = None
            self.schedule_ping()
            return
        super().keepalive_timeout()

    def shutdown(self) -> None:
        if self.conn.state in (State.CLOSING, State.CLOSED):
            # The client has begun to close, and over TLS the end takes a round trip: uvicorn would send a second close
            # frame, which `websockets` refuses.
            self.stop_keepalive()
            self.transport.close()
            return
        super().shutdown()

    def abort(self) -> None:
        self.transport.abort()


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
