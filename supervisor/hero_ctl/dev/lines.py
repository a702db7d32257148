"""Prints what a program that a person watches has to say, in colour on a terminal."""

from __future__ import annotations

import os
from typing import Final, TextIO

from hero_ctl.output.widths import wrapped

_BOLD, _DIM, _GREEN, _RED, _CYAN, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[36m", "\x1b[0m"

#: The column in which facts begin.
_BEGIN: Final = 17


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
        self._line(self._in(_BOLD, wrapped(text, indent=0)))

    def fact(self, name: str, text: str) -> None:
        """Print a fact behind its name, broken between words where the terminal ends."""
        self._named(_DIM, name, _behind(text))

    def script(self, text: str) -> None:
        first, *rest = text.splitlines()
        self.command("script", first)
        for line in rest:
            self.command("", line)

    def code(self, text: str) -> None:
        self.command("", f">>> {text}")

    def command(self, name: str, text: str) -> None:
        """Print what can be copied, as it is."""
        self._named(_DIM, name, self._in(_CYAN, text))

    def good(self, text: str) -> None:
        self._named(_GREEN, "as expected", _behind(text))

    def bad(self, text: str) -> None:
        self._named(_RED, "UNEXPECTED", _behind(text))

    def quietly(self, text: str) -> None:
        """Print a line while the program ends, when nobody may be reading any more."""
        try:
            self._line("")
            self._line(self._in(_DIM, text))
        except (OSError, ValueError):
            return

    def _named(self, colour: str, name: str, text: str) -> None:
        self._line(f"  {self._in(colour, name.ljust(_BEGIN - 3))} {text}")

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._colour else text

    def _line(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()


def _behind(text: str) -> str:
    return "\n".join(wrapped(line, indent=_BEGIN, begin=_BEGIN) for line in text.split("\n"))
