"""Messages between an engine and its child processes: a length of four bytes, then JSON. Pure.

The engine reads nothing but JSON from a child, because a script could send anything. What the engine sends to a child
is pickled, because constants may be bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

#: A longer message ends the child. A result has at most 64 Mi characters, each of up to four bytes, or six if escaped.
MAX_MESSAGE_BYTES = 448 * 1024 * 1024
LENGTH_BYTES = 4


class MessageTooLong(Exception):
    """A message is longer than `MAX_MESSAGE_BYTES`."""


def pack(message: object) -> bytes:
    """Write a message, with its length.

    Args:
        message: A JSON value.

    Raises:
        TypeError: It is not a JSON value, or has text that is not Unicode.
    """
    return frame(orjson.dumps(message))


def unpack(data: bytes) -> list[Any]:
    """Read a message that comes without its length."""
    message: list[Any] = orjson.loads(data)
    return message


def frame(data: bytes) -> bytes:
    """Put the length before a message."""
    return len(data).to_bytes(LENGTH_BYTES) + data


class MessageReader:
    """Splits a stream of bytes into messages."""

    __slots__ = ("_received",)

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, data: bytes) -> Iterator[list[Any]]:
        """Take the next bytes.

        Args:
            data: The bytes, in any split.

        Yields:
            Each message that is now complete.

        Raises:
            MessageTooLong: A message is longer than `MAX_MESSAGE_BYTES`.
            ValueError: A message is not JSON.
        """
        received = self._received
        received += data
        while len(received) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(received[:LENGTH_BYTES])
            if end > MAX_MESSAGE_BYTES:
                raise MessageTooLong(f"a message of {end} bytes")
            if len(received) < end:
                return
            message = bytes(received[LENGTH_BYTES:end])
            del received[:end]
            yield orjson.loads(message)
