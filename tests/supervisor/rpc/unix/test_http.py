"""HTTP over the Unix socket, with curl and with raw bytes."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.supervisor.rpc.raw_client import RawClient
from tests.supervisor.rpc.running_server import MAX_MESSAGE_BYTES, RunningServer
from tests.supervisor.rpc.tcp_client import bearer, curl, token_settings
from tests.supervisor.rpc.transports import job, request
from tests.valkey_server import ValkeyServer


class OverUnix(http.client.HTTPConnection):
    """The standard library's client, on a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=300)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))
        self.sock.settimeout(self.timeout)


@pytest.fixture
def connection(unix_server: RunningServer) -> Iterator[OverUnix]:
    connection = OverUnix(unix_server.path)
    yield connection
    connection.close()


def post(length: int, path: str = "/rpc", more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{more}\r\n".encode()


def read_all(client: socket.socket) -> bytes:
    data = b""
    while chunk := client.recv(65536):
        data += chunk
    return data


def test_requests_follow_one_another_on_a_connection(connection: OverUnix) -> None:
    for n in range(3):
        connection.request("POST", "/rpc", request("version", request_id=n))
        response = connection.getresponse()

        assert (response.status, response.headers["content-type"]) == (200, "application/json")
        assert orjson.loads(response.read())["id"] == n


def test_pipelined_requests_are_answered_in_their_order(unix_server: RunningServer) -> None:
    with RawClient(unix_server.path) as client:
        bodies = [request("version", request_id=n) for n in range(20)]
        client.send(b"".join(post(len(body)) + body for body in bodies) + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answers = read_all(client.socket)

    at = [answers.index(b'"id":%d,' % n) for n in range(20)]
    assert at == sorted(at)
    assert answers.rpartition(b"HTTP/1.1 ")[2].startswith(b"405")


def test_a_request_may_come_byte_by_byte(unix_server: RunningServer) -> None:
    body = request("version")
    with RawClient(unix_server.path) as client:
        for byte in post(len(body), more="Connection: close\r\n") + body:
            client.send(bytes([byte]))

        assert b'"hero-runtime"' in read_all(client.socket)


def test_a_notification_is_carried_out_and_answered_with_no_content(
    unix_server: RunningServer, connection: OverUnix, client: RawClient
) -> None:
    connection.request("POST", "/", orjson.dumps({"jsonrpc": "2.0", "method": "create_job", "params": [job(id="n")]}))
    response = connection.getresponse()

    assert (response.status, response.read()) == (200, b"")
    assert client.call("get_job_status", ["n"]) == "created"


def test_a_large_body_that_waits_for_100_continue_arrives_whole(unix_server: RunningServer) -> None:
    script = "// " + "é" * 500_000
    made = curl(
        "http://localhost/rpc", "--unix-socket", str(unix_server.path), "-H", "Expect: 100-continue",
        body=request("create_job", [job(id="big", script=script)]),
    )  # fmt: skip

    assert made.json["result"] == "big"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"HEAD /other HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"POST /rpc HTTP/1.1\r\nHost x\r\n\r\n", 400),
        (b"HELLO\r\n\r\n", 400),
        (b"POST /rpc HTTP/1.1\r\n" + b"X: " + b"y" * 100_000, 400),
        (post(MAX_MESSAGE_BYTES + 1) + b"x" * (MAX_MESSAGE_BYTES + 1), 413),
    ],
    ids=[
        "GET",
        "another path",
        "HEAD",
        "HEAD of another path",
        "HEAD of a page",
        "a broken header",
        "no HTTP",
        "an endless head",
        "too large",
    ],
)
def test_a_request_that_cannot_be_answered_gets_the_reason_and_ends_the_connection(
    unix_server: RunningServer, client: RawClient, sent: bytes, status: int
) -> None:
    with RawClient(unix_server.path) as other:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            other.send(sent)  # it may be told before it has sent all
        answer = other.socket.recv(65536)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert client.call("version")


def test_half_a_request_harms_nobody(unix_server: RunningServer, client: RawClient) -> None:
    for _ in range(200):
        with RawClient(unix_server.path) as other:
            other.send(post(100) + b'{"jsonrpc')

    assert client.call("version")


def test_a_socket_that_needs_a_token_needs_it_over_http_too(
    valkey: ValkeyServer, namespace: str, socket_path: Path
) -> None:
    server = RunningServer(valkey.url, namespace, socket_path, unix_auth="token", tokens=token_settings()).start()
    try:
        arguments = ("http://localhost/rpc", "--unix-socket", str(socket_path))
        known = curl(*arguments, *bearer("admin"), body=request("version"))
        unknown = curl(*arguments, body=request("version"))
        wrong = curl(*arguments, "-H", "Authorization: Bearer wrong", body=request("version"))
    finally:
        server.stop()

    assert (known.status, unknown.status, wrong.status) == (200, 401, 401)
    assert known.json["result"]


def test_each_request_authenticates_by_itself(valkey: ValkeyServer, namespace: str, socket_path: Path) -> None:
    server = RunningServer(valkey.url, namespace, socket_path, unix_auth="token", tokens=token_settings()).start()
    connection = OverUnix(socket_path)

    def ask(*options: str) -> tuple[int, object]:
        headers = dict(option.split(": ", 1) for option in options if ": " in option)
        connection.request("POST", "/rpc", request("whoami"), headers)
        response = connection.getresponse()
        return response.status, orjson.loads(response.read()).get("result", {}).get("scope")

    with contextlib.closing(connection):
        assert ask(*bearer("admin")) == (200, "admin")
        assert ask(*bearer("reader")) == (200, "read")
        socket_before = connection.sock
        assert ask() == (401, None)
        assert ask("-H", "Authorization: Bearer wrong") == (401, None)
        assert ask(*bearer("admin")) == (200, "admin")
        # A refusal does not cost the connection, as over TCP.
        assert connection.sock is socket_before
    server.stop()
