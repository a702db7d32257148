"""Sending to a client beyond the answers to its requests: notifications of subscriptions.

A transport that can push (the Unix socket, WebSocket) makes one ``PushChannel`` per connection and enters it for each
message that it answers; a method finds it through ``current()``. HTTP POST has none. Invariants: everything that sends
to a channel is closed when the channel is; a push that begins with an answer is not sent before that answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Protocol

from hero_supervisor.rpc.protocol.wire import RpcError


class Push(Protocol):
    """Something that sends to a channel until it is closed."""

    def close(self) -> None:
        """Stop sending immediately."""

    async def end(self, error: RpcError) -> None:
        """Send what is queued, then the reason why nothing follows."""


class PushChannel:
    """The way to one client.

    Args:
        transport: Its name, for the log.
        send: Writes one message; waits while the client does not read, and drops the message when the client has gone.
        context_id: The only context whose events this client may see; None for all.

    Attributes:
        closed: The client has gone.
        pushes: Everything that sends to the client, by id.
        queued_bytes: Size of all messages that wait to be sent.
        room: Set whenever that shrinks. All pushes share it: the room for one may be made by another.
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
        self.room = asyncio.Event()

    async def finish(self, error: RpcError) -> None:
        """End every push and tell the client why."""
        for push in tuple(self.pushes.values()):
            await push.end(error)

    def close(self) -> None:
        """Note that the client has gone; may be called again."""
        self.closed = True
        for push in tuple(self.pushes.values()):
            push.close()
        self.pushes.clear()


class Exchange:
    """One message of a client and the answer to it.

    Args:
        channel: The way back to the client.
    """

    def __init__(self, channel: PushChannel) -> None:
        self.channel = channel
        self._after_answer: list[Callable[[], None]] = []

    def after_answer(self, call: Callable[[], None]) -> None:
        """Have a function called when the answer has been written."""
        self._after_answer.append(call)

    def answered(self) -> None:
        """Note that the answer has been written."""
        for call in self._after_answer:
            call()
        self._after_answer.clear()


_EXCHANGE: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def enter(channel: PushChannel) -> Exchange:
    """Mark this task, and those that it starts, as answering a message that came over this channel."""
    exchange = Exchange(channel)
    _EXCHANGE.set(exchange)
    return exchange


def current() -> Exchange | None:
    """Return the message that is being answered; None when its transport cannot push."""
    return _EXCHANGE.get()
