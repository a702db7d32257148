"""Prints what a program that a person watches has to say, in colour on a terminal."""

from __future__ import annotations

import os
from typing import TextIO

_BOLD, _DIM, _GREEN, _RED, _CYAN, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[36m", "\x1b[0m"


class Lines:
    """Writes to one stream and flushes each line, so that a reader on a pipe sees it immediately.

    Args:
        stream: Where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._colour = stream.isatty() and "NO_COLOR" not in os.environ

    def title(self, text: str) -> None:
        self._line("")
        self._line(self._in(_BOLD, text))

    def fact(self, name: str, text: str) -> None:
        self._line(f"  {self._in(_DIM, name.ljust(14))} {text}")

    def script(self, text: str) -> None:
        first, *rest = text.splitlines()
        self.fact("script", self._in(_CYAN, first))
        for line in rest:
            self.fact("", self._in(_CYAN, line))

    def code(self, text: str) -> None:
        self.fact("", self._in(_CYAN, f">>> {text}"))

    def command(self, name: str, text: str) -> None:
        self.fact(name, self._in(_CYAN, text))

    def good(self, text: str) -> None:
        self._line(f"  {self._in(_GREEN, 'as expected'.ljust(14))} {text}")

    def bad(self, text: str) -> None:
        self._line(f"  {self._in(_RED, 'UNEXPECTED'.ljust(14))} {text}")

    def quietly(self, text: str) -> None:
        """Print a line while the program ends, when nobody may be reading any more."""
        try:
            self._line("")
            self._line(self._in(_DIM, text))
        except (OSError, ValueError):
            return

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._colour else text

    def _line(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()
