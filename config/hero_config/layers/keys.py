"""What the models say about a key: which section it is in, whether it is a text, which valid key is nearest.

Pure. Called wherever a path from the top (`("actors", 0, "count")`) has to be understood. Below `env` of an actor the
names are the operator's own.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel

from hero_config.layers.lines import Path as KeyPath
from hero_config.model.settings import Settings


def dotted(path: KeyPath) -> str:
    """A path as people write it: `actors.0.count`."""
    return ".".join(str(part) for part in path)


def path_of(parts: Iterable[str]) -> KeyPath:
    """Read the parts of a variable or flag: numbers are indexes, names below `env` keep their case."""
    path: list[str | int] = []
    for part in parts:
        if path and path[-1] == "env":
            path.append(part)
        else:
            path.append(int(part) if part.isdecimal() else part.lower())
    return tuple(path)


def typed(path: KeyPath, text: str) -> Any:
    """The text itself where a text is wanted, else what it means in TOML; what TOML does not know is refused later."""
    model = model_at(path[:-1])
    field = model.model_fields.get(str(path[-1])) if model else None
    if (field is None and len(path) > 1) or (field is not None and _is_text(field.annotation)):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text


def model_at(path: KeyPath) -> type[BaseModel] | None:
    """The model that holds the keys below a path; None below `env` and below what does not exist."""
    model: type[BaseModel] = Settings
    for position, part in enumerate(path):
        # An entry of a list, by its number or name: the list's model is that of each of its entries.
        if isinstance(part, int) or (position == 1 and path[0] == "actors"):
            continue
        field = model.model_fields.get(part)
        inner = next(iter(models_in(field.annotation)), None) if field else None
        if inner is None:
            return None
        model = inner
    return model


def models_in(annotation: object) -> list[type[BaseModel]]:
    """The models that a type is made of."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for part in get_args(annotation) for model in models_in(part)]


def nearest_key(path: KeyPath) -> str:
    """The valid key nearest to an unknown one: in its own section first, then the same key in another section.

    Args:
        path: The unknown key.

    Returns:
        Its dotted path, or nothing.
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
    # A key right in its name, below a section that is not: HERO_JOB__REPLY_TTL_S.
    sections = difflib.get_close_matches(str(path[0]), list(Settings.model_fields), n=1) if len(path) > 1 else []
    inner = model_at((sections[0],)) if sections else None
    return dotted((sections[0], *path[1:])) if inner and wrong in inner.model_fields else ""


def _is_text(annotation: object) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _is_text(get_args(annotation)[0])
    if origin is Literal:
        return all(isinstance(choice, str) for choice in get_args(annotation))
    return annotation is str
