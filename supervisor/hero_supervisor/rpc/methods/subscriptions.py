"""``hero_subscribe`` and ``hero_unsubscribe``: what happens is sent on the connection that asked, until it ends.

Notifications have the shape of Ethereum's ``eth_subscription``: ``hero_subscription`` with the subscription's id and a
``result``; or, as the last one, with an ``error`` in place of the result. Each subscription has a bounded queue. A
client that does not read fast enough loses the subscription, not the connection: what waits is thrown away and the
error says so; a client that reads nothing at all is cut off by its transport. Invariant: a subscription lives no longer
than its connection, and leaves no task behind.

Source: https://geth.ethereum.org/docs/interacting-with-geth/rpc/pubsub
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, cast

from pydantic import ValidationError, WithJsonSchema

from hero_job.model.job import ScriptType
from hero_job.model.spellings import parse_status
from hero_supervisor.rpc.methods import notices
from hero_supervisor.rpc.methods.feeds import ActorFeed, FactFinder, JobFeed, JobFilter, LogFeed, MetricsFeed, Snapshots
from hero_supervisor.rpc.methods.notices import Topic
from hero_supervisor.rpc.methods.queues import QueueMethods
from hero_supervisor.rpc.methods.results import Stats
from hero_supervisor.rpc.protocol import error_codes as errors
from hero_supervisor.rpc.protocol import peer, wire
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor
    from hero_config.model.settings import RpcSettings

METHOD: Final = "hero_subscription"
DEFAULT_INTERVAL_S: Final = 5.0
# Of all subscriptions of a connection together.
MAX_QUEUED_BYTES: Final = 8 * 1024 * 1024

log = logging.getLogger(__name__)

_Wanted = Annotated[
    dict[str, Any] | None,
    WithJsonSchema({"anyOf": [*(wanted.json_schema() for wanted in notices.WANTED.values()), {"type": "null"}]}),
]


class Feed(Protocol):
    """Where results come from."""

    async def begin(self) -> None:
        """Begin to send."""

    def close(self) -> None:
        """Send nothing more."""


class Subscription:
    """One subscription: a queue between a feed and a connection.

    Args:
        connection: Whose it is.
        topic: What it is about, for the log.
        max_queued: Most results that wait.
    """

    def __init__(self, connection: peer.Connection, topic: str, max_queued: int) -> None:
        self.id = secrets.token_hex(16)
        self.feed: Feed
        self._connection = connection
        self._topic = topic
        self._max_queued = max_queued
        self._queue: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._complete = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # What the feed calls.

    def put(self, result: Any) -> None:
        """Send it, or end the subscription of a client that is too slow."""
        if self._complete:
            return
        if len(self._queue) >= self._max_queued or self._connection.queued_bytes > MAX_QUEUED_BYTES:
            extra = {"transport": self._connection.transport, "topic": self._topic, "subscription": self.id}
            log.warning("rpc.subscription_dropped", extra={**extra, "queued": len(self._queue)})
            self._fail(_too_slow(len(self._queue)))
            return
        self._add(wire.encode_notification(METHOD, self.id, {"result": result}))

    async def put_patiently(self, result: Any) -> None:
        """Send it when there is room: half of the queue is left to what happens meanwhile."""
        while len(self._queue) >= self._max_queued // 2 or self._connection.queued_bytes > MAX_QUEUED_BYTES // 2:
            self._room.clear()
            await self._room.wait()
        self.put(result)

    def complete(self) -> None:
        """End the subscription when all is sent."""
        self._complete = True
        self.feed.close()
        self._filled.set()

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something in the background as long as the subscription lives."""
        task = asyncio.create_task(work, name=f"subscription {self.id}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    # What the connection calls.

    def start(self) -> None:
        """Send what there is, and what comes."""
        if not self._ended.done():
            self.run(self._send())

    def close(self) -> None:
        """Send nothing more, and leave nothing behind."""
        self.feed.close()
        self._clear()
        self._connection.pushes.pop(self.id, None)
        for task in self._tasks:
            task.cancel()
        if not self._ended.done():
            self._ended.set_result(None)

    async def end(self, error: RpcError) -> None:
        """Say why nothing more will be sent, as the last thing sent."""
        if not self._complete:
            self._add(_last_words(self.id, error))
            self.complete()
        await self._ended

    # Inside

    async def _send(self) -> None:
        while True:
            while self._queue:
                message = self._queue.popleft()
                self._connection.queued_bytes -= len(message)
                await self._connection.send(message)
                self._room.set()
            if self._complete:
                break
            self._filled.clear()
            await self._filled.wait()
        self._connection.pushes.pop(self.id, None)
        self._ended.set_result(None)

    def _add(self, message: bytes) -> None:
        self._queue.append(message)
        self._connection.queued_bytes += len(message)
        self._filled.set()

    def _fail(self, error: RpcError) -> None:
        self._clear()
        self._add(_last_words(self.id, error))
        self.complete()

    def _clear(self) -> None:
        self._connection.queued_bytes -= sum(map(len, self._queue))
        self._queue.clear()
        self._room.set()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (broken := task.exception()) is not None:
            log.error("rpc.subscription_broken", extra={"topic": self._topic}, exc_info=broken)
            self._fail(errors.internal_error())


class Subscriptions:
    """The methods, and what all subscriptions of a server share.

    Args:
        supervisor: Whose jobs, logs, actors and figures.
        read_stats: Reads the figures.
        max_subscriptions: Most of one connection.
        max_queued: Most results of one subscription that wait for its client.
    """

    def __init__(
        self,
        supervisor: AsyncSupervisor,
        read_stats: Callable[[], Awaitable[Stats]],
        *,
        max_subscriptions: int,
        max_queued: int,
    ) -> None:
        self._supervisor = supervisor
        self._finder = FactFinder(supervisor)
        self._snapshots = Snapshots(read_stats)
        self._max_subscriptions = max_subscriptions
        self._max_queued = max_queued

    async def hero_subscribe(self, topic: Topic, params: _Wanted = None) -> str:
        """Be sent what happens, as notifications `hero_subscription` on this connection; gives the subscription's id.

        Over the Unix socket and WebSocket. Topics: `jobs` (params job_ids, caller_id, context_id, script_type, status,
        after), `logs` (job_id, after; ends when the job has ended), `actors` (name, script_type, host, after),
        `metrics` (interval_s). A notification's params are {"subscription": id, "result": object}, the object's `event`
        says what it is: `job`, `line`, `end`, an actor's `joined`, `left`, `lost` and so on, `metrics`; or about the
        subscription itself `following`, `interrupted`, `resumed`, `gap`. After a lost connection subscribe with the
        last `cursor` as `after`: nothing is missed that the store still has. An "error" in place of the result is the
        last notification: the client was too slow (code 1503), or the server shuts down.
        """
        exchange = peer.current()
        if exchange is None:
            raise errors.cannot_push()
        connection = exchange.connection
        wanted = _checked(topic, params)
        if len(connection.pushes) >= self._max_subscriptions:
            raise errors.too_many_subscriptions(self._max_subscriptions)
        subscription = Subscription(connection, topic, self._max_queued)
        subscription.feed = self._feed(topic, wanted, connection, subscription)
        # Before anything is awaited: it counts, and is closed with its connection.
        connection.pushes[subscription.id] = subscription
        try:
            if topic == "logs":
                await self._check_job(wanted["job_id"], connection)
            await subscription.feed.begin()
        except BaseException:
            subscription.close()
            raise
        if connection.closed:
            subscription.close()
        exchange.after_answer(subscription.start)
        return subscription.id

    async def hero_unsubscribe(self, subscription: str) -> bool:
        """End a subscription of this connection; false when it has none with this id."""
        exchange = peer.current()
        if exchange is None:
            raise errors.cannot_push()
        found = exchange.connection.pushes.get(subscription)
        if found is None:
            return False
        found.close()
        return True

    def _feed(self, topic: Topic, wanted: Any, connection: peer.Connection, sink: Subscription) -> Feed:
        supervisor = self._supervisor
        after = wanted.get("after")
        script_type = wanted.get("script_type")
        if script_type is not None:
            script_type = ScriptType.parse(script_type).value
        if topic == "metrics":
            return MetricsFeed(self._snapshots, sink, wanted.get("interval_s", DEFAULT_INTERVAL_S))
        if topic == "logs":
            return LogFeed(supervisor, sink, after or "", wanted["job_id"])
        if topic == "actors":
            named = {name: wanted[name] for name in ("name", "host") if name in wanted}
            if script_type is not None:
                named["script_type"] = script_type

            def is_wanted(event: notices.ActorEvent) -> bool:
                return all(str(event.get(name)).lower() == value.lower() for name, value in named.items())

            return ActorFeed(supervisor, sink, after, is_wanted)
        job_filter = JobFilter(
            job_ids=frozenset(wanted["job_ids"]) if "job_ids" in wanted else None,
            statuses=frozenset(parse_status(s).value for s in wanted["status"]) if "status" in wanted else None,
            caller_id=wanted.get("caller_id"),
            context_id=_bound(wanted.get("context_id"), connection),
            script_type=None if script_type is None else script_type.lower(),
        )
        return JobFeed(supervisor, sink, after, job_filter, self._finder)

    async def _check_job(self, job_id: str, connection: peer.Connection) -> None:
        """See that there is such a job, and that this connection may read its log."""
        if connection.context_id is None:
            await self._supervisor.get_job_status(job_id)
        else:
            _bound((await self._supervisor.get_job(job_id)).job.context_id, connection)


def register(dispatcher: Dispatcher, supervisor: AsyncSupervisor, settings: RpcSettings) -> None:
    """Offer the methods.

    Args:
        dispatcher: Where.
        supervisor: Whose jobs, logs, actors and figures.
        settings: Limits.
    """
    subscriptions = Subscriptions(
        supervisor,
        QueueMethods(supervisor).stats,
        max_subscriptions=settings.max_subscriptions,
        max_queued=settings.subscription_queue,
    )
    dispatcher.register(
        "hero_subscribe",
        subscriptions.hero_subscribe,
        error_codes=(
            ErrorCode.PUSH_UNSUPPORTED,
            ErrorCode.TOO_MANY_SUBSCRIPTIONS,
            ErrorCode.FORBIDDEN,
            ErrorCode.JOB_NOT_FOUND,
            ErrorCode.JOB_DAMAGED,
            ErrorCode.STORE_UNAVAILABLE,
            ErrorCode.STORE_REFUSED,
        ),
    )
    dispatcher.register("hero_unsubscribe", subscriptions.hero_unsubscribe, error_codes=(ErrorCode.PUSH_UNSUPPORTED,))


def _checked(topic: Topic, params: dict[str, Any] | None) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", notices.WANTED[topic].validate_python({} if params is None else params))
    except ValidationError as e:
        raise errors.from_validation(e, ("topic", "params")) from None


def _bound(context_id: str | None, connection: peer.Connection) -> str | None:
    """Hold a context to the one that a connection is bound to."""
    if connection.context_id is None:
        return context_id
    if context_id not in (None, connection.context_id):
        hint = "leave context_id out, or connect for the other one"
        text = "this connection is bound to another context by its path"
        raise RpcError(ErrorCode.FORBIDDEN, text, kind="forbidden", hint=hint)
    return connection.context_id


def _last_words(subscription_id: str, error: RpcError) -> bytes:
    body = {"code": int(error.code), "message": error.message, "data": error.data}
    return wire.encode_notification(METHOD, subscription_id, {"error": body})


def _too_slow(queued: int) -> RpcError:
    hint = "read faster, or ask for less; subscribe again with the last cursor as `after` to miss nothing"
    text = "the client did not read fast enough; this subscription has ended"
    return RpcError(ErrorCode.SUBSCRIPTION_OVERFLOW, text, kind="subscription_overflow", hint=hint, queued=queued)
