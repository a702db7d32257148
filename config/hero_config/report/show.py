"""Prints the settings with where each came from: as TOML with comments, or as JSON.

Pure. Called by `hero-supervisor config show`. Invariants: secrets are hidden; without secrets the TOML, loaded again,
gives the same settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from hero_config.layers.layers import Origin
from hero_config.layers.lines import Path as KeyPath
from hero_config.layers.load import Config
from hero_config.layers.secrets import without_secrets

_COMMENT_COLUMN = 40


def as_toml(config: Config, *, changed: bool = False) -> str:
    """Write the settings as TOML, a comment a value.

    Args:
        config: The settings and their origins.
        changed: Leave out what no layer sets; an entry of `actors` keeps its type.

    Returns:
        Whole lines.
    """
    lines = [f"# {', then '.join(config.files) or 'no file'}, then the environment and flags: the later wins."]
    if not config.settings.actors:
        lines += ["", _line("actors", [], config.origin(("actors",)))]
    for path, section in _sections(config):
        header = f"[[{path[0]}]]" if len(path) > 1 else f"[{path[0]}]"
        keys = list(_keys(config, path, section, changed=changed))
        if keys:
            lines += ["", header, *(_line(key, value, origin) for key, value, origin in keys)]
    return "\n".join(lines) + "\n"


def as_json(config: Config, *, changed: bool = False) -> str:
    """Write the settings as JSON: by section and key `{"value": ..., "origin": {"kind", "source", "line"}}`.

    Args:
        config: The settings and their origins.
        changed: Leave out what no layer sets.

    Returns:
        One document.
    """
    settings: dict[str, Any] = {"actors": []}
    for path, section in _sections(config):
        keys = {
            key: {"value": value, "origin": {"kind": origin.kind, "source": origin.source, "line": origin.line}}
            for key, value, origin in _keys(config, path, section, changed=changed)
        }
        if len(path) > 1:
            settings["actors"].append(keys)
        else:
            settings[str(path[0])] = keys
    notes = [str(note) for note in config.notes]
    return (
        json.dumps({"files": config.files, "settings": settings, "notes": notes}, indent=2, ensure_ascii=False) + "\n"
    )


def _sections(config: Config) -> Iterator[tuple[KeyPath, BaseModel]]:
    for name in type(config.settings).model_fields:
        if name != "actors":
            yield (name,), getattr(config.settings, name)
    for index, actor in enumerate(config.settings.actors):
        yield ("actors", index), actor


def _keys(config: Config, path: KeyPath, section: BaseModel, *, changed: bool) -> Iterator[tuple[str, Any, Origin]]:
    """The keys of a section: name, value without its secrets, origin."""
    given: Any = config.layers.values
    for part in path:
        given = given.get(part, {}) if isinstance(given, dict) else given[int(part)]
    for key in type(section).model_fields:
        # A table that somebody has set is no default, though the keys of the section beside it are.
        origin = config.origin((*path, key)) if key in given else Origin()
        if not changed or origin.kind != "default" or (key == "type" and len(path) > 1):
            yield key, without_secrets((*path, key), _plain(getattr(section, key))), origin


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        # What was left out is a default, and empty texts and lists say nothing.
        return {key: _plain(inner) for key, inner in value if key in value.model_fields_set}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return dict(value) if isinstance(value, Mapping) else value


def _line(key: str, value: Any, origin: Origin) -> str:
    return f"{f'{key} = {_toml(value)}':<{_COMMENT_COLUMN}}  # {origin}"


def _toml(value: Any) -> str:
    """Source: https://toml.io/en/v1.0.0 (basic strings have the escapes of JSON; DEL needs one too)."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if bare else _toml(key)
