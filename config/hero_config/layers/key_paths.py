"""Paths of keys, such as `("actors", 0, "count")`: how to write and read them, and which setting a path names.

Pure. Imported by most modules of this room. Invariant: names below `env` of an actor are the operator's own and always
valid.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel

from hero_config.layers.toml_text import read_toml
from hero_config.model.settings import Settings

#: Keys and indexes of lists, from the top.
KeyPath = tuple[str | int, ...]
#: Most digits of an index. Python refuses to read numbers of thousands.
_MAX_DIGITS = 9


def dotted(path: KeyPath) -> str:
    """Write a path as people do: `actors.0.count`."""
    return ".".join(str(part) for part in path)


def path_of(parts: Iterable[str]) -> KeyPath:
    """Make a path of the parts of a variable or flag: numbers are indexes, names below `env` keep their case."""
    path: list[str | int] = []
    for part in parts:
        if path and path[-1] == "env":
            path.append(part)
        else:
            path.append(int(part) if part.isdecimal() and len(part) <= _MAX_DIGITS else part.lower())
    return tuple(path)


def parse_value(path: KeyPath, text: str) -> Any:
    """Read the value of a variable or flag.

    Args:
        path: The key that it sets.
        text: A bare string for a key that takes a string; TOML for other keys.

    Returns:
        The value. Text that is not TOML is returned as it is; the check of the value refuses it.
    """
    model = model_at(path[:-1])
    field = model.model_fields.get(str(path[-1])) if model else None
    if (field is None and len(path) > 1) or (field is not None and _takes_string(field.annotation)):
        return text
    try:
        return read_toml(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text


def model_at(path: KeyPath) -> type[BaseModel] | None:
    """Find the model whose keys are below a path; None below `env`, and below a path that does not exist."""
    model: type[BaseModel] = Settings
    for position, part in enumerate(path):
        # An entry of a list, by number or name: all entries have the same model.
        if isinstance(part, int) or (position == 1 and path[0] == "actors"):
            continue
        field = model.model_fields.get(part)
        inner = next(iter(models_in(field.annotation)), None) if field else None
        if inner is None:
            return None
        model = inner
    return model


def models_in(annotation: object) -> list[type[BaseModel]]:
    """List the models inside a type annotation."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for part in get_args(annotation) for model in models_in(part)]


def nearest_key(path: KeyPath) -> str:
    """Find the valid key that is nearest to an unknown one: in its own section first, then in other sections.

    Args:
        path: The unknown key.

    Returns:
        Its dotted path; empty if no key is near.
    """
    wrong = str(path[-1])
    model = model_at(path[:-1])
    own = difflib.get_close_matches(wrong, list(model.model_fields), n=1) if model else []
    if own:
        return dotted((*path[:-1], own[0]))
    for section, field in Settings.model_fields.items():
        for found in models_in(field.annotation):
            if wrong in found.model_fields:
                return f"{section}.{wrong}"
    # The key is right, but its section is not: HERO_JOB__REPLY_TTL_S.
    sections = difflib.get_close_matches(str(path[0]), list(Settings.model_fields), n=1) if len(path) > 1 else []
    inner = model_at((sections[0],)) if sections else None
    return dotted((sections[0], *path[1:])) if inner and wrong in inner.model_fields else ""


def _takes_string(annotation: object) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _takes_string(get_args(annotation)[0])
    if origin is Literal:
        return all(isinstance(choice, str) for choice in get_args(annotation))
    return annotation is str
