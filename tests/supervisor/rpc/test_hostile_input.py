"""Hostile bytes: the server lives, its memory stays bounded, and other clients are served."""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path

import psutil
import pytest

from tests.supervisor.rpc.raw_client import RawClient, job, request
from tests.supervisor.rpc.running_server import RunningServer

GOOD = [
    request("version"),
    request("create_job", job(id="j")),
    request("get_job", ["j"]),
    b"[" + request("version") + b"]",
]
PIECES = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b"\n",
    b"\x00",
    b"\xff\xfe",
    b"1e999",
    b'{"jsonrpc":"2.0",',
    b'"id":',
    b"null",
]


def hostile_stream(source: random.Random) -> bytes:
    """Make good requests with bytes changed, cut off and repeated, and with pieces of JSON inserted."""
    stream = bytearray()
    for _ in range(source.randrange(1, 30)):
        part = bytearray(source.choice(GOOD))
        for _ in range(source.randrange(4)):
            at = source.randrange(len(part))
            part[at : at + source.randrange(3)] = source.choice(PIECES)
        stream += part[: source.randrange(len(part) + 1)] if source.random() < 0.3 else part
        stream += source.choice([b"", b"\n", b" ", source.randbytes(8)])
    return bytes(stream)


def send_and_leave(path: Path, data: bytes, source: random.Random) -> None:
    with RawClient(path) as client, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        at = 0
        while at < len(data):
            size = source.randrange(1, 200)
            client.send(data[at : at + size])
            at += size
        if source.random() < 0.5:
            client.socket.shutdown(socket.SHUT_WR)
            while client.socket.recv(1 << 16):
                pass


HALF_OPEN = 20_000
#: What a connection that has ended may leave behind on average, in bytes: less than the smallest of its objects.
LEFT_BYTES = 200


@pytest.mark.parametrize("seed", range(5))
def test_mutated_requests_harm_nobody(unix_server: RunningServer, client: RawClient, seed: int) -> None:
    source = random.Random(seed)
    for _ in range(40):
        send_and_leave(unix_server.path, hostile_stream(source), source)

        assert client.call("version")


@pytest.mark.slow
def test_memory_stays_bounded_under_endless_messages_and_half_open_ones(
    unix_server: RunningServer, client: RawClient
) -> None:
    client.call("version")
    before = psutil.Process().memory_info().rss
    flood = [
        b'{"a":"' + b"x" * 4_000_000,
        b'{"a":[' + b"1," * 2_000_000,
        b"[" * 4_000_000,
        b'{"a":{' * 500_000,
        b"x" * 4_000_000,
    ]
    for data in flood * 3:
        with RawClient(unix_server.path) as other, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            other.send(data)
    assert client.call("version")
    flooded = psutil.Process().memory_info().rss
    assert flooded - before < 64 * 1024 * 1024
    # The first ones may use memory that the flood has left free.
    grown = []
    for count in (HALF_OPEN // 10, HALF_OPEN):
        for _ in range(count):
            with RawClient(unix_server.path) as other:
                other.send(b'{"jsonrpc":"2.0","id":1,"method":"')
        assert client.call("version")
        grown.append(psutil.Process().memory_info().rss)
    assert grown[1] - grown[0] < HALF_OPEN * LEFT_BYTES
