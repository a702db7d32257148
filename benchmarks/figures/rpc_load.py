"""Sends the same JSON-RPC request over many connections, each of which has one request at a time under way.

`benchmarks/rpc.py` calls it. Clients on asyncio took as much processor time for a request as the supervisor that they
measured. These are plain sockets and one epoll: a small part of that, most of it in the kernel. Invariant: a request
counts when its whole answer is there and is no error.
"""

from __future__ import annotations

import base64
import os
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CHUNK_BYTES: Final = 256 * 1024
#: A service that answers none of its clients for so long has failed.
_SILENCE_S: Final = 60.0
_TEXT_FRAME: Final = 0x81
_TWO_BYTES_OF_LENGTH: Final = 126


class WrongAnswer(Exception):
    """The service answered with an error, closed a connection, or did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What some clients together have had answered.

    Attributes:
        requests: The answered requests.
        seconds: From the first request to the last answer.
        cpu_s: Processor time of the clients.
    """

    requests: int
    seconds: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def put_load(transport: str, address: Path | int, clients: int, message: bytes, seconds: float) -> Load:
    """Have some clients send a request again and again.

    Args:
        transport: `unix`, `websocket` or `http`.
        address: Path of the Unix socket, or the TCP port on this host.
        clients: How many connections.
        message: The request, without a line feed.
        seconds: For so long new requests are sent.

    Raises:
        WrongAnswer: A request failed.
    """
    connections = [_connect(transport, address) for _ in range(clients)]
    try:
        return _exchange(connections, _FRAMED[transport](message), _ENDS[transport], seconds)
    finally:
        for connection in connections:
            connection.close()


def _exchange(connections: list[socket.socket], request: bytes, end_of: Callable[[bytes], int], seconds: float) -> Load:
    poll = select.epoll()
    by_file = {connection.fileno(): connection for connection in connections}
    received = dict.fromkeys(by_file, b"")
    for file in by_file:
        poll.register(file, select.EPOLLIN)
    count, open_requests = 0, len(connections)
    began, began_cpu = time.perf_counter(), time.process_time()
    ends = began + seconds
    for connection in connections:
        connection.sendall(request)
    while open_requests:
        ready = poll.poll(_SILENCE_S)
        if not ready:
            raise WrongAnswer(f"no answer within {_SILENCE_S:g} s")
        goes_on = time.perf_counter() < ends
        for file, _ in ready:
            connection = by_file[file]
            data = connection.recv(_CHUNK_BYTES)
            if not data:
                raise WrongAnswer("the service closed a connection")
            answer = received[file] + data
            if not end_of(answer):
                received[file] = answer
                continue
            if b'"error"' in answer:
                raise WrongAnswer(answer.decode(errors="replace"))
            received[file] = b""
            count += 1
            if goes_on:
                connection.sendall(request)
            else:
                open_requests -= 1
    poll.close()
    return Load(requests=count, seconds=time.perf_counter() - began, cpu_s=time.process_time() - began_cpu)


def _connect(transport: str, address: Path | int) -> socket.socket:
    if isinstance(address, Path):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(address))
        return connection
    connection = socket.create_connection(("127.0.0.1", address))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if transport == "websocket":
        key = base64.b64encode(os.urandom(16)).decode()
        connection.sendall(
            f"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):  # nothing follows before the first request
            head += connection.recv(1)
        if b" 101 " not in head:
            raise WrongAnswer(head.decode(errors="replace"))
    return connection


def _as_line(message: bytes) -> bytes:
    return message + b"\n"


def _as_post(message: bytes) -> bytes:
    head = f"POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(message)}\r\n\r\n"
    return head.encode() + message


def _as_frame(message: bytes) -> bytes:
    """Frame a message as a client must, with a mask; one of zeros leaves the text as it is. Source: RFC 6455, 5.2."""
    size = len(message)
    length = bytes([0x80 | size]) if size < _TWO_BYTES_OF_LENGTH else struct.pack("!BH", 0x80 | 126, size)
    return bytes([_TEXT_FRAME]) + length + bytes(4) + message


# Each says where the answer ends; 0 while some of it is missing.


def _line_end(answer: bytes) -> int:
    return len(answer) if answer.endswith(b"\n") else 0


def _body_end(answer: bytes) -> int:
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return 0
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r", 1)[0])
    return len(answer) if len(body) >= length else 0


def _frame_end(answer: bytes) -> int:
    if answer[0] != _TEXT_FRAME:
        raise WrongAnswer(f"a frame that is no whole text: {answer[:40]!r}")
    if len(answer) < 4:
        return 0
    size, head = answer[1], 2
    if size == _TWO_BYTES_OF_LENGTH:
        size, head = int.from_bytes(answer[2:4]), 4
    return len(answer) if len(answer) >= head + size else 0


_FRAMED: Final = {"unix": _as_line, "websocket": _as_frame, "http": _as_post}
_ENDS: Final = {"unix": _line_end, "websocket": _frame_end, "http": _body_end}
