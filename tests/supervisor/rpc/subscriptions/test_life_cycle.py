"""The life of a subscription, no matter its topic: how it is refused, how it ends, and what it costs."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.eventually import eventually
from tests.supervisor.rpc.followers import FollowingClient, follower_of
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.subscriptions.actors import MAX_SUBSCRIPTIONS, submit
from tests.supervisor.rpc.tcp_client import curl
from tests.supervisor.rpc.transports import request
from tests.valkey_server import ValkeyServer


def test_unsubscribing_ends_a_subscription_and_returns_false_the_second_time(
    pushing_server: RunningServer, follower: FollowingClient, store: Store, operations: Operations
) -> None:
    one = follower.subscribe("jobs")
    two = follower.subscribe("metrics", {"interval_s": 3600})
    three = follower.subscribe("logs", {"job_id": submit(store, operations, "a")})

    assert [follower.call("hero_unsubscribe", [s]) for s in (one, two, three, three, "none")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert follower.call("hero_unsubscribe", {"subscription": one}) is False
    eventually(lambda: pushing_server.subscription_tasks() == [])


def test_a_connection_has_a_limited_number_of_subscriptions_and_one_that_ends_makes_room(
    follower: FollowingClient,
) -> None:
    ids = [follower.subscribe("jobs") for _ in range(MAX_SUBSCRIPTIONS)]

    assert len(set(ids)) == MAX_SUBSCRIPTIONS
    assert follower.code("hero_subscribe", ["metrics"]) == ErrorCode.TOO_MANY_SUBSCRIPTIONS
    assert follower.call("hero_unsubscribe", [ids[0]])
    assert follower.subscribe("jobs")


def test_a_client_that_leaves_leaves_nothing_behind(
    pushing_server: RunningServer, store: Store, operations: Operations
) -> None:
    submit(store, operations, "a")
    with follower_of(pushing_server) as client:
        for topic, params in (("jobs", None), ("logs", {"job_id": "a"}), ("actors", None), ("metrics", None)):
            client.subscribe(topic, params)
        assert pushing_server.subscription_tasks()

    eventually(lambda: pushing_server.subscription_tasks() == [])


def test_a_server_that_closes_tells_each_subscription(pushing_server: RunningServer, follower: FollowingClient) -> None:
    ids = {follower.subscribe("jobs"), follower.subscribe("actors")}
    pushing_server.begin_stop()

    last = [follower.notified(), follower.notified()]

    assert {params["subscription"] for params in last} == ids
    assert {params["error"]["code"] for params in last} == {ErrorCode.SHUTTING_DOWN}
    assert follower.follower.read() is None
    assert getattr(follower.follower, "close_code", 1012) == 1012


def test_a_server_that_has_closed_has_no_subscription_left_that_waits_for_a_job(
    pushing_server: RunningServer, follower: FollowingClient, store: Store, operations: Operations
) -> None:
    follower.subscribe("logs", {"job_id": submit(store, operations, "a")})
    follower.subscribe("jobs", {"after": "0-0"})

    pushing_server.close()

    eventually(lambda: pushing_server.subscription_tasks() == [])


def test_one_connection_to_the_store_serves_all_subscriptions(
    pushing_server: RunningServer, store: Store, operations: Operations, valkey: ValkeyServer
) -> None:
    def blocked() -> int:
        clients = str(valkey.command("CLIENT", "LIST"))
        return sum("cmd=xread" in line for line in clients.splitlines())

    submit(store, operations, "a")
    with contextlib.ExitStack() as ends:
        clients = [ends.enter_context(follower_of(pushing_server)) for _ in range(10)]
        for client in clients:
            client.subscribe("jobs")
            client.subscribe("actors")
            client.subscribe("logs", {"job_id": "a"})
        # One follows the streams, and one waits for the ends of jobs.
        eventually(lambda: 1 <= blocked() <= 2)
        submit(store, operations, "b")
        assert {client.result()["job_id"] for client in clients} == {"b"}


# Refusals.


@pytest.mark.parametrize(
    "params",
    [
        [],
        ["weather"],
        ["jobs", {"after": "yesterday"}],
        ["jobs", {"jobs": ["a"]}],
        ["jobs", {"job_ids": []}],
        ["jobs", {"script_type": "COBOL"}],
        ["jobs", {"status": ["lost"]}],
        ["logs"],
        ["metrics", {"interval_s": 0.1}],
        ["metrics", {"interval_s": "1"}],
        ["actors", 1],
    ],
)
def test_invalid_topics_and_params_are_refused(
    pushing_server: RunningServer, follower: FollowingClient, params: Any
) -> None:
    assert follower.code("hero_subscribe", params) == ErrorCode.INVALID_PARAMS
    eventually(lambda: pushing_server.subscription_tasks() == [])


def test_over_http_post_the_error_names_the_transports_that_can(pushing_server: RunningServer) -> None:
    over_unix = ["--unix-socket", str(pushing_server.path)] if pushing_server.over_unix else []

    for method in ("hero_subscribe", "hero_unsubscribe"):
        error = curl(pushing_server.url(), *over_unix, body=request(method, ["jobs"])).json["error"]
        assert error["code"] == ErrorCode.PUSH_UNSUPPORTED
        assert error["data"]["transports"] == ["unix", "websocket"]
