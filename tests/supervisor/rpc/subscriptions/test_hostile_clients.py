"""Subscriptions under difficulties: slow clients, an unreachable store, and clients with few rights."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from hero_supervisor.rpc.protocol.wire import ErrorCode
from hero_supervisor.rpc.subscriptions import subscription
from tests.eventually import eventually
from tests.job.lane import Lane
from tests.supervisor.rpc.followers import follower_of
from tests.supervisor.rpc.raw_client import RawClient, request
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.subscriptions.actors import submit
from tests.supervisor.rpc.tcp_client import TOKENS, ask, token_settings
from tests.valkey_server import ValkeyServer

LONG_NAME = "c" * 8000
QUEUE = 64


@pytest.fixture
def unix_server(valkey: ValkeyServer, namespace: str, socket_path: Path) -> Iterator[RunningServer]:
    server = RunningServer(valkey.url, namespace, socket_path, subscription_queue=QUEUE).start()
    yield server
    server.stop()


@pytest.fixture
def guarded(valkey: ValkeyServer, namespace: str) -> Iterator[RunningServer]:
    server = RunningServer(valkey.url, namespace, tokens=token_settings(), subscription_queue=QUEUE).start()
    yield server
    server.stop()


# Slow clients


def flood(store: Store, operations: Operations, count: int, caller_id: str = LONG_NAME, *, first: int = 0) -> None:
    """Submit jobs of a caller with a longer name than we accept, as only a foreign program can write it."""
    for n in range(first, first + count):
        fields = {"caller_id": caller_id, "context_id": "x", "script": "1", "script_type": "sal", "status": "created"}
        pairs = [part for pair in fields.items() for part in pair]
        store.run(Op(("HSET", operations.keys.job(f"j{n}"), *pairs), as_is))
        store.run(operations.start(f"j{n}"))


def test_a_slow_client_loses_its_subscription_with_a_reason_and_others_lose_nothing(
    unix_server: RunningServer, store: Store, operations: Operations, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING),
        RawClient(unix_server.path) as slow,
        follower_of(unix_server) as quick,
    ):
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.send(request("hero_subscribe", ["jobs"]))
        quick.subscribe("jobs")
        heard: list[str] = []

        def read() -> None:
            while heard[-1:] != ["j599"]:
                heard.append(quick.result()["job_id"])

        reading = threading.Thread(target=read)
        reading.start()

        # However slow its thread is, the quick client has room for the next ones.
        for first in range(0, 600, QUEUE // 2):
            flood(store, operations, min(QUEUE // 2, 600 - first), first=first)
            eventually(lambda: len(heard) == min(first + QUEUE // 2, 600))  # noqa: B023  called in this turn only
        eventually(lambda: "rpc.subscription_dropped" in caplog.text)
        reading.join()

        # The quick client has all events. The slow one, when it reads again, gets those already sent and then the
        # reason.
        assert heard == [f"j{n}" for n in range(600)]
        subscription = slow.read()["result"]
        told = []
        while "error" not in (params := slow.read()["params"]):
            told.append(params["result"])
        assert params["subscription"] == subscription
        assert params["error"]["code"] == ErrorCode.SUBSCRIPTION_OVERFLOW
        assert "after" in params["error"]["data"]["hint"]
        # Its connection lives, and it can continue after its last event.
        last = told[-1]["cursor"]
        slow.send(request("hero_subscribe", ["jobs", {"after": last, "job_ids": ["j599"]}], "again"))
        assert slow.read()["id"] == "again"
        assert slow.read()["params"]["result"]["event"] == "following"
        assert slow.read()["params"]["result"]["job_id"] == "j599"
    eventually(lambda: unix_server.subscription_tasks() == [])


def test_a_slow_client_that_loses_its_subscription_to_a_log_leaves_nobody_who_waits_for_the_job(
    unix_server: RunningServer, store: Store, operations: Operations, lane: Lane, caplog: pytest.LogCaptureFixture
) -> None:
    submit(store, operations, "a")
    (held,) = lane.claim()
    with caplog.at_level(logging.WARNING), RawClient(unix_server.path) as slow:
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.send(request("hero_subscribe", ["logs", {"job_id": "a"}]))
        subscription_id = slow.read()["result"]
        assert slow.read()["params"]["result"]["event"] == "following"

        def write_until_dropped() -> bool:
            assert store.run(lane.actor.write_log(0, held, [("info", LONG_NAME)] * 20))
            return "rpc.subscription_dropped" in caplog.text

        eventually(write_until_dropped)
        while "error" not in (params := slow.read()["params"]):
            assert params["subscription"] == subscription_id

        # The job runs on, and the client has read the reason.
        eventually(lambda: unix_server.subscription_tasks() == [])
        assert not store.run(operations.status("a")).terminal


def test_a_slow_client_of_a_websocket_gets_the_reason_too(
    guarded: RunningServer, store: Store, operations: Operations, caplog: pytest.LogCaptureFixture
) -> None:
    options: dict[str, Any] = {
        "additional_headers": {"Authorization": f"Bearer {TOKENS['reader']}"}, "max_queue": 1,
        "ping_interval": None,  # it does not read the answers either
    }  # fmt: skip
    with caplog.at_level(logging.WARNING), follower_of(guarded, **options) as slow:
        slow.subscribe("jobs")
        # More than the buffers of both sockets hold.
        flood(store, operations, 300, LONG_NAME * 8)
        eventually(lambda: "rpc.subscription_dropped" in caplog.text)

        while "error" not in (params := slow.notified()):
            pass

        assert params["error"]["code"] == ErrorCode.SUBSCRIPTION_OVERFLOW
        assert slow.call("version")


def test_the_bytes_that_wait_for_a_connection_are_bounded(
    unix_server: RunningServer,
    store: Store,
    operations: Operations,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(subscription, "MAX_QUEUED_BYTES", 3 * len(LONG_NAME))
    with caplog.at_level(logging.WARNING), RawClient(unix_server.path) as slow:
        slow.send(request("hero_subscribe", ["jobs"]))
        assert slow.read()["result"]

        flood(store, operations, 300)

        dropped = eventually(lambda: [r for r in caplog.records if r.getMessage() == "rpc.subscription_dropped"])
        assert dropped[0].__dict__["queued"] < 5


def test_a_client_that_reads_its_backlog_slowly_is_waited_for(
    unix_server: RunningServer, store: Store, operations: Operations
) -> None:
    flood(store, operations, 600)
    with RawClient(unix_server.path) as slow:
        slow.send(request("hero_subscribe", ["jobs", {"after": ""}]))
        assert slow.read()["result"]
        told = [slow.read()["params"]["result"] for _ in range(601)]

    assert [event.get("job_id") for event in told] == [None, *(f"j{n}" for n in range(600))]


# The store


def submit_to(server: ValkeyServer, operations: Operations, job_id: str) -> None:
    with Store(server.url) as store:
        submit(store, operations, job_id)


def test_an_outage_of_the_store_is_reported_and_no_event_is_missed(own_valkey: ValkeyServer, socket_path: Path) -> None:
    operations = Operations("hero")
    server = RunningServer(own_valkey.url, "hero", socket_path).start()
    try:
        with follower_of(server) as client:
            client.subscribe("jobs")
            submit_to(own_valkey, operations, "before")
            assert client.result()["job_id"] == "before"
            own_valkey.kill()
            assert client.result()["event"] == "interrupted"
            own_valkey.start()
            submit_to(own_valkey, operations, "after")

            assert [client.result()["event"] for _ in range(2)] == ["resumed", "job"]
    finally:
        server.stop()


def test_a_store_that_has_lost_its_data_is_reported_as_a_gap(own_valkey: ValkeyServer, socket_path: Path) -> None:
    operations = Operations("hero")
    server = RunningServer(own_valkey.url, "hero", socket_path).start()
    try:
        with follower_of(server) as client:
            client.subscribe("jobs")
            submit_to(own_valkey, operations, "before")
            assert client.result()["job_id"] == "before"
            own_valkey.kill()
            assert client.result()["event"] == "interrupted"
            for part in (own_valkey.folder / "appendonlydir").iterdir():
                part.unlink()
            own_valkey.start()
            submit_to(own_valkey, operations, "after")

            told = client.until(lambda event: event.get("job_id") == "after")

            assert [event["event"] for event in told] == ["resumed", "gap", "job"]
    finally:
        server.stop()


# Rights


def web_follower(server: RunningServer, path: str, name: str) -> Any:
    return follower_of(server, path, additional_headers={"Authorization": f"Bearer {TOKENS[name]}"})


def test_a_connection_bound_to_a_context_gets_events_of_no_other(
    guarded: RunningServer, store: Store, operations: Operations
) -> None:
    with web_follower(guarded, "/02mine", "alice") as client:
        client.subscribe("jobs")
        submit(store, operations, "other")
        submit(store, operations, "mine", context_id="02mine")

        assert client.result()["job_id"] == "mine"
        assert client.code("hero_subscribe", ["jobs", {"context_id": "02def"}]) == ErrorCode.FORBIDDEN
        assert client.code("hero_subscribe", ["logs", {"job_id": "other"}]) == ErrorCode.FORBIDDEN
        assert client.subscribe("logs", {"job_id": "mine"})
        assert client.subscribe("jobs", {"context_id": "02mine"})


def test_a_reader_may_subscribe_and_an_unauthenticated_client_may_not(
    guarded: RunningServer, store: Store, operations: Operations
) -> None:
    with web_follower(guarded, "/", "reader") as client:
        client.subscribe("jobs")
        submit(store, operations, "a")
        assert client.result()["job_id"] == "a"
    with guarded.websocket() as nobody:
        assert ask(nobody, "hero_subscribe", ["jobs"])["error"]["code"] == ErrorCode.UNAUTHENTICATED
