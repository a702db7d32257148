"""Finds the line of each key in a TOML text, which `tomllib` does not tell.

Pure. Called by `files.py`; the lines appear in messages only, so a key whose line is not found (inside an inline table)
merely has no line number. Invariant: on text that `tomllib` accepts, this never raises.

Source: https://toml.io/en/v1.0.0 (tables, arrays of tables, dotted and quoted keys, multi-line strings).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hero_config.layers.key_paths import KeyPath

_HEADER = re.compile(r"^\s*(\[\[?)([^\[\]]+)\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_TRIPLE = re.compile(r'"""|' + "'''")


def find_lines(text: str) -> dict[KeyPath, int]:
    """Map the path of each table and key to its line.

    Args:
        text: Valid TOML.

    Returns:
        Line numbers, from 1, by path. The path of a table in an array has its index: `("actors", 0, "count")`.
    """
    lines: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    inside_string = False
    for number, line in enumerate(text.split("\n"), 1):
        opens = len(_TRIPLE.findall(line)) % 2 == 1
        if not inside_string:
            if header := _HEADER.match(line):
                table = _with_indexes(_split(header[2]), counts)
                if header[1] == "[[":
                    index = counts.get(table, 0)
                    counts[table] = index + 1
                    table = (*table, index)
                lines.setdefault(table, number)
            elif key := _KEY.match(line):
                lines.setdefault((*table, *_split(key[1])), number)
        inside_string ^= opens
    return lines


def line_of(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """Find the line of a key, or of the nearest table above it, where a missing key would belong.

    Args:
        path: Keys and indexes from the top.
        lines: What `find_lines` returned.

    Returns:
        The line, from 1; None if not even a table above it is found.
    """
    for length in range(len(path), 0, -1):
        here = path[:length]
        # A list of tables begins at its first table.
        if (number := lines.get(here, lines.get((*here, 0)))) is not None:
            return number
        if length == len(path) and (below := [n for at, n in lines.items() if at[:length] == path]):
            return min(below)  # it is a table that only keys such as `rpc.rights.callers` make
    return None


def _with_indexes(table: KeyPath, counts: Mapping[KeyPath, int]) -> KeyPath:
    """Put in the indexes of the tables in arrays that a table is in: a header names the last one without its number."""
    path: KeyPath = ()
    for part in table[:-1]:
        path = (*path, part)
        if path in counts:
            path = (*path, counts[path] - 1)
    return (*path, *table[-1:])


def _split(dotted: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))
