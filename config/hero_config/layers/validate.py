"""Makes `Settings` of values, or problems in words that an operator understands.

Pure. Called by `load.py`, for each layer alone and for all layers together. A wrong value is a problem in its layer
even if a later layer replaces it. Missing keys, and rules about several keys, can be checked only in the merged values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hero_config.layers.key_paths import KeyPath, dotted, nearest_key
from hero_config.layers.line_numbers import line_of
from hero_config.layers.merge import DEFAULT, FileLayer, Layers, Origin, ValueLayer
from hero_config.layers.problems import ConfigProblem, display
from hero_config.model.settings import Settings

_BYTES = 'a number of bytes in quotes, or with kb, mb or gb: "512mb"'
_NAME = "letters, digits, _ and -, 63 at most, in quotes"

#: The pattern of a key in words, by the last name of the key.
_PATTERNS = {
    "namespace": "letters, digits, _ . and -, 64 at most, or that in braces",
    "unix_mode": 'four octal digits in quotes: "0600"',
    "maxmemory": _BYTES,
    "memory_max": _BYTES,
    "name": _NAME,
    "group": _NAME,
    "strategy_group": _NAME,
    "net": 'HOST:PORT, such as "api.example.org:443", "10.0.0.0/8:5432" or "[::1]:80"; the port may be *',
    "run": "the name of a program, or its absolute path",
    "env": "the name of a variable: letters, digits and _, no digit first",
    "sha256": "a SHA-256, 64 hexadecimal digits in lower case",
    "user": "a user's name or number, in quotes",
}
_UNITS = (("_s", " of seconds"), ("_bytes", " of bytes"))
_TYPES = {
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "bool_type": "should be true or false",
    "string_type": "should be text, in quotes",
    "tuple_type": "should be a list, in [ ]",
    "dict_type": "should be a table, in { }",
    "model_type": "should be a section",
    "missing": "missing",
    "extra_forbidden": "unknown key",
    "finite_number": "should be a finite number",
}


def check_file(layer: FileLayer) -> list[ConfigProblem]:
    """Find what is wrong in a file, no matter what other layers say.

    Returns:
        The problems, in the order of the lines.
    """
    problems = [
        _problem(error, path=error["loc"], source=layer.source, line=line_of(error["loc"], layer.lines))
        for error in _errors(layer.values)
        if not _needs_all_layers(error)
    ]
    return sorted(problems, key=lambda problem: problem.line or 0)


def check_value(layer: ValueLayer) -> list[ConfigProblem]:
    """Find what is wrong with a variable or flag, no matter what other layers say."""
    values: Any = layer.value
    for position in range(len(layer.path) - 1, -1, -1):
        # An entry is checked as if it were the first and only one.
        part = layer.path[position]
        indexed = isinstance(part, int) or (position == 1 and layer.path[0] == "actors")
        values = [values] if indexed else {str(part): values}
    problems = []
    for error in _errors(values):
        if not _needs_all_layers(error):
            if len(error["loc"]) <= len(layer.path):
                error["input"] = layer.value  # not the tables that were built around it
            # With the number or name of the entry as the user wrote it.
            path = (*layer.path, *error["loc"][len(layer.path) :])
            problems.append(_problem(error, path=path, source=layer.source))
    return problems


def build_settings(layers: Layers, file: str) -> tuple[Settings | None, list[ConfigProblem]]:
    """Make the settings of the merged layers.

    Args:
        layers: All layers.
        file: The main file; the source of problems that belong to no key.

    Returns:
        The settings, or None; and the problems that only the merged values show: missing keys, and broken rules about
        several keys.
    """
    try:
        return Settings.model_validate(layers.values), []
    except ValidationError as e:
        errors = e.errors(include_url=False)
    problems: list[tuple[Origin, ConfigProblem]] = []
    for error in errors:
        if not _needs_all_layers(error):
            continue
        origin = _origin_of(error, layers)
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


def _needs_all_layers(error: ErrorDetails) -> bool:
    """Tell whether the error can be judged only in the merged values."""
    rule = error["type"] == "value_error" and isinstance(error["input"], dict)
    return rule or error["type"] == "missing"


def _origin_of(error: ErrorDetails, layers: Layers) -> Origin:
    """Find where an error about several keys came from: the last layer that set a key which the error names."""
    path: KeyPath = error["loc"]
    named = set(re.findall(r"[A-Za-z0-9_-]+", error["msg"]))
    concerned = [
        origin
        for at, origin in layers.origins.items()
        if len(at) == len(path) + 1 and at[: len(path)] == path and str(at[-1]) in named and at != ("actors",)
    ]
    if not path:
        entries = {
            index
            for index, entry in enumerate(layers.values.get("actors", ()))
            if isinstance(entry, dict) and str(entry.get("name") or entry.get("type")) in named
        }
        concerned += [
            origin
            for at, origin in layers.origins.items()
            if at[:1] == ("actors",)
            and at[1:2]
            and at[1] in entries
            # A file has the place of the entry, a variable or flag only that of its key.
            and (len(at) == 2 or (origin.kind in ("variable", "flag") and str(at[2]) in named))
        ]
    return max(concerned, key=lambda origin: (origin.rank, origin.line or 0), default=layers.origin(path) or DEFAULT)


def _problem(error: ErrorDetails, *, path: KeyPath, source: str, line: int | None = None) -> ConfigProblem:
    kind, value = error["type"], display(error["input"], path)
    if kind == "missing" or _needs_all_layers(error) or path[-2:-1] == ("env",):
        # A whole section would only make the message hard to read; the environment of a process may hold secrets.
        value = ""
    return ConfigProblem(
        source=source,
        key=dotted(path),
        line=line,
        value=value,
        expected=_describe(error, path),
        nearest=nearest_key(path) if kind == "extra_forbidden" else "",
    )


def _describe(error: ErrorDetails, path: KeyPath) -> str:
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
    """Tell whether the text would be right without its quotes."""
    if kind == "bool_type":
        return text in ("true", "false")
    return re.fullmatch(r"-?\d+" if kind == "int_type" else r"-?\d+(\.\d+)?", text) is not None
