"""Clients of the Unix socket that hang up, send half a message, or do not read."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

import pytest

from hero_supervisor.rpc.protocol import flow_control
from hero_supervisor.rpc.unix import connection as unix_connection
from tests.eventually import GENEROUS_S, eventually
from tests.supervisor.rpc.foreign_actor import ForeignActor
from tests.supervisor.rpc.raw_client import RawClient, job, request
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import post_head

StartActor = Callable[[str], ForeignActor]
VERSION = request("version")


def test_a_hundred_half_open_connections_harm_nobody(unix_server: RunningServer, client: RawClient) -> None:
    halves = [RawClient(unix_server.path) for _ in range(100)]
    try:
        for half in halves:
            half.send(b'{"jsonrpc":"2.0","id":1,"meth')

        assert client.call("version")
        for half in halves:
            half.send(b'od":"version"}')
        assert all(half.read()["result"] for half in halves)
    finally:
        for half in halves:
            half.close()


def test_a_client_that_closes_its_side_still_gets_its_answer(
    unix_server: RunningServer, foreign_actor: StartActor
) -> None:
    with RawClient(unix_server.path) as client:
        client.send(request("run_job", job()))
        client.socket.shutdown(socket.SHUT_WR)
        foreign_actor("sal")

        assert client.read()["result"] == "ran 40 + 2"
        assert client.read_line() == b""


def test_a_client_that_does_not_wait_has_its_requests_carried_out(
    unix_server: RunningServer, client: RawClient
) -> None:
    with RawClient(unix_server.path) as careless:
        careless.send(request("create_job", job(id="j1")))

    assert eventually(lambda: client.ask("get_job_status", ["j1"]).get("result")) == "created"


def test_a_job_goes_on_when_its_client_hangs_up_and_the_wait_for_it_ends(
    unix_server: RunningServer, client: RawClient, foreign_actor: StartActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_control, "LEFT_BEHIND_S", 0.3)
    actor = foreign_actor("sal")
    actor.may_finish.clear()
    with RawClient(unix_server.path) as gone:
        gone.send(request("run_job", job(id="j1")))
        actor.held.wait()
        waiting = unix_server.in_flight()

    eventually(lambda: unix_server.in_flight() == 0, what="the wait ends")
    actor.may_finish.set()
    output = eventually(lambda: client.call("get_job_output", ["j1"]))

    assert waiting == 1
    assert output == "ran 40 + 2"


def test_a_hang_up_is_noticed_after_the_client_has_closed_its_side(
    unix_server: RunningServer, foreign_actor: StartActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_control, "LEFT_BEHIND_S", 0.0)
    monkeypatch.setattr(unix_connection, "HANG_UP_CHECK_S", 0.05)
    actor = foreign_actor("sal")
    actor.may_finish.clear()
    with RawClient(unix_server.path) as client:
        client.send(request("run_job", job()))
        client.socket.shutdown(socket.SHUT_WR)
        actor.held.wait()

        assert unix_server.in_flight() == 1
    eventually(lambda: unix_server.in_flight() == 0)


@pytest.mark.parametrize("over_http", [True, False])
def test_a_hang_up_is_noticed_while_nothing_more_is_read(
    unix_server: RunningServer, foreign_actor: StartActor, monkeypatch: pytest.MonkeyPatch, over_http: bool
) -> None:
    monkeypatch.setattr(flow_control, "LEFT_BEHIND_S", 0.0)
    monkeypatch.setattr(flow_control, "MAX_IN_FLIGHT", 1)
    monkeypatch.setattr(unix_connection, "HANG_UP_CHECK_S", 0.05)
    actor = foreign_actor("sal")
    actor.may_finish.clear()
    body = request("run_job", job())
    with RawClient(unix_server.path) as client:
        client.send(post_head(len(body)) + body if over_http else body)
        actor.held.wait()

        assert unix_server.in_flight() == 1
    eventually(lambda: unix_server.in_flight() == 0)
    eventually(lambda: unix_server.connections() == 0)


def test_disconnects_at_every_moment_harm_nobody(unix_server: RunningServer, client: RawClient) -> None:
    message = request("run_job", job(script_type="V"))
    for length in range(0, len(message) + 1, 7):
        with RawClient(unix_server.path) as other:
            other.send(message[:length])

    assert client.call("version")


def test_a_client_that_does_not_read_is_cut_off_and_the_others_are_served(
    unix_server: RunningServer, client: RawClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(flow_control, "STALL_S", 0.3)
    client.call("create_job", job(id="big", script="x" * 1_000_000))
    with caplog.at_level(logging.WARNING), RawClient(unix_server.path) as deaf:
        deaf.send(b"".join(request("get_job", ["big"]) for _ in range(20)))

        eventually(lambda: "rpc.slow_reader_cut_off" in caplog.text)
        assert client.call("version")


def test_a_client_that_asks_for_more_than_it_reads_is_cut_off(
    unix_server: RunningServer, client: RawClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(flow_control, "MAX_UNREAD_BYTES", 5_000_000)
    client.call("create_job", job(id="big", script="x" * 1_000_000))
    with caplog.at_level(logging.WARNING), RawClient(unix_server.path) as greedy:
        greedy.send(b"".join(request("get_job", ["big"]) for _ in range(20)))

        eventually(lambda: "rpc.slow_reader_cut_off" in caplog.text)
        assert client.call("version")


def test_a_single_answer_longer_than_the_limit_waits_for_its_reader(
    unix_server: RunningServer, client: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_control, "MAX_UNREAD_BYTES", 1_000_000)
    client.call("create_job", job(id="big", script="x" * 1_000_000))
    with RawClient(unix_server.path) as slow:
        slow.send((b"[" + request("get_job", ["big"]) + b"," + request("get_job", ["big"]) + b"]") * 2)
        # The first answer fills the buffer, the second one waits behind it.
        eventually(lambda: unix_server.in_flight() == 1)

        assert [len(slow.read()) for _ in range(2)] == [2, 2]


def test_a_slow_reader_gets_everything_and_its_sending_is_held_back_until_then(
    unix_server: RunningServer, client: RawClient
) -> None:
    client.call("create_job", job(id="big", script="x" * 500_000))
    with RawClient(unix_server.path) as slow:
        slow.send(b"".join(request("get_job", ["big"], request_id=i) for i in range(30)))

        slow.socket.setblocking(False)

        def held_back() -> bool:
            try:
                slow.socket.send(b" " * 65536)
            except BlockingIOError:
                return True
            return False

        eventually(held_back, what="the server stops reading")
        slow.socket.settimeout(GENEROUS_S)
        ids = {slow.read()["id"] for _ in range(30)}

        assert ids == set(range(30))
        assert slow.call("version")
