"""From values to `Settings`, or to problems in words that an operator understands.

Pure. Called by `load.py`, for each layer alone and for all of them together: a wrong value in a file is a mistake there
even when a later layer covers it, while what is missing, and what keys must agree on, shows only in the whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hero_config.layers.keys import dotted, nearest_key
from hero_config.layers.layers import DEFAULT, FileLayer, Layers, Origin, ValueLayer
from hero_config.layers.lines import Path as KeyPath
from hero_config.layers.lines import line_of
from hero_config.layers.problems import ConfigProblem, shown
from hero_config.model.settings import Settings

_BYTES = 'a number of bytes in quotes, or with kb, mb or gb: "512mb"'
_NAME = "letters, digits, _ and -, 63 at most, in quotes"

#: What a pattern means, by the last name of the key that it is for.
_PATTERNS = {
    "namespace": "letters, digits, _ . and -, 64 at most, or that in braces",
    "unix_mode": 'four octal digits in quotes: "0600"',
    "maxmemory": _BYTES,
    "memory_max": _BYTES,
    "name": _NAME,
    "group": _NAME,
    "strategy_group": _NAME,
    "sha256": "a SHA-256, 64 hexadecimal digits in lower case",
    "user": "a user's name or number, in quotes",
}
_UNITS = (("_s", " of seconds"), ("_bytes", " of bytes"))
_TYPES = {
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "bool_type": "should be true or false",
    "string_type": "should be a text, in quotes",
    "tuple_type": "should be a list, in [ ]",
    "dict_type": "should be a table, in { }",
    "model_type": "should be a section",
    "missing": "missing",
    "extra_forbidden": "unknown key",
    "finite_number": "should be a finite number",
}


def check_file(layer: FileLayer) -> list[ConfigProblem]:
    """Find what is wrong in a file whatever the others say.

    Returns:
        The problems, in the order of its lines.
    """
    problems = [
        _problem(error, path=error["loc"], source=layer.source, line=line_of(error["loc"], layer.lines))
        for error in _errors(layer.values)
        if not _is_whole(error)
    ]
    return sorted(problems, key=lambda problem: problem.line or 0)


def check_value(layer: ValueLayer) -> list[ConfigProblem]:
    """Find what is wrong with a variable or flag whatever the layers below it say."""
    values: Any = layer.value
    for position in range(len(layer.path) - 1, -1, -1):
        # An entry is looked at as if it were the first and only one.
        part = layer.path[position]
        indexed = isinstance(part, int) or (position == 1 and layer.path[0] == "actors")
        values = [values] if indexed else {str(part): values}
    problems = []
    for error in _errors(values):
        if not _is_whole(error):
            if len(error["loc"]) <= len(layer.path):
                error["input"] = layer.value  # not what was built around it
            # With the number or name of the entry that was given.
            path = (*layer.path, *error["loc"][len(layer.path) :])
            problems.append(_problem(error, path=path, source=layer.source))
    return problems


def settle(layers: Layers, file: str) -> tuple[Settings | None, list[ConfigProblem]]:
    """Make the settings of all layers.

    Args:
        layers: All of them.
        file: The main file, for what cannot be put down to any key.

    Returns:
        The settings, or None and what only the whole can tell: what is missing, and what does not agree.
    """
    try:
        return Settings.model_validate(layers.values), []
    except ValidationError as e:
        errors = e.errors(include_url=False)
    problems: list[tuple[Origin, ConfigProblem]] = []
    for error in errors:
        if not _is_whole(error):
            continue
        origin = _blamed(error, layers)
        source = origin.source or file or "defaults"
        problems.append((origin, _problem(error, path=error["loc"], source=source, line=origin.line)))
    problems.sort(key=lambda found: (found[0].rank, found[0].line or 0))
    return None, [problem for _, problem in problems]


def _errors(values: Mapping[str, Any]) -> list[ErrorDetails]:
    try:
        Settings.model_validate(values)
    except ValidationError as e:
        return e.errors(include_url=False)
    return []


def _is_whole(error: ErrorDetails) -> bool:
    """Does it show only when all layers are together?"""
    rule = error["type"] == "value_error" and isinstance(error["input"], dict)
    return rule or error["type"] == "missing"


def _blamed(error: ErrorDetails, layers: Layers) -> Origin:
    """The layer that a rule about several keys is put down to: the last one that set a key which the rule names."""
    path: KeyPath = error["loc"]
    named = set(re.findall(r"[A-Za-z0-9_-]+", error["msg"]))
    concerned = [
        origin
        for at, origin in layers.origins.items()
        if len(at) == len(path) + 1 and at[: len(path)] == path and str(at[-1]) in named and at != ("actors",)
    ]
    if not path:
        concerned += [
            layers.origin(("actors", index))
            for index, entry in enumerate(layers.values.get("actors", ()))
            if isinstance(entry, dict) and str(entry.get("name") or entry.get("type")) in named
        ]
    return max(concerned, key=lambda origin: (origin.rank, origin.line or 0), default=layers.origin(path) or DEFAULT)


def _problem(error: ErrorDetails, *, path: KeyPath, source: str, line: int | None = None) -> ConfigProblem:
    kind, value = error["type"], shown(error["input"], path)
    if kind == "missing" or _is_whole(error) or path[-2:-1] == ("env",):
        # The content of a whole section would only hide the message; the environment of a process may hold secrets.
        value = ""
    return ConfigProblem(
        source=source,
        key=dotted(path),
        line=line,
        value=value,
        expected=_words(error, path),
        nearest=nearest_key(path) if kind == "extra_forbidden" else "",
    )


def _words(error: ErrorDetails, path: KeyPath) -> str:
    kind = error["type"]
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "string_pattern_mismatch" and name in _PATTERNS:
        return f"should be {_PATTERNS[name]}"
    if kind == "tuple_type" and isinstance(error["input"], dict):
        return f"should be a list: each entry begins with [[{dotted(path)}]]"
    if kind == "model_type" and len(path) > 1:
        return _TYPES["dict_type"]
    if kind in _TYPES:
        words = _TYPES[kind] + next(
            (unit for ending, unit in _UNITS if "number" in _TYPES[kind] and name.endswith(ending)), ""
        )
        unquoted = isinstance(error["input"], str) and kind in ("int_type", "float_type", "bool_type")
        return words + (", without quotes" if unquoted and _looks_right(kind, error["input"]) else "")
    return error["msg"].replace("Input should be", "should be").replace("String should", "should")


def _looks_right(kind: str, text: str) -> bool:
    """Would it be right without its quotes?"""
    if kind == "bool_type":
        return text in ("true", "false")
    return re.fullmatch(r"-?\d+" if kind == "int_type" else r"-?\d+(\.\d+)?", text) is not None
