"""One connection to the Unix socket: frames its requests, has them answered, and writes the answers.

The server makes one for each client. A client that begins with an HTTP request speaks HTTP, every other one JSON.
Invariants: each answer is one write that ends in one line feed; broken input closes no connection but its own.
"""

from __future__ import annotations

import asyncio
import logging
import select
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

import orjson

from hero_job.model.fields.trace_context import TraceContext
from hero_supervisor.rpc.auth import session as auth_session
from hero_supervisor.rpc.auth.scopes import Scope
from hero_supervisor.rpc.auth.session import RpcSession
from hero_supervisor.rpc.auth.unix_peer import UnixPeers
from hero_supervisor.rpc.metrics.exposition import CONTENT_TYPE
from hero_supervisor.rpc.protocol import push, wire
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.flow_control import FlowControl
from hero_supervisor.rpc.protocol.framer import Frame, Framer, Oversized, Unframed
from hero_supervisor.rpc.protocol.push import PushChannel

if TYPE_CHECKING:
    from hero_supervisor.rpc.metrics.metrics_page import MetricsPage
    from hero_supervisor.rpc.unix.http import HttpFrame, UnixHttp

# After so many broken messages without a good one between them, the client does not speak JSON at all.
MAX_BROKEN_IN_A_ROW: Final = 32
FRAMED_PER_TURN: Final = 4096
# A request that is refused takes up to half a millisecond, and all that have begun run in the next turn of the loop.
MAX_BEGUN_PER_TURN: Final = 64
# After framing is lost, the rest of the line is ignored; a client that sends no line feeds would wait forever.
LINE_END_PATIENCE_S: Final = 1.0
# A client that has sent no whole message by then, or has not authenticated where it must, is disconnected. Generous,
# because people type into sockets too; when all places are taken, such a client makes room immediately.
FIRST_MESSAGE_S: Final = 60.0
# While nothing is read, reading cannot show that the client has hung up.
HANG_UP_CHECK_S: Final = 1.0
_WRITE_HIGH_BYTES: Final = 1024 * 1024

log = logging.getLogger(__name__)


class UnixConnection(asyncio.Protocol):
    """One client of the Unix socket."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        peers: UnixPeers,
        connections: dict[UnixConnection, None],
        max_message_bytes: int,
        metrics: MetricsPage,
    ) -> None:
        self.flow: FlowControl
        self._dispatcher = dispatcher
        self._peers = peers
        self._metrics = metrics
        self._session: RpcSession
        self._channel = PushChannel("unix", self._push)
        self._connections = connections
        self._framer = Framer(max_message_bytes)
        self._max_message_bytes = max_message_bytes
        self._http: UnixHttp | None = None  # once the client has begun with HTTP
        self._unframed = bytearray()  # read, not framed yet
        self._input_ended = False
        self._begun_in_turn = 0
        self._begun = False
        self._served = False  # a whole message has come
        self._waiting: deque[Frame | HttpFrame] = deque()  # framed, not begun; never more than one read brought
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._leaving: asyncio.Task[None] | None = None
        self._reading = True
        self._finishing = False  # nothing more is read; the connection closes when everything is answered
        self._broken_in_a_row = 0
        self._timers: dict[str, asyncio.TimerHandle] = {}

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH_BYTES)
        self._session = self._peers.session(transport.get_extra_info("socket"))
        self._session.on_end = self._end_session
        self.flow = FlowControl(self._transport, self._session.peer, self._advance)
        self._connections[self] = None
        self._set_timer("first_message", FIRST_MESSAGE_S, self._lose_patience)

    def data_received(self, data: bytes) -> None:
        if not self._begun:
            self._begun = True
            # Every HTTP request begins with a capital letter, and no JSON message does.
            if data[:1].isupper():
                self._speak_http()
        if self._http is not None:
            self._take_http(data)
            self._advance()
            return
        self._unframed += data
        self._frame()

    def _frame(self) -> None:
        """Frame some of what was read, and the rest in the next turn of the loop: it may hold many small messages."""
        some = bytes(self._unframed[:FRAMED_PER_TURN])
        del self._unframed[:FRAMED_PER_TURN]
        for frame in self._framer.feed(some):
            self._take(frame)
            if self._finishing:
                self._unframed.clear()
                break
        if self._unframed:
            self._loop.call_soon(self._frame)
            return
        if self._framer.awaits_line_end:
            if "line_end" not in self._timers:
                self._set_timer("line_end", LINE_END_PATIENCE_S, self.finish)
        else:
            self._cancel_timer("line_end")
        if self._input_ended:
            self._end_input()
        self._advance()

    def eof_received(self) -> bool:
        # A client may close its side after its last request (`printf ... | nc -U`) and still gets the answers.
        self._input_ended = True
        if not self._unframed:
            self._end_input()
        return True

    def _end_input(self) -> None:
        if self._framer.within_message:
            log.debug("rpc.half_message_dropped")
        self.finish()
        self._check_hang_up()

    def pause_writing(self) -> None:
        self.flow.pause()

    def resume_writing(self) -> None:
        self.flow.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        for name in tuple(self._timers):
            self._cancel_timer(name)
        self._channel.close()
        self.flow.lose()
        if self.flow.requests:
            self._leaving = self._loop.create_task(self.flow.leave_behind())

    # What the server calls.

    def finish(self, error: wire.RpcError | None = None) -> asyncio.Future[None]:
        """Read nothing more, answer all requests, then close; the future is done when the connection has ended.

        Args:
            error: Reason that subscribers are told; None if the client itself ended the connection.
        """
        self._finishing = True
        if error is not None and self._channel.pushes:
            self.flow.begin(self._channel.finish(error))
        self._advance()
        return self._done

    @property
    def is_silent(self) -> bool:
        """Whether it occupies its place for nothing: its client may do nothing, or has sent no whole message."""
        asks = self.flow.requests or self._waiting or self._poll(select.POLLIN)
        return not asks and (not self._served or self._session.scope is Scope.NONE)

    @property
    def is_stranger(self) -> bool:
        """Whether its client has been answered and has still not authenticated, whatever it sends now."""
        return self._served and self._http is None and self._session.scope is Scope.NONE

    def evict(self) -> None:
        """Close without a word, to make room."""
        self._connections.pop(self, None)
        self.flow.abort()

    def _lose_patience(self) -> None:
        # HTTP authenticates each request by itself.
        if not self._served or (self._http is None and self._session.scope is Scope.NONE):
            log.debug("rpc.silent_client_dropped")
            self.flow.abort()

    def _end_session(self) -> None:
        """Close, because the token no longer counts. Jobs that the client waits for go on."""
        self._waiting.clear()
        self.flow.cancel_requests()
        self.finish()

    # Requests.

    def _take(self, frame: Frame) -> None:
        if self._finishing:
            return
        self._waiting.append(frame)
        if isinstance(frame, bytes):
            self._served = True
            self._broken_in_a_row = 0
            return
        self._broken_in_a_row += 1
        fatal = isinstance(frame, Unframed) and frame.fatal
        if fatal or self._broken_in_a_row >= MAX_BROKEN_IN_A_ROW:
            self._finishing = True

    def _advance(self) -> None:
        """Begin the requests that may begin, then read on, stop reading, or close; called after every change."""
        flow, waiting = self.flow, self._waiting
        if flow.given_up:
            waiting.clear()
        # Unauthenticated and HTTP connections are served one request at a time: the requests after the first one of a
        # client that authenticates with it then have its rights, and HTTP/1.1 answers in order.
        one_at_a_time = self._http is not None or self._session.scope is Scope.NONE
        while waiting and self._begun_in_turn < MAX_BEGUN_PER_TURN and flow.admits(one_at_a_time=one_at_a_time):
            if self._begun_in_turn == 0:
                self._loop.call_soon(self._end_turn)
            self._begun_in_turn += 1
            frame = waiting.popleft()
            if self._http is not None:
                flow.begin(self._answer_http(self._http, cast("HttpFrame", frame)))
            else:
                flow.begin(self._answer(cast("Frame", frame)))
        if flow.lost.done():
            if not flow.requests:
                self._connections.pop(self, None)
                if not self._done.done():
                    self._done.set_result(None)
            return
        if self._transport.is_closing():
            return
        if self._finishing and not flow.requests and not waiting:
            self._transport.close()  # after the data in its buffer
            return
        wanted = not waiting and not self._unframed and not self._finishing and flow.admits(one_at_a_time=one_at_a_time)
        if wanted != self._reading:
            self._reading = wanted
            if wanted:
                self._cancel_timer("hang_up")
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()
                self._set_timer("hang_up", HANG_UP_CHECK_S, self._check_hang_up)

    def _end_turn(self) -> None:
        held_back = self._begun_in_turn >= MAX_BEGUN_PER_TURN
        self._begun_in_turn = 0
        if held_back:
            self._advance()

    async def _answer(self, frame: Frame) -> None:
        answer: bytes | None
        exchange = push.enter(self._channel)
        if isinstance(frame, bytes):
            auth_session.enter(self._session)
            answer = await self._dispatcher.answer(frame, self._session.admit)
            if answer is None:
                exchange.answered()
                return
        elif isinstance(frame, Oversized):
            error = wire.too_large(frame.max_bytes)
            answer = wire.encode_refusal(wire.refuse_unparsed(error, frame.is_batch, frame.ids))
        else:
            answer = wire.encode_error(None, wire.parse_error(frame.reason))
        if await self.flow.wait_for_room(len(answer)):
            self._transport.write(answer + b"\n")
            exchange.answered()

    async def _push(self, message: bytes) -> None:
        if await self.flow.wait_writable():
            self._transport.write(message + b"\n")

    # HTTP.

    def _speak_http(self) -> None:
        from hero_supervisor.rpc.unix.http import UnixHttp

        self._http = UnixHttp(self._max_message_bytes, self._transport.write)

    def _take_http(self, data: bytes) -> None:
        if self._http is None or self._finishing:
            return
        frame = self._http.feed(data)
        if frame is not None:
            self._served = True
            self._waiting.append(frame)

    async def _answer_http(self, http: UnixHttp, frame: HttpFrame) -> None:
        status, body, content_type = await self._response(frame)
        if not await self.flow.wait_writable():
            return
        http.respond(body, status, content_type)
        if http.ended:
            self.finish()
        else:
            self._take_http(b"")  # data that arrived during this request

    async def _response(self, frame: HttpFrame) -> tuple[int, bytes | None, bytes]:
        from hero_supervisor.rpc.unix.http import JSON, TEXT, Got, NotPosted, Posted

        if isinstance(frame, NotPosted):
            return frame.status, frame.text.encode(), TEXT
        if isinstance(frame, Oversized):
            return 413, wire.encode_error(None, wire.too_large(frame.max_bytes)), JSON
        if isinstance(frame, Got) and frame.path == "/healthz":
            state = await self._metrics.health()
            return 200 if state["status"] == "ok" else 503, orjson.dumps(state), JSON
        if not isinstance(frame, Posted | Got):
            return 400, frame.reason.encode() + b"\n", TEXT
        # Each request authenticates by itself: a proxy may send requests of many clients over one connection.
        session = self._session if self._session.scope is not Scope.NONE else self._session.for_one_request()
        try:
            if session.scope is Scope.NONE and frame.token:
                await session.authenticate(frame.token)
            if session.scope is Scope.NONE:
                raise session.unknown("POST")
        except wire.RpcError as e:
            return 401, wire.encode_error(None, e), JSON
        if isinstance(frame, Got):
            return 200, (await self._metrics.text()).encode(), CONTENT_TYPE.encode()
        session.traceparent = TraceContext.parse(frame.traceparent)
        auth_session.enter(session)
        return 200, await self._dispatcher.answer(frame.message, session.admit), JSON

    # Timers.

    def _check_hang_up(self) -> None:
        """Close if the client has closed both its sides; the end of its input alone does not tell this."""
        if self.flow.lost.done() or self._transport.is_closing():
            return
        if self._poll(0) & select.POLLHUP:  # always reported
            self._transport.abort()
            return
        self._set_timer("hang_up", HANG_UP_CHECK_S, self._check_hang_up)

    def _poll(self, events: int) -> int:
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), events)
        return next((event for _, event in poll.poll(0)), 0)

    def _set_timer(self, name: str, after_s: float, call: Callable[..., object]) -> None:
        self._cancel_timer(name)
        self._timers[name] = self._loop.call_later(after_s, call)

    def _cancel_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
