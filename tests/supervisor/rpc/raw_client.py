"""A client that sends exactly the bytes that the test gives it, over a plain Unix socket."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Any

import orjson

from tests.supervisor.rpc.transports import Client, job, request

__all__ = ["RawClient", "job", "request"]


class RawClient(Client):
    """One connection; it reads answers by line, as the strictest clients do (``readline`` of asyncio)."""

    def __init__(self, path: Path, timeout_s: float = 120.0) -> None:
        super().__init__()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Connects before the timeout is set: with a timeout, a full backlog would be an error instead of a wait.
        self.socket.connect(str(path))
        self.socket.settimeout(timeout_s)
        self._unread = b""

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes | str) -> None:
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def read_line(self) -> bytes:
        """Read one answer with its line feed; b"" if the server has closed."""
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
        """Read one answer, parsed."""
        line = self.read_line()
        assert line, "the server closed the connection"
        return orjson.loads(line)

    def exchange(self, message: bytes) -> Any:
        self.send(message)
        return self.read()
