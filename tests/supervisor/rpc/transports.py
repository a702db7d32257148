"""One client interface over each transport, so that a test can run over all of them."""

from __future__ import annotations

import contextlib
import http.client
import itertools
from abc import ABC, abstractmethod
from typing import Any, Self

import orjson
from websockets.sync.client import connect

from tests.eventually import GENEROUS_S

TRANSPORTS = ("unix", "websocket", "http")


class Client(ABC):
    """A client that makes one call after another."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    @abstractmethod
    def exchange(self, message: bytes) -> Any:
        """Send one message and return its answer, parsed."""

    def call(self, method: str, params: list[Any] | dict[str, Any] | None = None) -> Any:
        """Make a call that succeeds; return its result."""
        answer = self.ask(method, params)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def fail(self, method: str, params: list[Any] | dict[str, Any] | None = None) -> Any:
        """Make a call that fails; return its error."""
        answer = self.ask(method, params)
        assert "result" not in answer, answer
        return answer["error"]

    def ask(self, method: str, params: list[Any] | dict[str, Any] | None = None) -> Any:
        request_id = next(self._ids)
        answer = self.exchange(request(method, params, request_id))
        assert answer["id"] == request_id
        return answer


class WebSocketClient(Client):
    """One connection of the library `websockets`."""

    def __init__(self, port: int, token: str | None = None) -> None:
        super().__init__()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"ws://127.0.0.1:{port}/"
        self._ends = contextlib.ExitStack()
        opened = connect(url, max_size=None, compression=None, additional_headers=headers, open_timeout=GENEROUS_S)
        self._connection = self._ends.enter_context(opened)

    def close(self) -> None:
        self._ends.close()

    def exchange(self, message: bytes) -> Any:
        self._connection.send(message.decode())
        return orjson.loads(self._connection.recv(GENEROUS_S))


class HttpClient(Client):
    """One connection of the standard library, kept alive."""

    def __init__(self, port: int, token: str | None = None) -> None:
        super().__init__()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        self._connection.close()

    def exchange(self, message: bytes) -> Any:
        self._connection.request("POST", "/rpc", message, self._headers)
        response = self._connection.getresponse()
        assert response.status == 200, response.read()
        return orjson.loads(response.read())


def request(method: str, params: list[Any] | dict[str, Any] | None = None, request_id: object = 1) -> bytes:
    """Build one request as bytes, without a line feed."""
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": request_id, "method": method}
    if params is not None:
        body["params"] = params
    return orjson.dumps(body)


def job(**fields: Any) -> dict[str, Any]:
    """Build the fields of a complete job; a field that is None is left out."""
    full = {"caller_id": "02abc", "context_id": "02def", "script_type": "SAL", "script": "40 + 2", **fields}
    return {name: value for name, value in full.items() if value is not None}
