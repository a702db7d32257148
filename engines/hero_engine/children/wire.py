"""Messages between an engine and its child processes: a length of four bytes, then JSON. Pure.

The engine reads nothing but JSON from a child, because a script could send anything. What the engine sends to a child
is pickled, because constants may be bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

#: What a message may have without a result: a log line, an error, a request to the store.
_OTHER_BYTES = 16 * 1024 * 1024
#: A result is sent twice, as text and as JSON, and a byte of it may become six if it is escaped.
_SENT_BYTES = 12
LENGTH_BYTES = 4
#: In place of a child's exit status: there is no child, because a fork failed with the `errno` that is added.
NO_CHILD = 1 << 16
#: A variable that only the template itself gets, besides those of its engine.
BIND_NOW = "LD_BIND_NOW"


class MessageTooLong(Exception):
    """A message is longer than its reader permits."""


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
    """Splits a stream of bytes into messages.

    Args:
        result_bytes: Size of the largest result in a message, in bytes.
    """

    __slots__ = ("_max_bytes", "_received")

    def __init__(self, result_bytes: int = 0) -> None:
        self._max_bytes = _OTHER_BYTES + _SENT_BYTES * result_bytes
        self._received = bytearray()

    def feed(self, data: bytes) -> Iterator[list[Any]]:
        """Take the next bytes.

        Args:
            data: The bytes, in any split.

        Yields:
            Each message that is now complete.

        Raises:
            MessageTooLong: A message is longer than it may be.
            ValueError: A message is not JSON.
        """
        received = self._received
        received += data
        while len(received) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(received[:LENGTH_BYTES])
            if end > self._max_bytes:
                raise MessageTooLong(f"a message of {end} bytes")
            if len(received) < end:
                return
            message = bytes(received[LENGTH_BYTES:end])
            del received[:end]
            yield orjson.loads(message)
