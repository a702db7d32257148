"""Clients that occupy connections, memory or the log without asking for anything: others are served all the same."""

from __future__ import annotations

import contextlib
import logging
import ssl
import struct
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from hero_supervisor.rpc.protocol.flow_control import CountedWarning
from hero_supervisor.rpc.tcp import server as web
from hero_supervisor.rpc.tcp import tls_listener
from hero_supervisor.rpc.unix import connection
from tests.eventually import eventually
from tests.supervisor.rpc.raw_client import RawClient
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import (
    TOKENS,
    ask,
    curl,
    make_certificate,
    read_all,
    token_settings,
    upgrade_to_websocket,
)
from tests.supervisor.rpc.transports import job, request
from tests.valkey_server import ValkeyServer

VERSION = request("version")
#: What a client sends that wants a place and nothing else.
SILENCES = {"nothing": b"", "half a message": b'{"jsonrpc": "2.0", "me', "half a head": b"POST / HTTP/1.1\r\nHost: x"}
BOTH_LENGTHS = (
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % 5
    + b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(VERSION)
    + VERSION
)


def closed_with(data: bytes) -> int:
    """The code of the close frame that the server has sent."""
    assert data[0] == 0x88
    return int.from_bytes(data[2:4], "big")


@pytest.mark.parametrize("silence", SILENCES)
def test_silent_clients_of_the_unix_socket_make_room(
    valkey: ValkeyServer, namespace: str, tmp_path: Path, silence: str
) -> None:
    server = RunningServer(valkey.url, namespace, tmp_path / "s" / "hero.ipc", unix_max_connections=4).start()
    try:
        with RawClient(server.path) as good, contextlib.ExitStack() as stack:
            assert good.call("version")
            for _ in range(12):
                silent = stack.enter_context(RawClient(server.path))
                silent.send(SILENCES[silence])

            with RawClient(server.path) as late:
                assert late.call("version")
            assert good.call("version")
    finally:
        server.stop()


@pytest.mark.parametrize("silence", SILENCES)
def test_a_client_that_may_do_nothing_makes_room_too(
    valkey: ValkeyServer, namespace: str, tmp_path: Path, silence: str
) -> None:
    server = RunningServer(
        valkey.url, namespace, tmp_path / "s" / "hero.ipc", unix_max_connections=3, unix_auth="token",
        tokens=token_settings(),
    ).start()  # fmt: skip
    try:
        with RawClient(server.path) as good, contextlib.ExitStack() as stack:
            good.call("authenticate", [TOKENS["alice"]])
            for _ in range(6):
                stranger = stack.enter_context(RawClient(server.path))
                stranger.send(VERSION)
                assert "error" in stranger.read()
                stranger.send(SILENCES[silence])

            with RawClient(server.path) as late:
                late.call("authenticate", [TOKENS["bob"]])
            assert good.call("version")
    finally:
        server.stop()


def test_a_client_that_asks_for_nothing_is_disconnected_in_the_end(
    valkey: ValkeyServer, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = RunningServer(valkey.url, namespace, tmp_path / "s" / "hero.ipc").start()
    try:
        with RawClient(server.path) as early:
            assert early.call("version")
            monkeypatch.setattr(connection, "FIRST_MESSAGE_S", 0.2)
            for silence in SILENCES.values():
                with RawClient(server.path) as silent:
                    silent.send(silence)
                    assert read_all(silent.socket) == b""
            assert early.call("version")
    finally:
        server.stop()


def test_a_websocket_buffers_little_before_it_has_authenticated(valkey: ValkeyServer, namespace: str) -> None:
    server = RunningServer(valkey.url, namespace, tokens=token_settings(), max_message_bytes=32 * 1024 * 1024).start()
    try:
        with server.raw() as stranger:
            upgrade_to_websocket(stranger)
            announced = b"\x81\xff" + struct.pack("!Q", 10 * 1024 * 1024) + bytes(4)
            stranger.sendall(announced)
            # Closed because of the length alone: none of the message has been sent.
            assert closed_with(read_all(stranger)) == 1009
        with connect(server.url(scheme="ws")) as client:
            assert ask(client, "authenticate", [TOKENS["alice"]])["result"]
            assert ask(client, "create_job", [job(caller_id="alice", script="x" * 900_000)])["result"]
        fragment = b"\x01\xfe" + struct.pack("!H", 60_000) + bytes(4) + b"x" * 60_000
        with server.raw() as stranger:
            upgrade_to_websocket(stranger)
            stranger.sendall(fragment + b"\x00" + fragment[1:])
            assert closed_with(read_all(stranger)) == 1009
    finally:
        server.stop()


@pytest.mark.parametrize("over_unix", [True, False])
def test_a_request_with_two_lengths_is_refused_and_nothing_after_it_is_read(
    valkey: ValkeyServer, namespace: str, tmp_path: Path, over_unix: bool
) -> None:
    server = RunningServer(valkey.url, namespace, tmp_path / "s" / "hero.ipc" if over_unix else None).start()
    try:
        with RawClient(server.path).socket if over_unix else server.raw() as smuggler:
            smuggler.sendall(BOTH_LENGTHS)
            answer = read_all(smuggler)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") == 1
    finally:
        server.stop()


def test_refused_handshakes_are_no_errors_and_leave_one_line_with_a_count(
    valkey: ValkeyServer, namespace: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "_refused_handshakes", CountedWarning("rpc.handshakes_refused"))
    server = RunningServer(valkey.url, namespace, tokens=token_settings()).start()
    try:
        with caplog.at_level(logging.WARNING):
            for number in range(60):
                path = "/healthz" if number % 3 == 0 else "/"
                headers = [{}, {"Origin": "https://elsewhere.example"}, {"Authorization": "Bearer wrong"}][number % 3]
                with pytest.raises(InvalidStatus):
                    connect(server.url(path, scheme="ws"), additional_headers=headers).close()
        lines = [record for record in caplog.records if record.message == "rpc.handshakes_refused"]
        assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []
        assert 1 <= len(lines) < 10
        assert all(vars(line)["count"] >= 1 for line in lines)
        assert len(caplog.records) < 50
    finally:
        server.stop()


def test_half_open_tls_handshakes_keep_nobody_out_and_leave_one_line_with_a_count(
    valkey: ValkeyServer,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(tls_listener, "MAX_HANDSHAKES", 4)
    monkeypatch.setattr(tls_listener, "_failed", CountedWarning("rpc.tls_handshakes_failed"))
    cert, key = make_certificate(tmp_path)
    server = RunningServer(valkey.url, namespace, tls_cert=cert, tls_key=key, max_connections=4).start()
    try:
        with caplog.at_level(logging.WARNING), contextlib.ExitStack() as stack:
            halves = [stack.enter_context(server.raw()) for _ in range(40)]
            for half in halves:
                half.sendall(b"\x16\x03\x01\x02\x00")
            # The oldest have made room.
            assert read_all(halves[0]) == b""

            assert curl(server.url(scheme="https"), "--cacert", cert, body=VERSION).json["result"]
            with connect(server.url(scheme="wss"), ssl=ssl.create_default_context(cafile=cert)) as client:
                assert ask(client, "version")["result"]
            for _ in range(40):
                with server.raw() as nonsense:
                    nonsense.sendall(b"GET / HTTP/1.1\r\n\r\n")
                    read_all(nonsense)
        failed = [record for record in caplog.records if record.message == "rpc.tls_handshakes_failed"]
        assert 1 <= len(failed) < 10
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
        eventually(lambda: server.connections() == 0)
    finally:
        server.stop()
