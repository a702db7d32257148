"""A real TCP server in front of a real Valkey, and what tests need to talk to it."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import struct
import subprocess
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import orjson
import uvloop
from websockets.sync.client import ClientConnection, connect

from hero_config.model.settings import JobsSettings, RpcSettings
from hero_supervisor import SupervisorBuilder
from hero_supervisor.rpc.tcp.server import WebServer, serve
from tests.supervisor.rpc.conftest import MAX_MESSAGE_BYTES
from tests.supervisor.rpc.raw_client import request
from tests.supervisor.rpc.transports import free_port

T = TypeVar("T")
TOKENS = {"admin": "the-admin's", "alice": "alice's", "bob": "bob's", "reader": "the-reader's"}


def token_settings() -> list[dict[str, str]]:
    """One holder of each scope, and a second user."""
    scopes = {"admin": "admin", "alice": "user", "bob": "user", "reader": "read"}
    return [
        {"name": name, "scope": scopes[name], "sha256": hashlib.sha256(token.encode()).hexdigest()}
        for name, token in TOKENS.items()
    ]


class RunningWeb:
    """A server in an event loop of its own, of the make that the service runs in, in a thread."""

    def __init__(self, url: str, namespace: str, **settings: Any) -> None:
        self.port = free_port()
        self.server: WebServer
        self._settings = RpcSettings.model_validate(
            {"port": self.port, "max_message_bytes": MAX_MESSAGE_BYTES, **settings}
        )
        self._builder = SupervisorBuilder().redis_url(url).namespace(namespace)
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._listening = threading.Event()
        self._failure: BaseException | None = None
        self._grace_s = 5.0
        self._thread = threading.Thread(target=self._run, name="web-server")

    def start(self) -> RunningWeb:
        self._thread.start()
        self._listening.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def begin_stop(self, grace_s: float = 5.0) -> None:
        self._grace_s = grace_s
        self._loop.call_soon_threadsafe(self._stop.set)

    def stop(self, grace_s: float = 5.0) -> None:
        if self._thread.is_alive():
            self.begin_stop(grace_s)
            self._thread.join()

    def tasks(self) -> int:
        """How many requests are under way."""

        async def count() -> int:
            return sum("Dispatcher.answer" in repr(t.get_coro()) or "._answer" in repr(t) for t in asyncio.all_tasks())

        return self.run(count())

    def connections(self) -> int:
        async def count() -> int:
            return len(self.server._state.connections)

        return self.run(count())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def url(self, path: str = "/", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def websocket(self, path: str = "/", **options: Any) -> ClientConnection:
        """Connect with the library `websockets`."""
        client: ClientConnection = connect(self.url(path, "ws"), **{"max_size": None, "compression": None, **options})
        return client

    def raw(self, timeout_s: float = 30.0) -> socket.socket:
        """Connect with nothing but a socket."""
        return socket.create_connection(("127.0.0.1", self.port), timeout_s)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with self._builder.build_async() as supervisor:
            self.server = serve(supervisor, self._settings, JobsSettings())
            try:
                await self.server.start()
            except BaseException as e:
                self._failure = e
                return
            finally:
                self._listening.set()
            await self._stop.wait()
            await self.server.close(self._grace_s)


class Answer:
    """What curl got."""

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


def curl(url: str, *options: str, body: bytes | None = None, timeout_s: int = 30) -> Answer:
    """Ask with curl; a body is POSTed."""
    command = ["curl", "-sS", "-D", "/dev/stderr", "-w", "%{stderr}\nstatus %{http_code}", "-m", str(timeout_s)]
    if body is not None:
        command += ["--data-binary", "@-", "-H", "Content-Type: application/json", "-H", "Expect:"]
    done = subprocess.run([*command, *options, url], input=body, capture_output=True, check=False)
    head = done.stderr.decode()
    status = int(head.rpartition("\nstatus ")[2] or 0)
    lines = [line.partition(": ") for line in head.splitlines() if ": " in line]
    return Answer(status, {name.lower(): value.strip() for name, _, value in lines}, done.stdout)


def bearer(name: str) -> tuple[str, str]:
    """Options of curl for one of the holders."""
    return "-H", f"Authorization: Bearer {TOKENS[name]}"


def call(server: RunningWeb, name: str, method: str, params: Any = None) -> Any:
    """One request of one of the holders by POST, and its answer."""
    return curl(server.url(), *bearer(name), body=request(method, params)).json


def ask(
    client: ClientConnection, method: str, params: list[Any] | dict[str, Any] | None = None, request_id: object = 1
) -> Any:
    """One request and its answer over a WebSocket."""
    client.send(request(method, params, request_id).decode())
    return orjson.loads(client.recv(30))


def read_all(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
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
    """A certificate for 127.0.0.1 that signs itself."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=127.0.0.1"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    return str(cert), str(key)


def upgrade_to_websocket(connection: socket.socket) -> None:
    """Shake hands, after which the test reads and writes the frames itself."""
    connection.sendall(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(1)
    assert head.startswith(b"HTTP/1.1 101 ")


def frame(payload: bytes, *, first: int = 0x81) -> bytes:
    """One masked frame; the mask of zeros leaves the payload as it is."""
    if len(payload) < 126:
        return bytes([first, 0x80 | len(payload)]) + bytes(4) + payload
    return bytes([first, 0x80 | 127]) + struct.pack("!Q", len(payload)) + bytes(4) + payload
