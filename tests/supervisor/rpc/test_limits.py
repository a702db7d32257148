"""Limits of connections and of answers to batches."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.eventually import eventually
from tests.supervisor.rpc.raw_client import RawClient
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.subscriptions.actors import submit
from tests.supervisor.rpc.tcp_client import curl
from tests.supervisor.rpc.transports import job, request
from tests.valkey_server import ValkeyServer


@pytest.fixture
def unix_server(valkey: ValkeyServer, namespace: str, socket_path: Path) -> Iterator[RunningServer]:
    """A server of the Unix socket with low limits."""
    server = RunningServer(
        valkey.url, namespace, socket_path, unix_max_connections=3, max_batch_answer_bytes=4096
    ).start()
    yield server
    server.stop()


def test_one_connection_too_many_is_told_so_and_closed_until_there_is_room(
    unix_server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    clients = [RawClient(unix_server.path) for _ in range(3)]
    try:
        for client in clients:
            assert client.call("version")
        with caplog.at_level(logging.WARNING), RawClient(unix_server.path) as one_too_many:
            refusal = one_too_many.read()
            assert (refusal["id"], refusal["error"]["code"]) == (None, ErrorCode.TOO_MANY_CONNECTIONS)
            assert one_too_many.read_line() == b""
        assert "rpc.too_many_connections" in caplog.text
        clients.pop().close()

        def has_room() -> bool:
            # One that is refused may be closed before it has sent anything.
            with RawClient(unix_server.path) as another, contextlib.suppress(BrokenPipeError):
                another.send(request("version"))
                return "result" in another.read()
            return False

        eventually(has_room)
        assert clients[0].call("version")
    finally:
        for client in clients:
            client.close()


def test_requests_that_do_not_fit_into_the_answer_of_a_batch_get_an_error_and_are_not_run(
    unix_server: RunningServer, store: Store, operations: Operations
) -> None:
    submit(store, operations, "big", script="x" * 3000)
    batch = [orjson.loads(request("get_job", ["big"], n)) for n in range(100)]
    batch.append(orjson.loads(request("create_job", job(id="late"), "late")))
    with RawClient(unix_server.path) as client:
        client.send(orjson.dumps(batch))
        answers = client.read()

        assert [answer["id"] for answer in answers] == [*range(100), "late"]
        assert len(orjson.dumps([a for a in answers if "result" in a])) <= 4096
        assert sum("result" in answer for answer in answers) == 1
        assert {a["error"]["code"] for a in answers if "error" in a} == {ErrorCode.ANSWER_TOO_LARGE}
        assert client.fail("get_job_status", ["late"])["code"] == ErrorCode.JOB_NOT_FOUND


def test_the_answer_of_a_batch_over_http_is_bounded_too(
    valkey: ValkeyServer, namespace: str, store: Store, operations: Operations
) -> None:
    submit(store, operations, "big", script="x" * 3000)
    server = RunningServer(valkey.url, namespace, max_batch_answer_bytes=4096).start()
    try:
        batch = [orjson.loads(request("get_job", ["big"], n)) for n in range(10)]
        answers = curl(server.url(), body=orjson.dumps(batch)).json
    finally:
        server.stop()

    assert ["result" in answer for answer in answers].count(True) == 1
    assert {a["error"]["code"] for a in answers if "error" in a} == {ErrorCode.ANSWER_TOO_LARGE}
