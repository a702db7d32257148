"""Connections to a supervisor that are kept for the next call.

`RemoteServer.call` takes one for each call and puts it back afterwards, so threads never share one. Invariant: a
connection whose call has failed in any way is closed, and one that the supervisor has closed is not used again.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import socket
import time
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

    from hero_client.remote.server import RemoteServer

#: How long opening a WebSocket may take, in seconds.
CONNECT_S: Final = 10.0
#: How long a supervisor may take to confirm that a WebSocket is closed, in seconds.
CLOSE_S: Final = 1.0
#: How long a connection is kept without a call, in seconds. A supervisor closes one that has been silent for longer.
REST_S: Final = 10.0
#: Most connections that are kept without a call.
MOST: Final = 8


class Link(Protocol):
    """One connection, which carries one call at a time."""

    def exchange(self, request: bytes, wait_s: float | None) -> bytes:
        """Send a request and return its answer.

        Args:
            request: The message.
            wait_s: Longest wait in seconds; None for no limit.
        """

    def is_open(self) -> bool:
        """Can it carry another call?"""

    def close(self) -> None:
        """Close it."""

    def abandon(self) -> None:
        """Close it without a word and without waiting for anything."""


class KeptLinks:
    """The connections of one client that wait for a call. Threads may share it."""

    def __init__(self) -> None:
        self._kept: list[tuple[float, Link]] = []
        self._pid = os.getpid()

    def take(self) -> Link | None:
        """Return an open connection, which is the caller's until it is put back; None if there is none."""
        if self._pid != os.getpid():
            # This is a child of the process that opened them, which may still use them.
            self._kept, self._pid = [], os.getpid()
        while True:
            try:
                since_mono, link = self._kept.pop()
            except IndexError:
                return None
            if time.monotonic() - since_mono < REST_S and link.is_open():
                return link
            link.close()

    def put(self, link: Link) -> None:
        """Keep a connection whose call has succeeded."""
        if len(self._kept) < MOST and link.is_open():
            self._kept.append((time.monotonic(), link))
        else:
            link.close()

    def close(self) -> None:
        """Close those that wait."""
        while (link := self.take()) is not None:
            link.close()

    def __del__(self) -> None:
        # A program need not close its client.
        if self._pid == os.getpid():
            for _, link in self._kept:
                link.abandon()


class HttpLink:
    """HTTP over TCP, TLS or a Unix socket.

    Args:
        server: Which supervisor.
    """

    def __init__(self, server: RemoteServer) -> None:
        parts = urlsplit(server.url)
        self._connection: http.client.HTTPConnection
        if parts.scheme == "unix":
            self._connection = _UnixConnection(server.socket_path)
        elif parts.scheme == "https":
            self._connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, context=server.tls())
        else:
            self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        self._headers = {"Content-Type": "application/json"}
        if server.token:
            self._headers["Authorization"] = f"Bearer {server.token}"

    def exchange(self, request: bytes, wait_s: float | None) -> bytes:
        """See `Link`.

        Raises:
            OSError: The connection has failed.
            HTTPException: The answer is none of HTTP.
        """
        self._connection.timeout = wait_s
        if self._connection.sock is not None:
            self._connection.sock.settimeout(wait_s)
        self._connection.request("POST", "/rpc", request, self._headers)
        return self._connection.getresponse().read()

    def is_open(self) -> bool:
        """See `Link`. There is nothing to read on a connection that rests, unless it has been closed."""
        return self._connection.sock is not None and is_silent(self._connection.sock.fileno())

    def close(self) -> None:
        """See `Link`."""
        self._connection.close()

    def abandon(self) -> None:
        """See `Link`."""
        self.close()


class WebSocketLink:
    """A WebSocket that shows the token when it is opened.

    Args:
        server: Which supervisor.
    """

    def __init__(self, server: RemoteServer) -> None:
        self._server = server
        self._opened: ClientConnection | None = None
        self._ends = contextlib.ExitStack()
        self._refused = False

    def exchange(self, request: bytes, wait_s: float | None) -> bytes:
        """See `Link`. The answer to a token that is refused is that to the request.

        Raises:
            OSError: The connection has failed.
            ServerUnusable: It has been closed.
        """
        from websockets.exceptions import WebSocketException

        try:
            if self._opened is None:
                self._opened = self._open()
                if self._server.token:
                    self._opened.send(message("authenticate", {"token": self._server.token}).decode())
                    answer = self._opened.recv(timeout=CONNECT_S)
                    if "error" in json.loads(answer):
                        self._refused = True
                        return _bytes(answer)
            self._opened.send(request.decode())
            return _bytes(self._opened.recv(timeout=wait_s))
        except WebSocketException as e:
            raise self._server.cut(e) from e

    def _open(self) -> ClientConnection:
        from websockets.sync.client import connect

        context = self._server.tls() if self._server.url.startswith("wss:") else None
        opening = connect(self._server.url, ssl=context, open_timeout=CONNECT_S, max_size=None, close_timeout=CLOSE_S)
        return self._ends.enter_context(opening)

    def is_open(self) -> bool:
        """See `Link`."""
        from websockets.protocol import State

        return self._opened is not None and not self._refused and self._opened.protocol.state is State.OPEN

    def close(self) -> None:
        """See `Link`. The supervisor is told, but not waited for longer than a moment."""
        with contextlib.suppress(OSError):
            self._ends.close()

    def abandon(self) -> None:
        """See `Link`. The thread that reads it closes the socket."""
        if self._opened is not None:
            with contextlib.suppress(OSError):
                self._opened.socket.shutdown(socket.SHUT_RDWR)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def is_silent(fd: int) -> bool:
    """Is there nothing to read, not even that the other side has closed the connection?"""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return not poll.poll(0)


def message(method: str, params: Any) -> bytes:
    """Write a request."""
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


def _bytes(answer: bytes | str) -> bytes:
    return answer.encode() if isinstance(answer, str) else answer
