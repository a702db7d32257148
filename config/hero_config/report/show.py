"""Writes the settings with where each came from: as TOML with comments, or as JSON.

Pure. Called by `hero-supervisor config show`. Invariants: secrets are hidden; if there are none, loading the TOML gives
the same settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from hero_config.layers.key_paths import KeyPath
from hero_config.layers.load import Config
from hero_config.layers.merge import Origin
from hero_config.layers.secrets import without_secrets

_COMMENT_COLUMN = 40


def as_toml(config: Config, *, changed: bool = False) -> str:
    """Write the settings as TOML, with one comment per value.

    Args:
        config: The settings and their origins.
        changed: Leave out what no layer sets; an entry of `actors` still has its type.

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
    """List the keys of a section: name, value without its secrets, origin."""
    given: Any = config.layers.values
    for part in path:
        given = given.get(part, {}) if isinstance(given, dict) else given[int(part)]
    for key in type(section).model_fields:
        # A table that a layer sets is not a default, even if other keys of its section are.
        origin = config.origin((*path, key)) if key in given else Origin()
        if not changed or origin.kind != "default" or (key == "type" and len(path) > 1):
            yield key, without_secrets((*path, key), plain_value(getattr(section, key))), origin


def plain_value(value: Any) -> Any:
    """Turn sections, tuples and mappings of the settings into what TOML and JSON have for them."""
    if isinstance(value, BaseModel):
        # Keys that were left out have defaults, which would only clutter the line.
        return {key: plain_value(inner) for key, inner in value if key in value.model_fields_set}
    if isinstance(value, tuple | list):
        return [plain_value(inner) for inner in value]
    return dict(value) if isinstance(value, Mapping) else value


def _line(key: str, value: Any, origin: Origin) -> str:
    return f"{f'{key} = {toml_value(value)}':<{_COMMENT_COLUMN}}  # {origin}"


def toml_value(value: Any) -> str:
    """Write a value as TOML on one line.

    Source: https://toml.io/en/v1.0.0 (basic strings have the escapes of JSON; DEL needs one too).
    """
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {toml_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if bare else toml_value(key)
