"""Writes a value that somebody gave into a message: as JSON writes it, not as Python does. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

_MOST: Final = 80


def shown(value: object, most: int = _MOST) -> str:
    """Write a value for a message.

    Args:
        value: Anything.
        most: Most characters.

    Returns:
        A text in single quotes; null, true, a number, a list or an object as in JSON; otherwise the name of the type.
    """
    if isinstance(value, str):
        text = repr(str(value)[: most + 1])  # str(): an enumeration is its word
    elif isinstance(value, bytes):
        text = repr(value[:most].decode(errors="replace"))
    elif value is None or isinstance(value, int | float | list | tuple | Mapping):
        try:
            text = json.dumps(value, ensure_ascii=False, default=type_word)
        except (TypeError, ValueError, RecursionError):
            text = type_word(value)
    else:
        text = type_word(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def type_word(value: object) -> str:
    """Name the type of a value as JSON names it: string, number, array, object, true or false, null."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case Mapping():
            return "an object"
        case list() | tuple() | set() | frozenset():
            return "an array"
    return f"a value of the type {type(value).__name__}"
