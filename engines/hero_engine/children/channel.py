"""The child's side of the conversation with its actor: messages, the log, and questions that the actor answers."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Mapping
from typing import Any

from hero_engine.children import wire
from hero_engine.children.place import write_place
from hero_engine.errors import AccessRefused

#: Most characters of a text for the log, or of an error; a longer one is cut and says how long it was.
_MAX_CHARS = 1024 * 1024
#: Less than what makes the allocator map memory for each read.
_READ_BYTES = 64 * 1024


class ParentChannel(logging.Handler):
    """Sends messages, log records and questions to the actor. Safe to use from any thread of the child.

    Attributes:
        socket: To the actor.
        place_fd: Where the child notes what the script does (`place`); None outside of a child.

    It is the `RunLog` of the scripts in this child. Invariant: a script reaches whatever needs the actor, such as the
    store, by `ask` alone; the actor knows which job asks, and believes nothing else.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self.socket = sock
        self.place_fd: int | None = None
        self._sending = threading.Lock()
        self._asking = threading.Lock()
        self._received = bytearray()

    def send(self, *message: object) -> None:
        """Send one message; its parts are JSON values, and the first says what it is."""
        try:
            data = wire.pack(message)
        except TypeError:  # text with surrogates
            data = wire.pack([_clean(part) if isinstance(part, str) else part for part in message])
        # The engine has ended, or is about to kill this process. Either way, the end is near.
        with self._sending, contextlib.suppress(OSError):
            self.socket.sendall(data)

    def at(self, action: str, line: int) -> None:
        """Note where the script is, for the error of a run that dies."""
        if self.place_fd is not None:
            write_place(self.place_fd, action, line)

    def line(self, level: str, text: str) -> None:
        """Send output of the script to its log."""
        self.send("log", level, cut(text))

    def progress(self, done: float, total: float, text: str) -> None:
        """Send a progress report of the script."""
        self.send("progress", float(done), float(total), cut(str(text)))

    def ask(self, method: str, params: Mapping[str, object]) -> Any:
        """Ask the actor and wait for its answer. Threads take turns.

        Args:
            method: What `ChildEngine.answer` knows, for example `job.create`.
            params: JSON values.

        Returns:
            A JSON value.

        Raises:
            AccessRefused: The request is not allowed, or cannot be carried out.
        """
        try:
            request = wire.pack(["ask", method, params])
        except TypeError as e:
            raise AccessRefused(f"{method} cannot be asked: {e}") from e
        with self._asking:
            with self._sending:
                self.socket.sendall(request)
            answer = self.receive()
        if answer is None:
            raise AccessRefused("the actor is gone")
        allowed, value = wire.unpack(answer)
        if not allowed:
            raise AccessRefused(value)
        return value

    def receive(self) -> bytes | None:
        """Wait for a message of the actor, and return it without its length; None at the end."""
        received = self._received
        while True:
            if len(received) >= wire.LENGTH_BYTES:
                end = wire.LENGTH_BYTES + int.from_bytes(received[: wire.LENGTH_BYTES])
                if len(received) >= end:
                    message = bytes(received[wire.LENGTH_BYTES : end])
                    del received[:end]
                    return message
            data = self.socket.recv(_READ_BYTES)
            if not data:
                return None
            received += data

    def emit(self, record: logging.LogRecord) -> None:
        """Send a log record to the script's log."""
        self.line(record.levelname.lower(), self.format(record))


def cut(text: str) -> str:
    """Cut a text that is too long for the log."""
    return text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]} ... ({len(text)} characters)"


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
