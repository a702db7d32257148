"""Messages between the engine and its processes: a length in four bytes, then JSON; pure.

A child is not trusted with more than JSON. What the engine sends to a child is pickled, because constants may be bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

#: A longer message ends the child: a result may have 64 Mi characters, each up to four bytes, or six when escaped.
MAX_MESSAGE_BYTES = 448 * 1024 * 1024
LENGTH_BYTES = 4


class MessageTooLong(Exception):
    """A message is longer than any that makes sense."""


def pack(message: object) -> bytes:
    """Write a message.

    Args:
        message: What JSON can say.
    """
    return frame(orjson.dumps(message))


def unpack(data: bytes) -> list[Any]:
    """Read a message without its length."""
    message: list[Any] = orjson.loads(data)
    return message


def frame(data: bytes) -> bytes:
    """Put the length before a message."""
    return len(data).to_bytes(LENGTH_BYTES) + data


class Reader:
    """Takes bytes as they come, gives messages."""

    __slots__ = ("_received",)

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, data: bytes) -> Iterator[list[Any]]:
        """Take bytes in.

        Args:
            data: The next bytes.

        Yields:
            Each message that is complete now.

        Raises:
            MessageTooLong: It is longer than `MAX_MESSAGE_BYTES`.
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
