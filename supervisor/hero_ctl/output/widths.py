"""How wide texts are on a terminal, and how they are cut and wrapped there. Pure, but for the width of the terminal."""

from __future__ import annotations

import shutil
import sys
import unicodedata
from typing import Final

#: What East Asian Width calls characters of two columns.
_DOUBLE: Final = ("W", "F")


def terminal_width() -> int | None:
    """Columns of the terminal that standard output is; None for a pipe or a file, where nothing is cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def columns_of(text: str) -> int:
    """How many columns a printable text takes."""
    return len(text) if text.isascii() else sum(map(_columns_of_character, text))


def cut(text: str, most: int) -> str:
    """Shorten a text to so many columns, with an ellipsis."""
    if columns_of(text) <= most:
        return text
    kept, left = 0, max(0, most - 1)
    while left >= (wide := _columns_of_character(text[kept])):
        left -= wide
        kept += 1
    return text[:kept] + "…"


def padded(text: str, columns: int) -> str:
    """Fill a text up with spaces to so many columns."""
    return text + " " * max(0, columns - columns_of(text))


def wrapped(text: str, *, indent: int, begin: int = 0) -> str:
    """Break a text into lines that fit the terminal; where none is, leave it in one line.

    Args:
        text: One line.
        indent: Columns before each line but the first.
        begin: Columns that are used before the first line.

    Returns:
        The lines. A word that is longer than a line, such as a path, is broken, too.
    """
    width = terminal_width()
    if width is None or begin + columns_of(text) <= width or width - max(indent, begin) < 20:  # too narrow
        return text
    lines, line, left = [], "", width - begin
    for word in text.split(" "):
        rest = word
        if line and columns_of(line) + 1 + columns_of(rest) <= left:
            line += f" {rest}"
            continue
        if line:
            lines.append(line)
            left = width - indent
        while columns_of(rest) > left:
            head = cut(rest, left + 1)[:-1]
            lines.append(head)
            rest, left = rest[len(head) :], width - indent
        line = rest
    return ("\n" + " " * indent).join([*lines, line])


def _columns_of_character(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in _DOUBLE else 1
