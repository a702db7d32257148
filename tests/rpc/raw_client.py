"""A client that is nothing but a socket: what it sends is exactly what the test says."""

from __future__ import annotations

import contextlib
import itertools
import socket
from pathlib import Path
from typing import Any

import orjson


class RawClient:
    """One connection; answers are read by line, which is how the strictest client (an asyncio ``readline``) reads."""

    def __init__(self, path: Path, timeout_s: float = 30.0) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Before the timeout, which would make a full backlog an error instead of a wait.
        self.socket.connect(str(path))
        self.socket.settimeout(timeout_s)
        self._unread = b""
        self._ids = itertools.count(1)

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes | str) -> None:
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def read_line(self) -> bytes:
        """One answer with its line feed; b"" when the server has closed."""
        while b"\n" not in self._unread:
            data = b""
            with contextlib.suppress(ConnectionResetError):
                data = self.socket.recv(1 << 20)
            if not data:
                assert self._unread == b"", "the server closed in the middle of an answer"
                return b""
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line + b"\n"

    def read(self) -> Any:
        """One answer, parsed."""
        line = self.read_line()
        assert line, "the server closed the connection"
        return orjson.loads(line)

    def call(self, method: str, params: list[Any] | dict[str, Any] | None = None) -> Any:
        """The result of one call that succeeds."""
        answer = self.ask(method, params)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def fail(self, method: str, params: list[Any] | dict[str, Any] | None = None) -> Any:
        """The error of one call that does not."""
        answer = self.ask(method, params)
        assert "result" not in answer, answer
        return answer["error"]

    def ask(self, method: str, params: list[Any] | dict[str, Any] | None = None) -> Any:
        request_id = next(self._ids)
        self.send(request(method, params, request_id))
        answer = self.read()
        assert answer["id"] == request_id
        return answer


def request(method: str, params: list[Any] | dict[str, Any] | None = None, request_id: object = 1) -> bytes:
    """One request as bytes, without a line feed."""
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": request_id, "method": method}
    if params is not None:
        body["params"] = params
    return orjson.dumps(body)


def job(**fields: Any) -> dict[str, Any]:
    """Fields of a job, complete unless the test says otherwise; a field of None is left out."""
    full = {"caller_id": "02abc", "context_id": "02def", "script_type": "SAL", "script": "40 + 2", **fields}
    return {name: value for name, value in full.items() if value is not None}
