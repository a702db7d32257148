"""JSON-RPC on a Unix socket: the server that the supervisor and ``hero-unix-server`` run in their event loop.

One connection carries many requests at once, and each is answered as soon as its answer is there, in one write that
ends in one line feed. Invariants: a connection holds a bounded number of requests and a bounded amount of bytes in each
direction, whatever its client does; and what a client breaks is its own connection, never another's.

- Reading stops while ``MAX_IN_FLIGHT`` requests are under way or while the client does not read its answers; then the
  kernel's buffer fills up and the client's own writes wait.
- A client that reads nothing of what is waiting for it in ``STALL_S`` seconds, or that has asked for so much that more
  than ``MAX_UNREAD_BYTES`` of answers wait for it, is cut off, with a line in the log.
- A client that has gone away leaves its requests behind: what is done within ``LEFT_BEHIND_S`` is done (a client
  need not wait for answers that it does not want), and longer waits end. Jobs that were waited for go on.
"""

from __future__ import annotations

import asyncio
import logging
import select
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from hero_config.settings import JobsSettings, RpcSettings
from hero_job.job import JobLimits
from hero_supervisor.rpc import socket_file, wire
from hero_supervisor.rpc.dispatch import Dispatcher
from hero_supervisor.rpc.framer import Frame, Framer, Oversized, Unframed
from hero_supervisor.rpc.methods import build_dispatcher

if TYPE_CHECKING:
    from hero_supervisor.api import AsyncSupervisor

MAX_IN_FLIGHT: Final = 1024
STALL_S: Final = 30.0
MAX_UNREAD_BYTES: Final = 64 * 1024 * 1024
CLOSE_GRACE_S: Final = 5.0
LEFT_BEHIND_S: Final = 2.0
# Broken input that is followed by no good message: after this much of it the client is not speaking JSON at all.
MAX_BROKEN_IN_A_ROW: Final = 32
# After framing is lost the rest of the line is thrown away; a client that ends no lines would wait for ever.
LINE_END_PATIENCE_S: Final = 1.0
# While nothing is read, a client that hangs up is not noticed by reading.
HANG_UP_CHECK_S: Final = 1.0
_WRITE_HIGH_BYTES: Final = 1024 * 1024

log = logging.getLogger(__name__)


def serve(supervisor: AsyncSupervisor, rpc_settings: RpcSettings, job_settings: JobsSettings) -> UnixServer:
    """Make the server that offers a supervisor's methods; ``start`` makes it listen.

    Args:
        supervisor: Where jobs go.
        rpc_settings: Path, mode and message limit.
        job_settings: What the deployment accepts of a job.
    """
    limits = JobLimits(
        max_script_bytes=job_settings.max_script_bytes,
        max_timeout_s=job_settings.max_timeout_s,
        default_timeout_s=job_settings.default_timeout_s,
    )
    return UnixServer(
        build_dispatcher(supervisor, limits),
        Path(rpc_settings.unix_socket),
        mode=rpc_settings.unix_mode_bits,
        max_message_bytes=rpc_settings.max_message_bytes,
    )


class UnixServer:
    """Listens on one path and serves every connection from one dispatcher.

    Args:
        dispatcher: Answers the messages.
        path: Of the socket.
        mode: Permissions of the socket.
        max_message_bytes: Longest request.
    """

    def __init__(self, dispatcher: Dispatcher, path: Path, *, mode: int, max_message_bytes: int) -> None:
        self.path = path
        self._dispatcher = dispatcher
        self._mode = mode
        self._max_message_bytes = max_message_bytes
        self._connections: set[_Connection] = set()
        self._file: socket_file.SocketFile | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Take the path and accept connections.

        Raises:
            SocketInUse: A live server is there.
            SocketPathRefused: The path cannot be used.
        """
        # In a thread, because it may wait for another server that is just starting on a path in the same folder.
        self._file = await asyncio.to_thread(socket_file.listen, self.path, self._mode)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._connect, sock=self._file.listener, backlog=1024)
        self.path = self._file.path
        log.info("rpc.listening", extra={"socket": str(self.path), "mode": oct(self._mode)})

    async def close(self, grace_s: float = CLOSE_GRACE_S) -> None:
        """Accept nobody any more, finish the requests under way, close the connections, remove the file.

        Args:
            grace_s: How long requests may take to finish; then they are answered with "shutting down".
        """
        if self._file is not None:
            await asyncio.to_thread(self._file.remove)  # before the listener closes: see there
            self._file = None
        if self._server is not None:
            self._server.close()
            self._server = None
            log.info("rpc.closing", extra={"socket": str(self.path), "connections": len(self._connections)})
        finishing = [connection.finish() for connection in self._connections]
        if finishing:
            await asyncio.wait(finishing, timeout=grace_s)
        self._dispatcher.stop()
        for connection in tuple(self._connections):
            connection.stop_requests()
        if finishing:
            # Answered or not, they read their last bytes by then or lose them.
            await asyncio.wait(finishing, timeout=1.0)
        for connection in tuple(self._connections):
            connection.abort()

    def _connect(self) -> _Connection:
        return _Connection(self._dispatcher, self._connections, self._max_message_bytes)


class _Connection(asyncio.Protocol):
    """One client: frames its requests, has them answered, writes the answers."""

    def __init__(self, dispatcher: Dispatcher, connections: set[_Connection], max_message_bytes: int) -> None:
        self._dispatcher = dispatcher
        self._connections = connections
        self._framer = Framer(max_message_bytes)
        self._waiting: deque[Frame] = deque()  # framed, not begun; no more than one read brought
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
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
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
        self._writable.set()
        self._set_timer("left_behind", LEFT_BEHIND_S, self._give_up)
        self._advance()

    # What the server calls.

    def finish(self) -> asyncio.Future[None]:
        """Read nothing more, answer what has been asked, then close; the future is done when that is done."""
        self._finishing = True
        self._advance()
        return self._done

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
        while waiting and len(running) < MAX_IN_FLIGHT and self._writable.is_set():
            task = self._loop.create_task(self._answer(waiting.popleft()))
            running.add(task)
            task.add_done_callback(self._answered)
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
        wanted = not waiting and not self._finishing and len(running) < MAX_IN_FLIGHT and self._writable.is_set()
        if wanted != self._reading:
            self._reading = wanted
            if wanted:
                self._cancel_timer("hang_up")
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()
                self._set_timer("hang_up", HANG_UP_CHECK_S, self._check_hang_up)

    async def _answer(self, frame: Frame) -> None:
        answer: bytes | None
        if isinstance(frame, bytes):
            answer = await self._dispatcher.answer(frame)
            if answer is None:
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
