"""Connections of the TCP port: uvicorn's HTTP and WebSocket protocols, bounded in number, time and unread bytes.

The server makes an ``HttpConnection`` for each client. Invariant: a connection on which the client neither sends nor
reads ends within the seconds stated here, so an idle client does not hold one of ``max_connections`` for long.

Why these are subclasses of internals of uvicorn, and when they can go, is in docs/decisions/0003-uvicorn-subclass.md.
They rely on the constructors, ``cycle``, ``connections``, ``app_state``, ``timeout_keep_alive`` with its task and
handler, ``handle_websocket_upgrade``, ``read_paused``, ``schedule_ping``, and ``conn``: its states, what it has read
ahead, and its ``max_message_size``. Hence ``uvicorn<0.55`` in pyproject.toml: before raising it, read the changes of
``uvicorn/protocols`` and run tests/supervisor/rpc/tcp.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

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
#: For the body of a plain POST, after its head.
COLLECT_S: Final = 1.0
PING_EVERY_S: Final = 20.0
PONG_WITHIN_S: Final = 20.0
_BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n"
    b"Retry-After: 1\r\nConnection: close\r\n\r\ntoo many connections\n"
)

if TYPE_CHECKING:
    from hero_supervisor.rpc.auth.session import RpcSession
    from hero_supervisor.rpc.tcp.app import RpcApp
    from hero_supervisor.rpc.tcp.plain_posts import PostHead

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

    Plain POSTs pass by uvicorn: while one is answered, or its body collected, uvicorn knows of no request. Whatever
    else arrives meanwhile waits, because HTTP/1.1 answers in order.

    Args:
        config: Configuration of uvicorn.
        server_state: State of uvicorn, which knows all connections.
        limit: Most connections.
        app: Says which POSTs are plain, and answers them.
    """

    def __init__(self, config: Config, server_state: ServerState, *, limit: ConnectionLimit, app: RpcApp) -> None:
        super().__init__(config, server_state, {}, asyncio.get_running_loop())
        self._limit = limit
        self._app = app
        self._patience: asyncio.TimerHandle | None = None
        self._last_head: PostHead | None = None
        self._collected = b""  # the beginning of a plain POST
        self._handing_over: asyncio.TimerHandle | None = None  # gives that to uvicorn
        self._answering = False  # a plain POST
        self._held = b""  # what came after it
        self._leaving: asyncio.Task[None] | None = None

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
        if self._answering:
            self._held += data
            self.transport.pause_reading()
            return
        whole = self._collected + data
        may_collect = not self._collected  # only once: each time, everything is looked at again
        self._end_collecting()
        if not self._take_plain(whole, may_collect=may_collect):
            self._take_other(whole)

    def _take_other(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_client()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_patience()
        self._end_collecting()
        super().connection_lost(exc)
        if self._answering:
            self._leaving = self.loop.create_task(self.client_flow.leave_behind())

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._end_patience()
        self.client_flow.lose()  # a WebSocketConnection takes over
        super().handle_websocket_upgrade(event)

    # Plain POSTs.

    def _take_plain(self, data: bytes, *, may_collect: bool) -> bool:
        """Answer a plain POST, or wait for the rest of its body; return whether the data is one."""
        head = self._app.posts.head(data, self._last_head)
        if head is None or self._app.closing or not self._is_between_requests():
            return False
        missing = len(head.text) + head.body_bytes - len(data)
        if missing > 0 and may_collect:
            self._collect(data)
            return True
        if missing != 0:
            return False
        session = self._app.posts.session(head, self.client[0] if self.client is not None else "")
        if session is None:
            return False
        self._last_head = head
        self._unset_keepalive_if_required()
        self._end_patience()
        self._answering = True
        self.client_flow.begin(self._answer(data[len(head.text) :], session))
        return True

    def _is_between_requests(self) -> bool:
        conn = self.conn
        return conn.our_state is h11.IDLE and conn.their_state is h11.IDLE and not conn.trailing_data[0]

    def _collect(self, data: bytes) -> None:
        # Some clients send the head and the body in two writes. One that takes longer is uvicorn's to wait for.
        self._unset_keepalive_if_required()
        self._end_patience()
        self._collected = data
        self._handing_over = self.loop.call_later(COLLECT_S, self._hand_over)

    def _hand_over(self) -> None:
        data = self._collected
        self._end_collecting()
        if not self.transport.is_closing():
            self._take_other(data)

    def _end_collecting(self) -> None:
        self._collected = b""
        if self._handing_over is not None:
            self._handing_over.cancel()
            self._handing_over = None

    async def _answer(self, message: bytes, session: RpcSession) -> None:
        try:
            answer = await self._app.answer_plain(message, session)
            if await self.client_flow.wait_writable():
                self.transport.write(answer)
        except BaseException:
            self.transport.close()
            raise
        finally:
            self._answering = False
        if self.transport.is_closing():
            return
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        if self._held:
            held, self._held = self._held, b""
            self.transport.resume_reading()
            self.data_received(held)

    # Patience.

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
