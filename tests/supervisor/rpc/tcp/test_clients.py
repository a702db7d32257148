"""HTTP clients of the TCP port that misbehave: half requests, endless bodies, clients that do not read, too many."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any

import pytest

from hero_supervisor.rpc.protocol import flow_control
from hero_supervisor.rpc.tcp import app, uvicorn_protocol
from hero_supervisor.rpc.tcp import server as web
from tests.eventually import eventually
from tests.supervisor.rpc.foreign_actor import ForeignActor
from tests.supervisor.rpc.raw_client import job, request
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import curl, post_head, read_all
from tests.valkey_server import ValkeyServer

StartActor = Callable[[str], ForeignActor]
VERSION = request("version")


def test_half_a_request_is_waited_for_only_so_long(web_server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn_protocol, "HEAD_S", 0.2)
    with web_server.raw() as silent, web_server.raw() as half:
        half.sendall(b"POST / HTTP/1.1\r\nHost: local")

        assert read_all(half) == b""
        assert read_all(silent) == b""


def test_half_a_body_is_waited_for_only_so_long(web_server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "BODY_S", 0.2)
    with web_server.raw() as half:
        half.sendall(post_head(100) + b'{"jsonrpc"')

        assert read_all(half).startswith(b"HTTP/1.1 408 ")


def test_a_refused_body_is_not_read_for_ever(web_server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn_protocol, "HEAD_S", 0.2)
    with web_server.raw() as endless:
        endless.sendall(post_head(1 << 40))
        with contextlib.suppress(ConnectionError):
            while True:
                endless.sendall(b" " * 65536)

    eventually(lambda: web_server.connections() == 0)


def test_an_idle_connection_is_closed(valkey: ValkeyServer, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "KEEP_ALIVE_S", 0.2)
    server = RunningServer(valkey.url, namespace).start()
    try:
        with server.raw() as idle:
            idle.sendall((post_head(len(VERSION)) + VERSION) * 2)

            assert read_all(idle).count(b'"result"') == 2
    finally:
        server.stop()


def test_input_that_is_not_http_is_refused(web_server: RunningServer) -> None:
    with web_server.raw() as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00 not http\r\n\r\n")

        assert read_all(connection).startswith(b"HTTP/1.1 400 ")
    assert curl(web_server.url(), body=VERSION).json["result"]


def test_an_endless_head_is_refused(web_server: RunningServer) -> None:
    with web_server.raw() as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000)

        assert read_all(connection)[:13] in {b"HTTP/1.1 400 ", b""}


def test_an_http_client_that_does_not_read_is_cut_off_and_the_others_are_served(
    web_server: RunningServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(flow_control, "STALL_S", 0.2)
    curl(web_server.url(), body=request("create_job", [job(id="big", script="x" * 1_000_000)]))
    batch = b"[" + b",".join(request("get_job", ["big"]) for _ in range(20)) + b"]"
    with caplog.at_level(logging.WARNING), web_server.raw() as deaf:
        deaf.sendall(post_head(len(batch)) + batch)

        eventually(lambda: "rpc.slow_reader_cut_off" in caplog.text)
        assert curl(web_server.url(), body=VERSION).json["result"]
    eventually(lambda: web_server.connections() == 0)


def test_the_wait_for_a_job_ends_when_its_client_hangs_up_and_the_job_goes_on(
    web_server: RunningServer, foreign_actor: StartActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_control, "LEFT_BEHIND_S", 0.1)
    actor = foreign_actor("sal")
    actor.may_finish.clear()
    body = request("run_job", job(id="j1"))
    with web_server.raw() as gone:
        gone.sendall(post_head(len(body)) + body)
        actor.held.wait()
        assert web_server.in_flight() > 0
    eventually(lambda: web_server.in_flight() == 0)
    actor.may_finish.set()

    def output() -> Any:
        return curl(web_server.url(), body=request("get_job_output", ["j1"])).json["result"]

    assert eventually(output) == "ran 40 + 2"


def test_disconnects_at_every_moment_harm_nobody(web_server: RunningServer) -> None:
    message = post_head(len(VERSION)) + VERSION
    for length in range(0, len(message) + 1, 9):
        with web_server.raw() as other:
            other.sendall(message[:length])

    assert curl(web_server.url(), body=VERSION).json["result"]
    eventually(lambda: web_server.connections() == 0)


def test_one_connection_too_many_is_refused_and_the_others_live(
    valkey: ValkeyServer, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = RunningServer(valkey.url, namespace, max_connections=3).start()
    try:
        with caplog.at_level(logging.WARNING), contextlib.ExitStack() as stack:
            first, *_ = [stack.enter_context(server.raw()) for _ in range(3)]
            eventually(lambda: server.connections() == 3)
            with server.raw() as refused:
                assert read_all(refused).startswith(b"HTTP/1.1 503 ")
            first.sendall(post_head(len(VERSION)) + VERSION)

            assert first.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert "rpc.too_many_connections" in caplog.text
        eventually(lambda: server.connections() == 0)
        assert curl(server.url(), body=VERSION).json["result"]
    finally:
        server.stop()
