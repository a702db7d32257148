"""Clients that receive notifications: one interface over the Unix socket and over WebSocket."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import orjson
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.eventually import GENEROUS_S
from tests.supervisor.rpc.raw_client import RawClient, request
from tests.supervisor.rpc.running_server import RunningServer


class Follower(Protocol):
    """Reads and writes messages over one transport."""

    def read(self) -> Any:
        """Read the next message; None if the server has closed."""

    def send(self, data: bytes) -> None:
        """Send one message."""


class UnixFollower:
    """Over the Unix socket."""

    def __init__(self, client: RawClient) -> None:
        self._client = client

    def read(self) -> Any:
        line = self._client.read_line()
        return orjson.loads(line) if line else None

    def send(self, data: bytes) -> None:
        self._client.send(data + b"\n")


class WebFollower:
    """Over a WebSocket."""

    def __init__(self, client: ClientConnection) -> None:
        self._client = client
        self.close_code: int | None = None

    def read(self) -> Any:
        try:
            return orjson.loads(self._client.recv(GENEROUS_S))
        except ConnectionClosed as e:
            self.close_code = e.rcvd.code if e.rcvd is not None else None
            return None

    def send(self, data: bytes) -> None:
        self._client.send(data.decode())


class FollowingClient:
    """One connection, which keeps answers and notifications apart."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self.unheard: list[dict[str, Any]] = []
        self._ids = itertools.count(1)

    def ask(self, method: str, params: Any = None) -> Any:
        """Return the answer to a request; notifications that come before it are kept."""
        request_id = next(self._ids)
        self.follower.send(request(method, params, request_id))
        while True:
            message = self.follower.read()
            assert message is not None, "the server closed the connection"
            if message.get("id") == request_id:
                return message
            self._keep(message)

    def call(self, method: str, params: Any = None) -> Any:
        answer = self.ask(method, params)
        assert "error" not in answer, answer
        return answer["result"]

    def code(self, method: str, params: Any = None) -> int:
        """Return the error code of the answer to a request."""
        return int(self.ask(method, params)["error"]["code"])

    def notified(self) -> dict[str, Any]:
        """Return the params of the next notification."""
        while not self.unheard:
            message = self.follower.read()
            assert message is not None, "the server closed the connection"
            self._keep(message)
        return self.unheard.pop(0)

    def notified_by(self, subscription: str) -> dict[str, Any]:
        """Return the params of the next notification of one subscription; others are kept."""
        others: list[dict[str, Any]] = []
        while (params := self.notified())["subscription"] != subscription:
            others.append(params)
        self.unheard = others + self.unheard
        return params

    def result(self) -> dict[str, Any]:
        """Return the result in the next notification."""
        params = self.notified()
        assert "result" in params, params
        result: dict[str, Any] = params["result"]
        return result

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Return all results up to the first that is wanted."""
        told = []
        while True:
            told.append(self.result())
            if wanted(told[-1]):
                return told

    def subscribe(self, topic: str, params: Any = None) -> str:
        """Subscribe, and check that the first result says so."""
        subscription: str = self.call("hero_subscribe", [topic] if params is None else [topic, params])
        if topic != "metrics":
            first = self.notified_by(subscription)
            assert first["result"]["event"] == "following"
        return subscription

    def _keep(self, message: Any) -> None:
        assert message["jsonrpc"] == "2.0"
        assert message["method"] == "hero_subscription"
        assert "id" not in message
        self.unheard.append(message["params"])


@contextlib.contextmanager
def follower_of(server: RunningServer, path: str = "/", **options: Any) -> Iterator[FollowingClient]:
    """Connect to a server over its transport.

    Args:
        server: Any server.
        path: Path of a WebSocket.
        options: Options of a WebSocket.
    """
    if server.over_unix:
        with RawClient(server.path) as raw:
            yield FollowingClient(UnixFollower(raw))
    else:
        with server.websocket(path, **options) as websocket:
            yield FollowingClient(WebFollower(websocket))
