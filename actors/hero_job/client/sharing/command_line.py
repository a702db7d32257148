"""A connection on which commands follow each other and nobody waits for a turn: the answers come in the same order.

`CommandGroups` has one. It takes over a connection that redis-py has opened, because redis-py knows how to log in, and
finds the primary; but its way of reading takes several times as long as the answers of short commands are worth.
Invariants: an answer goes to the caller whose commands it belongs to, as soon as it is there; after an answer that
cannot be read, that belongs to no command, or that does not come in time, the connection is closed; and when it ends,
every caller that waits on it is told.

It relies on `_writer` and `_parser` of redis-py's connections. When that changes, no test of an `AsyncStore` passes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import hiredis

from hero_job.client.connection import ANSWER_TIMEOUT_S
from hero_job.client.redis_py import (
    InvalidResponse,
    MovedError,
    ReadOnlyError,
    RedisConnectionError,
)

_INCOMPLETE: Final = object()


@dataclass(slots=True, eq=False)
class Asked:
    """The commands of one caller.

    Attributes:
        packed: The commands.
        count: How many they are.
        answers: For the caller. An error of the server is an object among the answers.
        asked_at: By the clock of the loop.
        come: The answers that have come so far.
    """

    packed: bytes
    count: int
    answers: asyncio.Future[list[Any]]
    asked_at: float
    come: list[Any] = field(default_factory=list)


class CommandLine(asyncio.Protocol):
    """A connection for short commands.

    Args:
        connection: Of redis-py; connected, and nothing is under way on it.
        on_end: Called once, with why it has ended and those whose answers have not come.
    """

    def __init__(self, connection: Any, on_end: Callable[[CommandLine, str, Sequence[Asked]], None]) -> None:
        self.connection = connection
        #: No further commands: the server is not, or not any more, the one to ask.
        self.left = False
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._under_way: deque[Asked] = deque()
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse,
            replyError=connection._parser.parse_error,
            notEnoughData=_INCOMPLETE,
            encoding=connection.encoder.encoding,
            errors=connection.encoder.encoding_errors,
        )
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False
        self._transport: Any = connection._writer.transport
        self._transport.set_protocol(self)

    @property
    def usable(self) -> bool:
        """Whether commands may be sent on it."""
        return not self.left and not self._transport.is_closing()

    def send(self, group: Sequence[Asked]) -> None:
        """Send the commands of some callers."""
        self._under_way.extend(group)
        self._transport.write(b"".join([asked.packed for asked in group]))
        if self._timer is None:
            # Those who waited for the connection have waited already.
            self._timer = self._loop.call_at(group[0].asked_at + ANSWER_TIMEOUT_S, self._check_time)

    def leave(self) -> None:
        """Send nothing more on it, and close it when all answers have come."""
        self.left = True
        if not self._under_way:
            self.end("the server is not the primary")

    def end(self, reason: str) -> None:
        """Close it now."""
        if self._ended:
            return
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        self._transport.abort()
        waiting, self._under_way = self._under_way, deque()
        self._on_end(self, reason, waiting)

    # What asyncio calls.

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        try:
            self._reader.feed(data)
            self._hand_out()
        except (InvalidResponse, ValueError) as e:  # the latter of redis-py, at a MOVED without an address
            self.end(f"not the Redis protocol: {e}")
        else:
            if not self._under_way and self._reader.has_data():
                # Kept, it would be taken for the answer to the next command.
                self.end("the server sent an answer to no command")

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(str(exc) if exc is not None else "the connection was closed by the server")

    # Inside.

    def _hand_out(self) -> None:
        under_way, take = self._under_way, self._reader.gets
        while under_way:
            asked = under_way[0]
            come = asked.come
            while len(come) < asked.count:
                answer = take()
                if answer is _INCOMPLETE:
                    return
                if isinstance(answer, MovedError | ReadOnlyError):
                    self.left = True
                come.append(answer)
            under_way.popleft()
            if asked.answers.done():
                continue
            broken = next((answer for answer in come if isinstance(answer, RedisConnectionError)), None)
            if broken is None:
                asked.answers.set_result(come)
            else:  # redis-py counts answers such as LOADING among these
                asked.answers.set_exception(broken)
        if self.left:
            self.leave()

    def _check_time(self) -> None:
        self._timer = None
        if not self._under_way:
            return
        left_s = self._under_way[0].asked_at + ANSWER_TIMEOUT_S - self._loop.time()
        if left_s <= 0:
            self.end(f"no answer within {ANSWER_TIMEOUT_S:g} s")
        else:
            self._timer = self._loop.call_later(left_s, self._check_time)
