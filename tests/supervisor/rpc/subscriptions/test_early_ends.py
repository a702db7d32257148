"""Clients that leave while the store has not yet answered their request to subscribe."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_supervisor import SupervisorBuilder
from hero_supervisor.rpc.methods.results import Stats
from hero_supervisor.rpc.protocol import push
from hero_supervisor.rpc.protocol.push import Exchange, PushChannel
from hero_supervisor.rpc.subscriptions.notices import Topic
from hero_supervisor.rpc.subscriptions.subscribe import Subscriptions
from tests.eventually import eventually_async
from tests.supervisor.rpc.subscriptions.actors import submit
from tests.valkey_server import ValkeyServer


async def drop(message: bytes) -> None:
    raise AssertionError("there is nobody to send to")


async def read_no_stats() -> Stats:
    raise AssertionError("nobody asks for figures")


def tasks_of_subscriptions() -> list[str]:
    names = [task.get_name() for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith(("subscription", "follow"))]


@pytest.mark.parametrize("after", [None, "0-0"])
@pytest.mark.parametrize("topic", ["jobs", "actors", "logs"])
def test_a_client_that_leaves_before_its_subscription_begins_leaves_nothing_behind(
    own_valkey: ValkeyServer, operations: Operations, namespace: str, topic: Topic, after: str | None
) -> None:
    with Store(own_valkey.url) as store:
        submit(store, operations, "a")
    params: dict[str, Any] = {"job_id": "a"} if topic == "logs" else {}
    if after is not None:
        params["after"] = after

    async def main() -> None:
        async with SupervisorBuilder().redis_url(own_valkey.url).namespace(namespace).build_async() as supervisor:
            subscriptions = Subscriptions(supervisor, read_no_stats, max_subscriptions=1, max_queued=100)
            channel = PushChannel("test", drop)

            async def ask() -> Exchange:
                exchange = push.enter(channel)
                await subscriptions.hero_subscribe(topic, params)
                return exchange

            own_valkey.freeze()
            asking = asyncio.create_task(ask())
            await eventually_async(lambda: channel.pushes, what="the store is asked")
            channel.close()
            own_valkey.thaw()
            (await asking).answered()

            assert channel.pushes == {}
            assert channel.queued_bytes == 0
            await eventually_async(lambda: tasks_of_subscriptions() == [])

    asyncio.run(main())
