"""JSON-RPC over a WebSocket: with the library `websockets`, and with raw frames that the library would not send."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed

from hero_supervisor.rpc.protocol import flow_control
from hero_supervisor.rpc.protocol.wire import ErrorCode
from hero_supervisor.rpc.tcp import server as web
from tests.eventually import GENEROUS_S, eventually
from tests.supervisor.rpc.foreign_actor import ForeignActor
from tests.supervisor.rpc.protocol.test_dispatch import SPECIFICATION
from tests.supervisor.rpc.raw_client import job, request
from tests.supervisor.rpc.running_server import MAX_MESSAGE_BYTES, RunningServer
from tests.supervisor.rpc.tcp_client import ask, curl, frame, upgrade_to_websocket
from tests.valkey_server import ValkeyServer

StartActor = Callable[[str], ForeignActor]
VERSION = request("version").decode()


def close_code(client: Any) -> int:
    """The code that the server closes with."""
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            client.recv(GENEROUS_S)
    assert closed.value.rcvd is not None, "closed without a frame"
    return int(closed.value.rcvd.code)


def raw_websocket(server: RunningServer) -> socket.socket:
    """A WebSocket whose frames the test reads and writes itself."""
    connection = server.raw()
    upgrade_to_websocket(connection)
    return connection


def frames_of(data: bytes) -> list[tuple[int, bytes]]:
    """Split short frames of a server: their first byte and their payload. A payload may hold any byte."""
    found = []
    while data:
        end = 2 + data[1]
        found.append((data[0], data[2:end]))
        data = data[end:]
    return found


# Messages.


@pytest.mark.parametrize(("text", "expected"), SPECIFICATION.values(), ids=SPECIFICATION.keys())
def test_the_examples_of_the_specification_get_one_answer_or_none_and_the_connection_lives(
    web_server: RunningServer, text: str, expected: Any
) -> None:
    with web_server.websocket() as client:
        client.send(text)
        answer = None if expected is None else orjson.loads(client.recv(GENEROUS_S))
        alive = ask(client, "version", request_id="alive")

    assert alive["id"] == "alive"
    # The methods of the examples do not exist here, but malformed requests are malformed everywhere.
    if isinstance(expected, dict) and expected.get("error") in {-32700, -32600}:
        assert answer is not None
        assert (answer["error"]["code"], answer["id"]) == (expected["error"], None)
    elif isinstance(expected, list):
        assert answer is not None
        assert [item["id"] for item in answer] == [item["id"] for item in expected]


def test_an_answer_is_one_text_frame_without_a_line_feed(web_server: RunningServer) -> None:
    with web_server.websocket() as client:
        client.send(VERSION)
        answer = client.recv(GENEROUS_S)

    assert isinstance(answer, str)
    assert "\n" not in answer


def test_a_message_in_fragments_is_one_message(web_server: RunningServer) -> None:
    with web_server.websocket() as client:
        client.send(iter([VERSION[:10], VERSION[10:20], VERSION[20:]]))

        assert orjson.loads(client.recv(GENEROUS_S))["result"]


def test_a_large_script_goes_in_and_comes_out_whole(web_server: RunningServer) -> None:
    script = "// " + 'é\\"{[' * 150_000
    with web_server.websocket() as client:
        ask(client, "create_job", [job(id="big", script=script)])

        assert ask(client, "get_job", ["big"])["result"]["script"] == script


def test_the_subprotocol_is_echoed_when_it_is_offered_and_not_needed(web_server: RunningServer) -> None:
    with web_server.websocket(subprotocols=["other", "jsonrpc"]) as client:
        offered = client.subprotocol
    with web_server.websocket(subprotocols=["other"]) as client:
        other = client.subprotocol
        answered = ask(client, "version")

    assert (offered, other) == ("jsonrpc", None)
    assert answered["result"]


def test_a_binary_frame_is_read_like_text_and_answered_in_text(web_server: RunningServer) -> None:
    with web_server.websocket() as client:
        client.send(VERSION.encode())
        client.send(b'{"\xff"}')

        answer, refusal = client.recv(GENEROUS_S), client.recv(GENEROUS_S)

    assert isinstance(answer, str)
    assert orjson.loads(answer)["result"]
    assert orjson.loads(refusal)["error"]["code"] == -32700


def test_text_that_is_not_utf_8_closes_the_connection_and_is_not_logged_as_an_error(
    web_server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), raw_websocket(web_server) as connection:
        connection.sendall(frame(b'{"\xff"}'))

        assert struct.unpack("!H", connection.recv(100)[2:4]) == (1007,)
    assert caplog.records == []


@pytest.mark.parametrize("in_fragments", [False, True])
def test_an_oversized_message_closes_the_connection(web_server: RunningServer, in_fragments: bool) -> None:
    half = "x" * (MAX_MESSAGE_BYTES // 2 + 1)
    with web_server.websocket() as client:
        with contextlib.suppress(ConnectionClosed):
            client.send(iter([half, half]) if in_fragments else half + half)

        # The kernel may reset the connection, because the client was still sending; then the close frame is lost.
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(GENEROUS_S)
    assert closed.value.rcvd is None or closed.value.rcvd.code == 1009


def test_a_frame_that_announces_too_many_bytes_closes_the_connection_before_they_arrive(
    web_server: RunningServer,
) -> None:
    with raw_websocket(web_server) as connection:
        connection.sendall(bytes([0x81, 0x80 | 127]) + struct.pack("!Q", MAX_MESSAGE_BYTES + 1) + bytes(4))

        assert struct.unpack("!H", connection.recv(100)[2:4]) == (1009,)


# Concurrent requests.


def test_answers_come_as_they_are_ready_and_not_in_order(web_server: RunningServer, foreign_actor: StartActor) -> None:
    actor = foreign_actor("sal")
    actor.may_finish.clear()
    with web_server.websocket() as client:
        client.send(request("run_job", job(), request_id="slow").decode())
        actor.held.wait()
        first = ask(client, "version", request_id="quick")["id"]
        actor.may_finish.set()

        assert (first, orjson.loads(client.recv(GENEROUS_S))["id"]) == ("quick", "slow")


def test_more_requests_than_may_be_in_flight_are_all_answered(
    web_server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_control, "MAX_IN_FLIGHT", 8)
    count = 500
    with web_server.websocket() as client:
        for i in range(count):
            client.send(request("get_job_status", ["none"], request_id=i).decode())

        assert {orjson.loads(client.recv(GENEROUS_S))["id"] for _ in range(count)} == set(range(count))


def test_nothing_is_read_while_the_limit_of_requests_in_flight_is_reached(
    web_server: RunningServer, foreign_actor: StartActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_control, "MAX_IN_FLIGHT", 2)
    actor = foreign_actor("sal")
    actor.may_finish.clear()
    with web_server.websocket() as client:
        for i in range(3):
            client.send(request("run_job", job(script=str(i)), request_id=i).decode())
        actor.held.wait()
        eventually(lambda: len(web_server.job_ids()) == 2)
        actor.may_finish.set()

        assert {orjson.loads(client.recv(GENEROUS_S))["result"] for _ in range(3)} == {"ran 0", "ran 1", "ran 2"}


def test_two_hundred_connections_are_served_and_leave_nothing_behind(web_server: RunningServer) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(web_server.websocket(ping_interval=None)) for _ in range(200)]
        for i, client in enumerate(clients):
            client.send(request("version", request_id=i).decode())
        ids = [orjson.loads(client.recv(GENEROUS_S))["id"] for client in clients]
        there = web_server.connections()

    assert (ids, there) == (list(range(200)), 200)
    eventually(lambda: web_server.connections() == 0)


# Clients that come and go.


def test_a_client_that_answers_no_ping_is_dropped(
    valkey: ValkeyServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "PING_EVERY_S", 0.05)
    monkeypatch.setattr(web, "PONG_WITHIN_S", 2.0)  # as long as the thread of the polite client may need
    server = RunningServer(valkey.url, namespace).start()
    try:
        with raw_websocket(server) as silent, server.websocket() as polite:
            data = b""
            while part := silent.recv(100):
                data += part

            *pings, (last, reason) = frames_of(data)
            assert {first for first, _ in pings} == {0x89}
            assert (last, *struct.unpack("!H", reason[:2])) == (0x88, 1011)
            assert ask(polite, "version")["result"]
    finally:
        server.stop()


def test_a_client_at_its_limit_is_not_dropped_for_pings_whose_answers_are_not_read(
    valkey: ValkeyServer, namespace: str, foreign_actor: StartActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "PING_EVERY_S", 0.05)
    monkeypatch.setattr(web, "PONG_WITHIN_S", 1.5)
    monkeypatch.setattr(flow_control, "MAX_IN_FLIGHT", 1)
    actor = foreign_actor("sal")
    actor.may_finish.clear()
    server = RunningServer(valkey.url, namespace).start()
    try:
        with raw_websocket(server) as client:
            for i in range(2):
                client.sendall(frame(request("run_job", job(), request_id=i)))
            # The server reads pongs only after the first job has ended; until then no ping has an answer.
            data, pings = b"", 0
            while data.count(b"ran 40 + 2") < 2:
                part = client.recv(1000)
                assert part, "dropped"
                data += part
                while (found := data.find(b"\x89\x04")) >= 0 and len(data) >= found + 6:
                    client.sendall(frame(data[found + 2 : found + 6], first=0x8A))
                    data, pings = data[:found] + data[found + 6 :], pings + 1
                if pings == 2:  # so the time for the first answer is over
                    actor.may_finish.set()
    finally:
        server.stop()


def test_a_job_goes_on_when_its_client_hangs_up_and_the_wait_for_it_ends(
    web_server: RunningServer, foreign_actor: StartActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_control, "LEFT_BEHIND_S", 0.1)
    actor = foreign_actor("sal")
    actor.may_finish.clear()
    with web_server.websocket() as gone:
        gone.send(request("run_job", job(id="j1")).decode())
        actor.held.wait()
        assert web_server.in_flight() > 0
    eventually(lambda: web_server.in_flight() == 0)
    actor.may_finish.set()
    with web_server.websocket() as client:
        assert eventually(lambda: ask(client, "get_job_output", ["j1"])["result"]) == "ran 40 + 2"


def test_disconnects_at_every_moment_harm_nobody(web_server: RunningServer) -> None:
    message = frame(request("run_job", job(script_type="V")))
    for length in range(0, len(message) + 1, 9):
        with raw_websocket(web_server) as other:
            other.sendall(message[:length])

    with web_server.websocket() as client:
        assert ask(client, "version")["result"]
    eventually(lambda: web_server.connections() == 0)


def test_the_first_message_may_be_long_even_if_the_server_is_slow_to_begin_to_read(
    web_server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept = WebSocket.accept

    async def slow_accept(websocket: WebSocket, *args: Any, **options: Any) -> None:
        await accept(websocket, *args, **options)
        await asyncio.sleep(0.3)

    monkeypatch.setattr(WebSocket, "accept", slow_accept)
    with web_server.websocket() as client:
        assert ask(client, "create_job", [job(id="big", script="x" * 1_000_000)])["result"]


@pytest.mark.parametrize(("name", "limit"), [("STALL_S", 0.2), ("MAX_UNREAD_BYTES", 5_000_000)])
def test_a_client_that_does_not_read_is_cut_off_and_the_others_are_served(
    web_server: RunningServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    limit: float,
) -> None:
    monkeypatch.setattr(flow_control, name, limit)
    with web_server.websocket() as client:
        ask(client, "create_job", [job(id="big", script="x" * 1_000_000)])
        with caplog.at_level(logging.WARNING), raw_websocket(web_server) as deaf:
            deaf.sendall(frame(request("get_job", ["big"])) * 30)

            eventually(lambda: "rpc.slow_reader_cut_off" in caplog.text)
            assert ask(client, "version")["result"]
            eventually(lambda: web_server.connections() == 1)


# The end of the server.


def test_closing_finishes_the_requests_in_flight_and_says_that_the_service_restarts(
    web_server: RunningServer, foreign_actor: StartActor
) -> None:
    actor = foreign_actor("sal")
    actor.may_finish.clear()
    with web_server.websocket() as client, web_server.websocket() as idle:
        client.send(request("run_job", job()).decode())
        actor.held.wait()
        web_server.begin_stop()

        assert close_code(idle) == 1012
        actor.may_finish.set()
        assert orjson.loads(client.recv(GENEROUS_S))["result"] == "ran 40 + 2"
        assert close_code(client) == 1012


def test_closing_answers_requests_that_cannot_be_finished(web_server: RunningServer) -> None:
    with web_server.websocket() as client:
        client.send(request("run_job", job(script_type="V")).decode())
        eventually(lambda: web_server.in_flight() > 0)
        web_server.begin_stop(grace_s=0.1)

        assert orjson.loads(client.recv(GENEROUS_S))["error"]["code"] == ErrorCode.SHUTTING_DOWN
        assert close_code(client) == 1012


def test_closing_does_not_wait_for_a_client_that_answers_nothing(web_server: RunningServer) -> None:
    with raw_websocket(web_server):
        web_server.stop()

    assert curl(web_server.url("/healthz")).status == 0
