"""Clients of the TCP port: curl, calls of the holders of tokens, and raw HTTP and WebSocket bytes."""

from __future__ import annotations

import hashlib
import socket
import struct
import subprocess
from pathlib import Path
from typing import Any

import orjson
from websockets.sync.client import ClientConnection

from tests.eventually import GENEROUS_S
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.transports import request

TOKENS = {"admin": "the-admin's", "alice": "alice's", "bob": "bob's", "reader": "the-reader's"}


def token_settings() -> list[dict[str, str]]:
    """Settings for one holder of each scope, and a second user."""
    scopes = {"admin": "admin", "alice": "user", "bob": "user", "reader": "read"}
    return [
        {"name": name, "scope": scopes[name], "sha256": hashlib.sha256(token.encode()).hexdigest()}
        for name, token in TOKENS.items()
    ]


class Answer:
    """The answer that curl got."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> int:
        return int(self.json["error"]["code"])


def curl(url: str, *options: str, body: bytes | None = None, timeout_s: float = GENEROUS_S) -> Answer:
    """Send a request with curl; a body makes it a POST."""
    command = ["curl", "-sS", "-D", "/dev/stderr", "-w", "%{stderr}\nstatus %{http_code}", "-m", str(timeout_s)]
    if body is not None:
        command += ["--data-binary", "@-", "-H", "Content-Type: application/json", "-H", "Expect:"]
    done = subprocess.run([*command, *options, url], input=body, capture_output=True, check=False)
    head = done.stderr.decode()
    status = int(head.rpartition("\nstatus ")[2] or 0)
    lines = [line.partition(": ") for line in head.splitlines() if ": " in line]
    return Answer(status, {name.lower(): value.strip() for name, _, value in lines}, done.stdout)


def bearer(name: str) -> tuple[str, str]:
    """The options of curl for the token of a holder."""
    return "-H", f"Authorization: Bearer {TOKENS[name]}"


def call(server: RunningServer, name: str, method: str, params: Any = None) -> Any:
    """Send one request of a holder by POST and return the answer."""
    return curl(server.url(), *bearer(name), body=request(method, params)).json


def ask(
    client: ClientConnection, method: str, params: list[Any] | dict[str, Any] | None = None, request_id: object = 1
) -> Any:
    """Send one request over a WebSocket and return the answer."""
    client.send(request(method, params, request_id).decode())
    return orjson.loads(client.recv(GENEROUS_S))


def post_head(length: int) -> bytes:
    """The head of a POST with a body of so many bytes."""
    return f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes."""
    data = b""
    while True:
        try:
            part = connection.recv(1 << 20)
        except ConnectionResetError:
            return data
        if not part:
            return data
        data += part


def make_certificate(folder: Path) -> tuple[str, str]:
    """Make a self-signed certificate for 127.0.0.1."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=127.0.0.1"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    return str(cert), str(key)


def upgrade_to_websocket(connection: socket.socket) -> None:
    """Shake hands; the test then reads and writes frames itself."""
    assert _answer_to_upgrade(connection, "Host: localhost").startswith(b"HTTP/1.1 101 ")


def status_of_upgrade(server: RunningServer, header: str) -> int:
    """Return the status with which a server answers the first request of a WebSocket that has one more header."""
    headers = (header,) if header.startswith("Host: ") else ("Host: localhost", header)
    with server.raw() as connection:
        return int(_answer_to_upgrade(connection, *headers).split()[1])


def _answer_to_upgrade(connection: socket.socket, *headers: str) -> bytes:
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    connection.sendall("\r\n".join(("GET / HTTP/1.1", *headers, *upgrade, key, "", "")).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(1)
        assert part, f"the server closed after {head!r}"
        head += part
    return head


def frame(payload: bytes, *, first: int = 0x81) -> bytes:
    """Build one masked frame; the mask of zeros leaves the payload unchanged."""
    if len(payload) < 126:
        return bytes([first, 0x80 | len(payload)]) + bytes(4) + payload
    return bytes([first, 0x80 | 127]) + struct.pack("!Q", len(payload)) + bytes(4) + payload
