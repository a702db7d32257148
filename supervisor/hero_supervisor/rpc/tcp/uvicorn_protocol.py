"""Connections of the TCP port: uvicorn's HTTP and WebSocket protocols, bounded in number, time and unread bytes.

The server makes an ``HttpConnection`` for each client. Invariant: a connection on which the client neither sends nor
reads ends within the seconds stated here, so an idle client does not hold one of ``max_connections`` for long.

Why these are subclasses of internals of uvicorn, and when they can go, is in docs/decisions/0003-uvicorn-subclass.md.
They rely on the constructors, ``cycle``, ``connections``, ``app_state``, ``timeout_keep_alive_task``,
``handle_websocket_upgrade``, ``read_paused``, ``schedule_ping``, and ``conn`` with its ``max_message_size``. Hence
``uvicorn<0.55`` in pyproject.toml: before raising it, read the changes of ``uvicorn/protocols`` and run
tests/supervisor/rpc/tcp.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, TypeAlias, cast

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.protocol import State

from hero_supervisor.rpc.protocol.flow_control import ConnectionLimit, FlowControl

# From the connection, or the first byte of a further request, to the end of the request's head; also the time to send
# the rest of a body that has been refused.
HEAD_S: Final = 10.0
KEEP_ALIVE_S: Final = 15
# What a WebSocket may buffer of a message before it has authenticated; ``RpcSocket`` refuses shorter ones already.
_MAX_UNTRUSTED_BYTES: Final = 64 * 1024
PING_EVERY_S: Final = 20.0
PONG_WITHIN_S: Final = 20.0
_BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n"
    b"Retry-After: 1\r\nConnection: close\r\n\r\ntoo many connections\n"
)

log = logging.getLogger(__name__)


class _Connection(asyncio.Protocol):
    """Reports to the flow control what asyncio reports to the protocol of uvicorn, and puts it into the ASGI scope."""

    client_flow: FlowControl
    app_state: dict[str, Any]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = str((transport.get_extra_info("peername") or ("",))[0])
        self.client_flow = FlowControl(cast(asyncio.Transport, transport), peer)
        self.app_state["flow"] = self.client_flow

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.client_flow.lose()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.client_flow.pause()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.client_flow.resume()


class HttpConnection(_Connection, H11Protocol):
    """A connection that speaks HTTP, until it becomes a WebSocket.

    Args:
        config: Configuration of uvicorn.
        server_state: State of uvicorn, which knows all connections.
        limit: Most connections.
    """

    def __init__(self, config: Config, server_state: ServerState, *, limit: ConnectionLimit) -> None:
        super().__init__(config, server_state, {}, asyncio.get_running_loop())
        self._limit = limit
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._limit.refuses(len(self.connections)):
            self.transport.write(_BUSY)
            self.transport.close()
            return
        self._watch_client()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._watch_client()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_patience()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._end_patience()
        self.client_flow.lose()  # a WebSocketConnection takes over
        super().handle_websocket_upgrade(event)

    def _watch_client(self) -> None:
        """Run the clock while the client must send something."""
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


class WebSocketConnection(_Connection, WebSocketsSansIOProtocol):
    """A connection that has become a WebSocket; it buffers little until `trust`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.app_state["trust"] = self.trust
        self.conn.max_message_size = min(_MAX_UNTRUSTED_BYTES, self.config.ws_max_size)

    def trust(self) -> None:
        """Accept messages of the full length from now on."""
        self.conn.max_message_size = self.config.ws_max_size

    def keepalive_timeout(self) -> None:
        if self.read_paused:
            # Too many requests are in flight, so nothing is read, and the answer to the ping may be among what waits.
            self.pong_timer = None
            self.pending_ping_payload = None
            self.schedule_ping()
            return
        super().keepalive_timeout()

    def shutdown(self) -> None:
        if self.conn.state in (State.CLOSING, State.CLOSED):
            # The client has begun to close, and over TLS the end takes a round trip. uvicorn would send a second close
            # frame, which `websockets` refuses.
            self.stop_keepalive()
            self.transport.close()
            return
        super().shutdown()


TcpConnection: TypeAlias = HttpConnection | WebSocketConnection


def flow_of(scope: Any) -> FlowControl:
    """Return the flow control of the connection that an ASGI scope belongs to."""
    return cast(FlowControl, scope["state"]["flow"])
