"""One subscription between its feed and its channel: what is sent, in which order, and what is left when it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hero_supervisor.rpc.protocol.push import PushChannel
from hero_supervisor.rpc.protocol.wire import ErrorCode, shutting_down
from hero_supervisor.rpc.subscriptions import subscription as subscription_module
from hero_supervisor.rpc.subscriptions.subscription import Subscription
from tests.eventually import eventually_async


class QuietFeed:
    """Produces nothing by itself."""

    def __init__(self) -> None:
        self.closed = 0

    async def begin(self) -> None:
        """Nothing to begin."""

    def close(self) -> None:
        self.closed += 1


class Client:
    """What a client receives; it may be slow.

    Attributes:
        received: The params of all notifications.
        reads: Cleared while it does not read.
    """

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.channel = PushChannel("test", self._send)
        self.feed = QuietFeed()

    async def _send(self, message: bytes) -> None:
        await self.reads.wait()
        said = json.loads(message)
        assert (said["jsonrpc"], said["method"]) == ("2.0", "hero_subscription")
        self.received.append(said["params"])

    def subscribe(self, max_queued: int = 4) -> Subscription:
        subscription = Subscription(self.channel, "jobs", max_queued)
        subscription.feed = self.feed
        self.channel.pushes[subscription.id] = subscription
        return subscription

    @property
    def results(self) -> list[Any]:
        return [params["result"] for params in self.received if "result" in params]

    @property
    def errors(self) -> list[int]:
        return [params["error"]["code"] for params in self.received if "error" in params]


def run(test: Callable[[Client], Awaitable[None]]) -> None:
    """Run a test on a loop; afterwards no task of a subscription may be left."""

    async def main() -> None:
        client = Client()
        await test(client)
        client.channel.close()
        assert client.channel.pushes == {}
        await eventually_async(lambda: len(asyncio.all_tasks()) == 1, what="no task is left")
        assert client.channel.queued_bytes == 0

    asyncio.run(main())


def test_what_is_put_before_the_answer_is_sent_after_it_in_order() -> None:
    async def test(client: Client) -> None:
        subscription = client.subscribe()
        subscription.put("a")
        subscription.put("b")
        await asyncio.sleep(0)
        assert client.received == []
        assert client.channel.queued_bytes > 0

        subscription.start()
        await eventually_async(lambda: client.results == ["a", "b"])
        subscription.put("c")

        await eventually_async(lambda: client.results == ["a", "b", "c"])
        assert {params["subscription"] for params in client.received} == {subscription.id}
        assert client.channel.queued_bytes == 0

    run(test)


def test_a_full_queue_ends_the_subscription_with_a_reason_and_without_its_results(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test(client: Client) -> None:
        subscription = client.subscribe(max_queued=3)
        for number in range(3):
            subscription.put(number)
        assert client.feed.closed == 0
        subscription.put("too much")
        assert client.feed.closed == 1
        subscription.put("ignored")

        subscription.start()

        await eventually_async(lambda: client.errors == [ErrorCode.SUBSCRIPTION_OVERFLOW])
        assert client.results == []
        assert client.received[0]["error"]["data"]["queued"] == 3
        await eventually_async(lambda: client.channel.pushes == {}, what="it makes room for another one")
        assert [record.message for record in caplog.records] == ["rpc.subscription_dropped"]

    run(test)


def test_the_bytes_of_all_subscriptions_of_a_connection_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription_module, "MAX_QUEUED_BYTES", 1000)

    async def test(client: Client) -> None:
        first, second = client.subscribe(100), client.subscribe(100)
        first.put("x" * 2000)
        second.put("y")

        first.start()
        second.start()

        await eventually_async(lambda: client.errors == [ErrorCode.SUBSCRIPTION_OVERFLOW])
        await eventually_async(lambda: client.results == ["x" * 2000], what="the first one goes on")
        assert list(client.channel.pushes) == [first.id]

    run(test)


def test_a_patient_feed_leaves_half_of_the_queue_to_what_happens_now() -> None:
    async def test(client: Client) -> None:
        subscription = client.subscribe(max_queued=4)
        done: list[int] = []

        async def catch_up() -> None:
            for number in range(4):
                await subscription.put_patiently(number)
                done.append(number)

        subscription.run(catch_up())
        await eventually_async(lambda: done == [0, 1])
        for _ in range(5):
            await asyncio.sleep(0)
        assert done == [0, 1], "it waits for room"
        subscription.put("now")

        subscription.start()

        await eventually_async(lambda: client.results == [0, 1, "now", 2, 3])

    run(test)


def test_a_complete_subscription_sends_what_is_queued_and_then_leaves_its_channel() -> None:
    async def test(client: Client) -> None:
        subscription = client.subscribe()
        subscription.start()
        client.reads.clear()
        subscription.put("a")
        subscription.put("b")
        subscription.complete()
        subscription.put("too late")
        assert client.feed.closed == 1
        assert subscription.id in client.channel.pushes
        client.reads.set()

        await eventually_async(lambda: client.channel.pushes == {})
        assert client.results == ["a", "b"]

    run(test)


def test_the_end_of_the_server_is_the_last_that_a_client_hears() -> None:
    async def test(client: Client) -> None:
        subscription = client.subscribe()
        subscription.start()
        subscription.put("a")

        await client.channel.finish(shutting_down())

        assert client.results == ["a"]
        assert client.errors == [ErrorCode.SHUTTING_DOWN]
        assert client.channel.pushes == {}
        await subscription.end(shutting_down())
        assert len(client.errors) == 1

    run(test)


def test_a_subscription_that_was_closed_sends_nothing_and_ends_its_tasks() -> None:
    async def test(client: Client) -> None:
        subscription = client.subscribe()
        waiting = subscription.run(asyncio.sleep(3600))
        subscription.put("a")

        subscription.close()
        subscription.start()

        await eventually_async(waiting.done)
        assert waiting.cancelled()
        assert client.received == []
        assert client.feed.closed == 1

    run(test)


def test_a_defect_of_a_feed_ends_its_subscription_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise RuntimeError("a defect")

    async def test(client: Client) -> None:
        broken, sound = client.subscribe(), client.subscribe()
        for subscription in (broken, sound):
            subscription.start()

        broken.run(fail())

        await eventually_async(lambda: client.errors == [ErrorCode.INTERNAL_ERROR])
        sound.put("a")
        await eventually_async(lambda: client.results == ["a"])
        assert list(client.channel.pushes) == [sound.id]
        assert [record.message for record in caplog.records] == ["rpc.subscription_broken"]

    run(test)


def test_a_channel_that_cannot_send_ends_the_subscription(caplog: pytest.LogCaptureFixture) -> None:
    async def test(client: Client) -> None:
        async def fail(message: bytes) -> None:
            raise RuntimeError("a defect")

        client.channel.send = fail
        subscription = client.subscribe()
        subscription.put("a")
        subscription.put("b")

        subscription.start()

        await eventually_async(lambda: client.channel.pushes == {})
        assert client.feed.closed == 1
        assert [record.message for record in caplog.records] == ["rpc.subscription_broken"]

    run(test)
