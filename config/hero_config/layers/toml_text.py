"""TOML text to values, going on after a mistake, so that all mistakes of a file can be told at once.

Pure. Called for each file. `tomllib` stops at the first mistake; when that is a line of its own, a key and its value,
the line is left out and the rest read again. Invariant: a line left out is always told.

Source: https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import Any

from hero_config.layers.lines import Path, find_lines

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_ALONE = re.compile(r"""^\s*[A-Za-z0-9_."'-]+(?:\s*\.\s*[A-Za-z0-9_."'-]+)*\s*=""")
_MOST = 50

#: What `tomllib` says, by its beginning, and what it means to somebody who writes a config.
_WORDS = (
    ("Invalid value", "no value is written like this; a text needs quotes, and yes or no is true or false"),
    ("Cannot overwrite a value", "this key stands here a second time"),
    ("Illegal character '\\n'", "the text has no closing quote"),
    ("Expected '='", "should be KEY = VALUE"),
    ("Expected newline or end of document", "something follows the value: a text needs quotes, a comment a #"),
    ("Unterminated string", "a text has no closing quotes"),
    ('Expected "\'"', "a text has no closing quote"),
    ("Unclosed array", "a list has no closing ]"),
    ("Cannot declare", "this section stands here a second time"),
    ("Expected ']]' at", "the name of the entry has no closing ]]"),
    ("Expected ']' at the end of a table declaration", "the name of the section has no closing ]"),
    ("Unescaped '\\'", "a backslash in a text is written twice, or the text in single quotes"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlMistake:
    """One place that is not TOML.

    Attributes:
        line: From 1; None for the end of the text.
        expected: What is wrong.
    """

    line: int | None
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlText:
    """What was read.

    Attributes:
        values: By section and key; without what could not be read.
        lines: The line of each key.
        mistakes: In their order. With any, values are missing.
    """

    values: dict[str, Any]
    lines: dict[Path, int]
    mistakes: tuple[TomlMistake, ...] = field(default=())


def read_toml(text: str) -> TomlText:
    """Read a text.

    Args:
        text: That of a whole file.

    Returns:
        Its values and its mistakes.
    """
    # With a line end at the last line, a mistake on it has its number too.
    lines = (text.replace("\r\n", "\n").removesuffix("\n") + "\n").split("\n")
    mistakes: list[TomlMistake] = []
    while True:
        rest = "\n".join(lines)
        try:
            return TomlText(values=tomllib.loads(rest), lines=find_lines(rest), mistakes=tuple(mistakes))
        except tomllib.TOMLDecodeError as e:
            place = _PLACE.search(str(e))
            number = int(place[1]) if place and place[1] else None
            mistakes.append(TomlMistake(line=number, expected=_words(_PLACE.sub("", str(e)))))
            if (
                place is None
                or number is None
                or len(mistakes) == _MOST
                or not _alone(lines[number - 1], int(place[2]))
            ):
                return TomlText(values={}, lines={}, mistakes=tuple(mistakes))
            lines[number - 1] = ""


def _alone(line: str, column: int) -> bool:
    """Is it a key with its value, and the mistake behind the `=`? One before it belongs to a list left open above."""
    found = _ALONE.match(line)
    return found is not None and column > found.end()


def _words(message: str) -> str:
    for beginning, words in _WORDS:
        if message.startswith(beginning):
            return f"not TOML: {words}"
    return f"not TOML: {message}"
