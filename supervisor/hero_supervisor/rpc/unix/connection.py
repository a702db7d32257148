"""One connection to the Unix socket: frames its requests, has them answered, writes the answers.

Made by ``unix``, whose docstring says what holds for all of them. Speaks JSON by balance, or HTTP to a client that
begins with it.
"""

from __future__ import annotations

import asyncio
import logging
import select
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, cast

from hero_supervisor.rpc.auth import session as auth_session
from hero_supervisor.rpc.auth.scopes import Scope
from hero_supervisor.rpc.auth.session import Session
from hero_supervisor.rpc.auth.unix_peer import Peers
from hero_supervisor.rpc.protocol import peer, wire
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.framer import Frame, Framer, Oversized, Unframed

if TYPE_CHECKING:
    pass

if TYPE_CHECKING:
    from hero_supervisor.rpc.unix.http import HttpFrame, UnixHttp

MAX_IN_FLIGHT: Final = 1024
STALL_S: Final = 30.0
MAX_UNREAD_BYTES: Final = 64 * 1024 * 1024
LEFT_BEHIND_S: Final = 2.0
# Broken input that is followed by no good message: after this much of it the client is not speaking JSON at all.
MAX_BROKEN_IN_A_ROW: Final = 32
# After framing is lost the rest of the line is thrown away; a client that ends no lines would wait for ever.
LINE_END_PATIENCE_S: Final = 1.0
# While nothing is read, a client that hangs up is not noticed by reading.
HANG_UP_CHECK_S: Final = 1.0
_WRITE_HIGH_BYTES: Final = 1024 * 1024

log = logging.getLogger(__name__)


class UnixConnection(asyncio.Protocol):
    """One client: frames its requests, has them answered, writes the answers."""

    def __init__(
        self, dispatcher: Dispatcher, peers: Peers, connections: set[UnixConnection], max_message_bytes: int
    ) -> None:
        self._dispatcher = dispatcher
        self._peers = peers
        self._session: Session
        self._peer = peer.Connection("unix", self._push)
        self._connections = connections
        self._framer = Framer(max_message_bytes)
        self._max_message_bytes = max_message_bytes
        self._http: UnixHttp | None = None  # once the client has begun with HTTP
        self._begun = False
        self._waiting: deque[Frame | HttpFrame] = deque()  # framed, not begun; no more than one read brought
        self._running: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._writable = asyncio.Event()
        self._writable.set()
        self._reading = True
        self._finishing = False  # nothing more is read; closed when all is answered
        self._lost = False  # nobody is there any more
        self._broken_in_a_row = 0
        self._unread_bytes = 0  # of answers that wait until the transport takes more
        self._timers: dict[str, asyncio.TimerHandle] = {}

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH_BYTES)
        self._session = self._peers.session(transport.get_extra_info("socket"))
        self._session.on_end = self._end_session
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        if not self._begun:
            self._begun = True
            # No message of JSON begins with a capital letter, and every request of HTTP does.
            if data[:1].isupper():
                self._speak_http()
        if self._http is not None:
            self._take_http(data)
            self._advance()
            return
        for frame in self._framer.feed(data):
            self._take(frame)
        if self._framer.awaits_line_end:
            if "line_end" not in self._timers:
                self._set_timer("line_end", LINE_END_PATIENCE_S, self.finish)
        else:
            self._cancel_timer("line_end")
        self._advance()

    def eof_received(self) -> bool:
        # A client may end its side as soon as it has asked (`printf ... | nc -U`): it still gets its answers.
        if self._framer.within_message:
            log.debug("rpc.half_message_dropped")
        self.finish()
        self._check_hang_up()
        return True

    def pause_writing(self) -> None:
        self._writable.clear()
        self._set_timer("stall", STALL_S, self._check_stall, self._transport.get_write_buffer_size())
        self._advance()

    def resume_writing(self) -> None:
        self._cancel_timer("stall")
        self._writable.set()
        self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        for name in tuple(self._timers):
            self._cancel_timer(name)
        self._lost = True
        self._peer.close()
        self._writable.set()
        self._set_timer("left_behind", LEFT_BEHIND_S, self._give_up)
        self._advance()

    # What the server calls.

    def finish(self, error: wire.RpcError | None = None) -> asyncio.Future[None]:
        """Read nothing more, answer what has been asked, then close; the future is done when that is done.

        Args:
            error: What subscriptions are told; None when it was the client that came to its end.
        """
        self._finishing = True
        if error is not None and self._peer.pushes:
            self._begin(self._peer.finish(error))
        self._advance()
        return self._done

    def _end_session(self) -> None:
        """Close: what the client has shown is worth nothing any more. Jobs that it waits for go on."""
        self._waiting.clear()
        self.stop_requests()
        self.finish()

    def stop_requests(self) -> None:
        """Cancel what is under way."""
        for task in self._running:
            task.cancel()

    def abort(self) -> None:
        """Close without waiting for the client."""
        self._transport.abort()

    # Requests.

    def _take(self, frame: Frame) -> None:
        if self._finishing:
            return
        self._waiting.append(frame)
        if isinstance(frame, bytes):
            self._broken_in_a_row = 0
            return
        self._broken_in_a_row += 1
        fatal = isinstance(frame, Unframed) and frame.fatal
        if fatal or self._broken_in_a_row >= MAX_BROKEN_IN_A_ROW:
            self._finishing = True

    def _advance(self) -> None:
        """Begin what may begin, then read on, or not, or close; called after every change."""
        running, waiting = self._running, self._waiting
        while waiting and len(running) < self._most_running and self._writable.is_set():
            frame = waiting.popleft()
            if self._http is not None:
                self._begin(self._answer_http(self._http, cast("HttpFrame", frame)))
            else:
                self._begin(self._answer(cast("Frame", frame)))
        if self._lost:
            if not running:
                self._cancel_timer("left_behind")
                self._connections.discard(self)
                if not self._done.done():
                    self._done.set_result(None)
            return
        if self._transport.is_closing():
            return
        if self._finishing and not running and not waiting:
            self._transport.close()  # after what is still in its buffer
            return
        wanted = not waiting and not self._finishing and len(running) < self._most_running and self._writable.is_set()
        if wanted != self._reading:
            self._reading = wanted
            if wanted:
                self._cancel_timer("hang_up")
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()
                self._set_timer("hang_up", HANG_UP_CHECK_S, self._check_hang_up)

    @property
    def _most_running(self) -> int:
        """Who has not said who it is gets one answer after the other, so that what follows its first is its own; and so
        does everybody over HTTP.
        """
        return 1 if self._http is not None or self._session.scope is Scope.NONE else MAX_IN_FLIGHT

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._answered)

    async def _answer(self, frame: Frame) -> None:
        answer: bytes | None
        exchange = peer.enter(self._peer)
        if isinstance(frame, bytes):
            auth_session.enter(self._session)
            answer = await self._dispatcher.answer(frame, self._session.admit)
            if answer is None:
                exchange.answered()
                return
        elif isinstance(frame, Oversized):
            answer = wire.encode_error(None, wire.too_large(frame.max_bytes))
        else:
            answer = wire.encode_error(None, wire.parse_error(frame.reason))
        if not self._writable.is_set():
            self._unread_bytes += len(answer)
            if self._unread_bytes > MAX_UNREAD_BYTES:
                self._cut_off()
            await self._writable.wait()
            self._unread_bytes -= len(answer)
        if not self._lost:
            self._transport.write(answer + b"\n")
            exchange.answered()

    # HTTP.

    def _speak_http(self) -> None:
        from hero_supervisor.rpc.unix.http import UnixHttp

        self._http = UnixHttp(self._max_message_bytes, self._transport.write)

    def _take_http(self, data: bytes) -> None:
        if self._http is None or self._finishing:
            return
        frame = self._http.feed(data)
        if frame is not None:
            self._waiting.append(frame)

    async def _answer_http(self, http: UnixHttp, frame: HttpFrame) -> None:
        status, body, content_type = await self._response(frame)
        await self._writable.wait()
        if self._lost or self._transport.is_closing():
            return
        http.respond(body, status, content_type)
        if http.ended:
            self.finish()
        else:
            self._take_http(b"")  # what has come while this one was answered

    async def _response(self, frame: HttpFrame) -> tuple[int, bytes | None, bytes]:
        from hero_supervisor.rpc.unix.http import JSON, TEXT, NotPosted, Posted

        if isinstance(frame, NotPosted):
            return frame.status, frame.text.encode(), TEXT
        if isinstance(frame, Oversized):
            return 413, wire.encode_error(None, wire.too_large(frame.max_bytes)), JSON
        if not isinstance(frame, Posted):
            return 400, frame.reason.encode() + b"\n", TEXT
        try:
            if self._session.scope is Scope.NONE and frame.token:
                self._session.authenticate(frame.token)
            if self._session.scope is Scope.NONE:
                raise self._session.unknown("POST")
        except wire.RpcError as e:
            return 401, wire.encode_error(None, e), JSON
        auth_session.enter(self._session)
        return 200, await self._dispatcher.answer(frame.message, self._session.admit), JSON

    async def _push(self, message: bytes) -> None:
        """Write a notification, as soon as the client reads."""
        await self._writable.wait()
        if not self._lost and not self._transport.is_closing():
            self._transport.write(message + b"\n")

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (broken := task.exception()) is not None:
            log.error("rpc.answer_lost", exc_info=broken)
        self._advance()

    # Clients that do not do their part.

    def _check_stall(self, unread_before_bytes: int) -> None:
        unread_bytes = self._transport.get_write_buffer_size()
        if unread_bytes < unread_before_bytes:
            self._set_timer("stall", STALL_S, self._check_stall, unread_bytes)
        else:
            self._cut_off()

    def _cut_off(self) -> None:
        if not self._transport.is_closing():
            unread_bytes = self._unread_bytes + self._transport.get_write_buffer_size()
            extra = {"unread_bytes": unread_bytes, "in_flight": len(self._running)}
            log.warning("rpc.slow_reader_cut_off", extra=extra)
        self._transport.abort()

    def _check_hang_up(self) -> None:
        """See whether the client has closed both its sides, which the end of what it sends does not tell."""
        if self._lost or self._transport.is_closing():
            return
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), 0)  # POLLHUP is reported unasked
        if any(event & select.POLLHUP for _, event in poll.poll(0)):
            self._transport.abort()
            return
        self._set_timer("hang_up", HANG_UP_CHECK_S, self._check_hang_up)

    def _give_up(self) -> None:
        self._waiting.clear()
        self.stop_requests()
        # Again until they have ended: wait_for of Python 3.11 can swallow a cancellation (python/cpython#86296).
        self._set_timer("left_behind", 1.0, self._give_up)

    def _set_timer(self, name: str, after_s: float, call: Callable[..., object], *args: object) -> None:
        self._cancel_timer(name)
        self._timers[name] = self._loop.call_later(after_s, call, *args)

    def _cancel_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
