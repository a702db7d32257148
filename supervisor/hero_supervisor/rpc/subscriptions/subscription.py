"""One subscription: a bounded queue between the feed that produces results and the channel of the client.

``subscribe`` makes one per call of ``hero_subscribe``. A client that reads too slowly loses the subscription, not the
connection: the queued results are dropped and a last notification has the error. A client that reads nothing at all is
cut off by its transport. Invariant: a subscription lives no longer than its channel and leaves no task behind.

Source: the notifications have the shape of ``eth_subscription``,
https://geth.ethereum.org/docs/interacting-with-geth/rpc/pubsub
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from hero_process.defects import log_failure
from hero_supervisor.rpc.protocol import rpc_errors, wire
from hero_supervisor.rpc.protocol.push import PushChannel
from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError

METHOD: Final = "hero_subscription"
#: Of all subscriptions of a connection together.
MAX_QUEUED_BYTES: Final = 8 * 1024 * 1024

log = logging.getLogger(__name__)


class Feed(Protocol):
    """Produces the results of one subscription."""

    async def begin(self) -> None:
        """Start to produce results."""

    def close(self) -> None:
        """Produce nothing more."""


class Subscription:
    """One subscription.

    Args:
        channel: The way to its client.
        topic: For the log.
        max_queued: Most results that wait to be sent.
    """

    def __init__(self, channel: PushChannel, topic: str, max_queued: int) -> None:
        self.id = secrets.token_hex(16)
        self.feed: Feed
        self._channel = channel
        self._topic = topic
        self._max_queued = max_queued
        self._queue: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._complete = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._sender: asyncio.Task[None] | None = None
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # What the feed calls.

    def put(self, result: Any) -> None:
        """Queue a result; end the subscription if the queue is full."""
        if self._complete:
            return
        if len(self._queue) >= self._max_queued or self._channel.queued_bytes > MAX_QUEUED_BYTES:
            extra = {"transport": self._channel.transport, "topic": self._topic, "subscription": self.id}
            log.warning("rpc.subscription_dropped", extra={**extra, "queued": len(self._queue)})
            self._fail(_too_slow(len(self._queue)))
            return
        self._add(wire.encode_notification(METHOD, self.id, {"result": result}))

    async def put_patiently(self, result: Any) -> None:
        """Queue a result when there is room; half of the queue is reserved for `put`."""
        while len(self._queue) >= self._max_queued // 2 or self._channel.queued_bytes > MAX_QUEUED_BYTES // 2:
            self._channel.room.clear()
            await self._channel.room.wait()
        self.put(result)

    def complete(self) -> None:
        """End the subscription after the queued results."""
        self._complete = True
        self.feed.close()
        self._filled.set()

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine in the background until it ends or the subscription does."""
        task = asyncio.create_task(work, name=f"subscription {self.id}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    # What the channel calls.

    def start(self) -> None:
        """Send the queued results and those that follow."""
        if not self._ended.done():
            self._sender = self.run(self._send())

    def close(self) -> None:
        """Stop sending immediately, and end all tasks."""
        self.feed.close()
        self._clear()
        self._end()

    async def end(self, error: RpcError) -> None:
        """Send the queued results, then the reason why nothing follows."""
        if not self._complete:
            self._add(self._last_notification(error))
            self.complete()
        await self._ended

    # Inside.

    async def _send(self) -> None:
        while True:
            while self._queue:
                message = self._queue.popleft()
                self._channel.queued_bytes -= len(message)
                self._channel.room.set()
                await self._channel.send(message)
            if self._complete:
                break
            self._filled.clear()
            await self._filled.wait()
        self._end()

    def _end(self) -> None:
        """Leave the channel, and end all tasks: one that waits for a job would otherwise outlive its client."""
        self._channel.pushes.pop(self.id, None)
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()
        if not self._ended.done():
            self._ended.set_result(None)

    def _add(self, message: bytes) -> None:
        self._queue.append(message)
        self._channel.queued_bytes += len(message)
        self._filled.set()

    def _fail(self, error: RpcError) -> None:
        self._clear()
        self._add(self._last_notification(error))
        self.complete()

    def _last_notification(self, error: RpcError) -> bytes:
        return wire.encode_notification(METHOD, self.id, {"error": wire.error_body(error)})

    def _clear(self) -> None:
        self._channel.queued_bytes -= sum(map(len, self._queue))
        self._queue.clear()
        self._channel.room.set()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (defect := task.exception()) is not None:
            log_failure(log, "rpc.subscription_broken", defect, topic=self._topic)
            if task is self._sender:
                self.close()  # nothing can be told any more
            else:
                self._fail(rpc_errors.internal_error())


def _too_slow(queued: int) -> RpcError:
    hint = "read faster, or ask for less; subscribe again with the last cursor as `after` to miss nothing"
    text = "the client read too slowly, so this subscription has ended"
    return RpcError(ErrorCode.SUBSCRIPTION_OVERFLOW, text, kind="subscription_overflow", hint=hint, queued=queued)
