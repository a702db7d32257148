"""The connection that a request came over, for methods that go on sending to it after their answer.

Made by the transports that can push (the Unix socket and WebSocket), one a connection; a transport enters it for each
message that it answers, so that a method finds it by ``current``. Over HTTP POST there is none. Invariants: what was
added to a connection is closed when the connection is, and nothing that begins with an answer is sent before it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Protocol

from hero_supervisor.rpc.protocol.wire import RpcError


class Push(Protocol):
    """Something that sends to a connection until it is closed."""

    def close(self) -> None:
        """Send nothing more."""

    async def end(self, error: RpcError) -> None:
        """Say why nothing more will be sent, as the last thing sent."""


class Connection:
    """One connection that can be pushed to.

    Args:
        transport: Its name, for the log.
        send: Writes one message; waits while the client does not read, and drops it when the client has gone.
        context_id: The only context that it is told of; None for any.

    Attributes:
        closed: Nobody is there any more.
        pushes: What is being sent to it, by id.
        queued_bytes: What waits to be sent to it, of all of these.
    """

    def __init__(
        self, transport: str, send: Callable[[bytes], Awaitable[None]], *, context_id: str | None = None
    ) -> None:
        self.transport = transport
        self.send = send
        self.context_id = context_id
        self.closed = False
        self.pushes: dict[str, Push] = {}
        self.queued_bytes = 0

    async def finish(self, error: RpcError) -> None:
        """End everything that is being pushed, telling the client why."""
        for push in tuple(self.pushes.values()):
            await push.end(error)

    def close(self) -> None:
        """Note that nobody is there any more; may be called again."""
        self.closed = True
        for push in tuple(self.pushes.values()):
            push.close()
        self.pushes.clear()


class Exchange:
    """One message and its answer.

    Args:
        connection: It came over.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._after_answer: list[Callable[[], None]] = []

    def after_answer(self, call: Callable[[], None]) -> None:
        """Have something done when the answer has been written."""
        self._after_answer.append(call)

    def answered(self) -> None:
        """Note that the answer has been written."""
        for call in self._after_answer:
            call()
        self._after_answer.clear()


_EXCHANGE: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def enter(connection: Connection) -> Exchange:
    """From here on this task, and those that it starts, answer a message of this connection."""
    exchange = Exchange(connection)
    _EXCHANGE.set(exchange)
    return exchange


def current() -> Exchange | None:
    """Find the message that is being answered; None when its transport cannot push."""
    return _EXCHANGE.get()
