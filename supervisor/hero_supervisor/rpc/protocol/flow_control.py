"""Flow control: how many requests of a connection are in flight, and what happens when its client does not read.

Every transport has one ``FlowControl`` per connection and reports to it what asyncio reports about the buffer of the
transport. Invariants: a connection has at most ``MAX_IN_FLIGHT`` requests in flight; while its client does not read,
no further request begins, and the answers that wait are bounded; requests whose client has gone end soon.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from hero_process.defects import log_failure

MAX_IN_FLIGHT: Final = 1024
#: A client that reads nothing for so long, while data waits for it, is cut off.
STALL_S: Final = 30.0
#: Answers that may wait for the client to read, in bytes. A single answer may be longer.
MAX_UNREAD_BYTES: Final = 64 * 1024 * 1024
#: Requests whose client has gone may still end by themselves for so long, because clients may hang up without waiting.
LEFT_BEHIND_S: Final = 2.0
_CANCEL_EVERY_S: Final = 1.0
_LOG_EVERY_S: Final = 10.0

log = logging.getLogger(__name__)
T = TypeVar("T")


class FlowControl:
    """The flow control of one connection.

    Args:
        transport: Of the connection.
        peer: Address or user of the client, for the log.
        on_change: Called when a request has ended, when the client stops or resumes reading, and when it has gone.

    Attributes:
        lost: Done when the connection has ended.
        requests: The requests in flight.
        given_up: Its client has gone and its requests were cancelled; no further one should begin.
    """

    def __init__(self, transport: asyncio.Transport, peer: str, on_change: Callable[[], None] = lambda: None) -> None:
        self.on_change = on_change
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self.requests: set[asyncio.Task[Any]] = set()
        self.given_up = False
        self._transport = transport
        self._peer = peer
        self._full = False  # the buffer of the transport; beside the event, because each request asks several times
        self._writable = asyncio.Event()
        self._waiting_bytes = 0
        self._stall_timer: asyncio.TimerHandle | None = None

    # What the transport reports.

    def pause(self) -> None:
        """Note that the buffer is full."""
        self._full = True
        self._writable.clear()
        self._watch_for_stall()
        self.on_change()

    def resume(self) -> None:
        """Note that the buffer has room again."""
        self._has_room()
        self.on_change()

    def lose(self) -> None:
        """Note that the connection has ended, or is another protocol's from here on."""
        self._has_room()
        if not self.lost.done():
            self.lost.set_result(None)
        self.on_change()

    # Requests.

    def admits(self, *, one_at_a_time: bool = False) -> bool:
        """Whether one more request may begin.

        Args:
            one_at_a_time: Only when no other request is in flight.
        """
        return not self._full and len(self.requests) < (1 if one_at_a_time else MAX_IN_FLIGHT)

    def begin(self, answering: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Answer a request in a task of its own."""
        task = self._loop.create_task(answering)
        self.requests.add(task)
        task.add_done_callback(self._ended)
        return task

    def cancel_requests(self) -> None:
        """Cancel all requests in flight."""
        for task in self.requests:
            task.cancel()

    async def leave_behind(self) -> None:
        """Wait until no request is in flight; cancel those that take longer than ``LEFT_BEHIND_S``."""
        now = self._loop.time
        deadline = now() + LEFT_BEHIND_S
        while self.requests:
            await asyncio.wait(tuple(self.requests), timeout=deadline - now())
            if now() >= deadline:
                self.given_up = True
                # Again until they have ended: wait_for of Python 3.11 can swallow a cancellation
                # (python/cpython#86296).
                self.cancel_requests()
                deadline = now() + _CANCEL_EVERY_S

    # Answers.

    async def wait_writable(self) -> bool:
        """Wait until the client reads.

        Returns:
            Whether there is still somebody to write to.
        """
        while self._full:  # an answer that waited longer may have filled the buffer again
            await self._writable.wait()
        return not self._transport.is_closing()

    async def wait_for_room(self, size_bytes: int) -> bool:
        """Wait until an answer may be written; cut the client off when too many answers wait already.

        Args:
            size_bytes: Of the answer.

        Returns:
            As for `wait_writable`.
        """
        if not self._full:
            return not self._transport.is_closing()
        if self._waiting_bytes and self._waiting_bytes + size_bytes > MAX_UNREAD_BYTES:
            self._cut_off()
            return False
        self._waiting_bytes += size_bytes
        try:
            return await self.wait_writable()
        finally:
            self._waiting_bytes -= size_bytes

    def abort(self) -> None:
        """Close without waiting for the client."""
        self._transport.abort()

    # Inside.

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.requests.discard(task)
        if not task.cancelled() and (defect := task.exception()) is not None:
            log_failure(log, "rpc.answer_lost", defect)
        self.on_change()

    def _has_room(self) -> None:
        self._stop_stall_timer()
        self._full = False
        self._writable.set()

    def _watch_for_stall(self) -> None:
        self._stop_stall_timer()
        unread_bytes = self._transport.get_write_buffer_size()
        self._stall_timer = self._loop.call_later(STALL_S, self._check_stall, unread_bytes)

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _check_stall(self, unread_before_bytes: int) -> None:
        if self._transport.get_write_buffer_size() < unread_before_bytes:
            self._watch_for_stall()
        else:
            self._cut_off()

    def _cut_off(self) -> None:
        if not self._transport.is_closing():
            unread_bytes = self._waiting_bytes + self._transport.get_write_buffer_size()
            facts = {"peer": self._peer, "unread_bytes": unread_bytes, "in_flight": len(self.requests)}
            log.warning("rpc.slow_reader_cut_off", extra=facts)
        self._transport.abort()


class CountedWarning:
    """A warning about something that clients can cause without end: one line in a while, with a count.

    Args:
        event: Name of the event.
    """

    def __init__(self, event: str) -> None:
        self._event = event
        self._count = 0
        self._next_mono = 0.0

    def note(self, **facts: object) -> None:
        """Count it, and log it unless it was logged a moment ago."""
        self._count += 1
        now_mono = time.monotonic()
        if now_mono >= self._next_mono:
            self._next_mono = now_mono + _LOG_EVERY_S
            log.warning(self._event, extra={**facts, "count": self._count})
            self._count = 0


class ConnectionLimit:
    """The most connections that a server has; refusals are logged, but not each of them.

    A server takes at most a quarter of the files that the process may have open, because actors, store and log need
    the rest: without any, the process cannot even accept a connection in order to refuse it.

    Args:
        setting: Name of the setting that raises it.
        max_connections: Most connections.
    """

    def __init__(self, setting: str, max_connections: int) -> None:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.max_connections = max_connections
        if files != resource.RLIM_INFINITY and max_connections > files // 4:
            self.max_connections = max(1, files // 4)
            cure = "raise the limit of open files: LimitNOFILE of the unit, or ulimit -n"
            log.warning("rpc.few_files", extra={"files": files, setting: self.max_connections, "cure": cure})
        self._setting = setting
        self._warning = CountedWarning("rpc.too_many_connections")

    def refuses(self, connections: int) -> bool:
        """Whether a connection is one too many, and log it.

        Args:
            connections: All that there are, this one included.
        """
        if connections <= self.max_connections:
            return False
        self._warning.note(**{self._setting: self.max_connections})
        return True
