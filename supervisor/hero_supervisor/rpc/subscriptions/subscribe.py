"""The methods ``hero_subscribe`` and ``hero_unsubscribe``: events are sent on the connection that asked for them.

Each call makes a ``Subscription`` and the feed for its topic. Invariant: a connection bound to a context sees only the
jobs and logs of that context.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

from pydantic import ValidationError, WithJsonSchema

from hero_job.model.fields.spellings import parse_status
from hero_job.model.job import ScriptType
from hero_supervisor.rpc.methods.results import Stats
from hero_supervisor.rpc.methods.shapes import Word
from hero_supervisor.rpc.protocol import push, rpc_errors
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.push import PushChannel
from hero_supervisor.rpc.protocol.rpc_errors import JOB_CODES
from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError
from hero_supervisor.rpc.subscriptions import notices
from hero_supervisor.rpc.subscriptions.feeds import ActorFeed, AuditFeed, FactFinder, JobFeed, JobFilter, LogFeed
from hero_supervisor.rpc.subscriptions.metrics_feed import MetricsFeed, Snapshots
from hero_supervisor.rpc.subscriptions.notices import Topic
from hero_supervisor.rpc.subscriptions.subscription import Feed, Subscription

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor
    from hero_config.model.settings import RpcSettings

DEFAULT_INTERVAL_S: Final = 5.0

_Wanted = Annotated[
    dict[str, Any] | None,
    WithJsonSchema({"anyOf": [*(wanted.json_schema() for wanted in notices.WANTED.values()), {"type": "null"}]}),
]


class Subscriptions:
    """The methods, and what all subscriptions of a server share.

    Args:
        supervisor: Whose jobs, logs and actors can be followed.
        read_stats: Reads the figures that can be followed.
        max_subscriptions: Most subscriptions of one connection.
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
        """Receive events as notifications `hero_subscription` on this connection; returns the subscription's id.

        Works over the Unix socket and WebSocket. Topics: `jobs` (params job_ids, caller_id, context_id, script_type,
        status, after), `logs` (job_id, after; ends when the job has ended), `actors` (name, script_type, host, after),
        `metrics` (interval_s), `audit` (after; needs the scope admin). The params of a notification are
        {"subscription": id, "result": object}. The object's
        `event` names its kind: `job`, `line`, `end`, an actor's `joined`, `left`, `lost` and so on, or `metrics`; and
        about the subscription itself `following`, `interrupted`, `resumed`, `gap`. To continue after a lost connection,
        subscribe with the last `cursor` as `after`; you miss nothing that the store still has. An "error" in place of
        the result is the last notification: the client was too slow (code 1503), or the server shuts down.
        """
        exchange = push.current()
        if exchange is None:
            raise rpc_errors.cannot_push()
        channel = exchange.channel
        wanted = _checked(topic, params)
        if len(channel.pushes) >= self._max_subscriptions:
            raise rpc_errors.too_many_subscriptions(self._max_subscriptions)
        subscription = Subscription(channel, topic, self._max_queued)
        subscription.feed = self._feed(topic, wanted, channel, subscription)
        # Added before the first await, so that it counts towards the limit and is closed with its channel.
        channel.pushes[subscription.id] = subscription
        try:
            if topic == "logs":
                await self._check_job(wanted["job_id"], channel)
            await subscription.feed.begin()
        except BaseException:
            subscription.close()
            raise
        if channel.closed:
            subscription.close()
        exchange.after_answer(subscription.start)
        return subscription.id

    async def hero_unsubscribe(self, subscription: Word) -> bool:
        """End a subscription of this connection; returns false if the connection has none with this id."""
        exchange = push.current()
        if exchange is None:
            raise rpc_errors.cannot_push()
        found = exchange.channel.pushes.get(subscription)
        if found is None:
            return False
        found.close()
        return True

    def _feed(self, topic: Topic, wanted: Any, channel: PushChannel, subscription: Subscription) -> Feed:
        supervisor = self._supervisor
        after = wanted.get("after")
        script_type = wanted.get("script_type")
        if script_type is not None:
            script_type = ScriptType.parse(script_type).value
        if topic == "metrics":
            return MetricsFeed(self._snapshots, subscription, wanted.get("interval_s", DEFAULT_INTERVAL_S))
        if topic == "audit":
            return AuditFeed(supervisor, subscription, after)
        if topic == "logs":
            return LogFeed(supervisor, subscription, after or "", wanted["job_id"])
        if topic == "actors":
            named = {name: wanted[name] for name in ("name", "host") if name in wanted}
            if script_type is not None:
                named["script_type"] = script_type

            def is_wanted(event: notices.ActorEvent) -> bool:
                return all(str(event.get(name)).lower() == value.lower() for name, value in named.items())

            return ActorFeed(supervisor, subscription, after, is_wanted)
        job_filter = JobFilter(
            job_ids=frozenset(wanted["job_ids"]) if "job_ids" in wanted else None,
            statuses=frozenset(parse_status(s).value for s in wanted["status"]) if "status" in wanted else None,
            caller_id=wanted.get("caller_id"),
            context_id=_bound(wanted.get("context_id"), channel),
            script_type=None if script_type is None else script_type.lower(),
        )
        return JobFeed(supervisor, subscription, after, job_filter, self._finder)

    async def _check_job(self, job_id: str, channel: PushChannel) -> None:
        """Refuse an unknown job, and one whose log this client may not read."""
        if channel.context_id is None:
            await self._supervisor.get_job_status(job_id)
        else:
            _bound((await self._supervisor.get_job(job_id)).job.context_id, channel)


def register(
    dispatcher: Dispatcher,
    supervisor: AsyncSupervisor,
    settings: RpcSettings,
    read_stats: Callable[[], Awaitable[Stats]],
) -> None:
    """Register the methods.

    Args:
        dispatcher: Gets the methods.
        supervisor: Whose jobs, logs and actors can be followed.
        settings: Limits of subscriptions.
        read_stats: Reads the figures that can be followed.
    """
    subscriptions = Subscriptions(
        supervisor,
        read_stats,
        max_subscriptions=settings.max_subscriptions,
        max_queued=settings.subscription_queue,
    )
    codes = (ErrorCode.PUSH_UNSUPPORTED, ErrorCode.TOO_MANY_SUBSCRIPTIONS, ErrorCode.FORBIDDEN, *JOB_CODES)
    dispatcher.register("hero_subscribe", subscriptions.hero_subscribe, error_codes=codes)
    dispatcher.register("hero_unsubscribe", subscriptions.hero_unsubscribe, error_codes=(ErrorCode.PUSH_UNSUPPORTED,))


def _checked(topic: Topic, params: dict[str, Any] | None) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", notices.WANTED[topic].validate_python({} if params is None else params))
    except ValidationError as e:
        raise rpc_errors.from_validation(e, ("topic", "params")) from None


def _bound(context_id: str | None, channel: PushChannel) -> str | None:
    """Return the context that a subscription is limited to; refuse another one than that of the channel."""
    if channel.context_id is None:
        return context_id
    if context_id not in (None, channel.context_id):
        hint = "leave context_id out, or connect at the path of the other context"
        text = "the path of this connection binds it to another context"
        raise RpcError(ErrorCode.FORBIDDEN, text, kind="forbidden", hint=hint)
    return channel.context_id
