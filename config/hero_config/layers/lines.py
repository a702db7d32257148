"""Finds the line on which each key of a TOML text stands: `tomllib` does not tell.

Pure. Called by `load.py` for error messages only, so a layout that it does not know (a key inside an inline table)
costs nothing but the number. Invariant: it is given text that `tomllib` has accepted, and never raises on it.

Source: https://toml.io/en/v1.0.0 (tables, arrays of tables, dotted and quoted keys, multi-line strings).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

Path = tuple[str | int, ...]

_HEADER = re.compile(r"^\s*(\[\[?)([^\[\]]+)\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_TRIPLE = re.compile(r'"""|' + "'''")


def find_lines(text: str) -> dict[Path, int]:
    """Map the path of each table and key to its line.

    Args:
        text: Valid TOML.

    Returns:
        Line numbers from 1 by path; the tables of an array have their index in the path: `("actors", 0, "count")`.
    """
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    inside_string = False
    for number, line in enumerate(text.splitlines(), 1):
        opens = len(_TRIPLE.findall(line)) % 2 == 1
        if not inside_string:
            if header := _HEADER.match(line):
                table = _split(header[2])
                if header[1] == "[[":
                    index = counts.get(table, 0)
                    counts[table] = index + 1
                    table = (*table, index)
                lines.setdefault(table, number)
            elif key := _KEY.match(line):
                lines.setdefault((*table, *_split(key[1])), number)
        inside_string ^= opens
    return lines


def line_of(path: Path, lines: Mapping[Path, int]) -> int | None:
    """The line of a key, or of the nearest table above it (where a missing key would belong).

    Args:
        path: Keys and indexes from the top.
        lines: What `find_lines` returned.

    Returns:
        The line from 1, or None when not even a table above it is found.
    """
    for length in range(len(path), 0, -1):
        here = path[:length]
        # A list of tables stands where its first table does.
        if (number := lines.get(here, lines.get((*here, 0)))) is not None:
            return number
    return None


def _split(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))
