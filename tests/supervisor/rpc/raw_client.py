"""A client that is nothing but a socket: what it sends is exactly what the test says."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Any

import orjson

from tests.supervisor.rpc.transports import Client, job, request

__all__ = ["RawClient", "job", "request"]


class RawClient(Client):
    """One connection; answers are read by line, which is how the strictest client (an asyncio ``readline``) reads."""

    def __init__(self, path: Path, timeout_s: float = 30.0) -> None:
        super().__init__()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Before the timeout, which would make a full backlog an error instead of a wait.
        self.socket.connect(str(path))
        self.socket.settimeout(timeout_s)
        self._unread = b""

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

    def exchange(self, message: bytes) -> Any:
        self.send(message)
        return self.read()
