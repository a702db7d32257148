"""Merges the layers of the configuration, and remembers where each value came from.

Pure. `load.py` adds the layers in this order: the file, the files of `conf.d/` by name, the environment, flags. A later
layer wins. Invariant: each value that is not a default has an origin, stored under its path in the merged values.

How `[[actors]]` merge: entries of the main file replace the two default actors. An entry of a drop-in changes the entry
with the same name (`name`, or else `type`) key by key, or is added; `actors = []` removes all. Any other list replaces
the earlier list.
"""

from __future__ import annotations

import copy
import difflib
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from hero_config.layers.key_paths import KeyPath, dotted
from hero_config.layers.line_numbers import line_of
from hero_config.layers.problems import ConfigProblem
from hero_config.model.settings import Settings

Kind = Literal["default", "file", "variable", "flag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a value came from.

    Attributes:
        kind: The kind of layer.
        source: Path of the file, name of the variable, or the flag; empty for a default.
        line: Line in the file, from 1; None if it was not found.
        rank: Number of the layer; the highest wins.
    """

    kind: Kind = "default"
    source: str = ""
    line: int | None = None
    rank: int = 0

    def __str__(self) -> str:
        """`hero.toml:3`, `HERO_JOBS__REPLY_TTL_S`, `--port` or `default`."""
        return (f"{self.source}:{self.line}" if self.line else self.source) or self.kind


DEFAULT = Origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLayer:
    """One file as it was read.

    Attributes:
        source: Its path, as it appears in messages.
        values: Its content; empty if it could not be read.
        lines: The line of each of its keys.
        drop_in: Whether it is in `conf.d/`.
        has_secrets: Whether it holds secrets that the values contain as hashes only.
        problems: What is wrong with the file as a whole.
        notes: What in it has no effect.
        readable: Whether it could be read.
    """

    source: str
    values: dict[str, Any]
    lines: dict[KeyPath, int]
    drop_in: bool = False
    has_secrets: bool = False
    problems: tuple[ConfigProblem, ...] = ()
    notes: tuple[ConfigProblem, ...] = ()
    readable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueLayer:
    """One variable or flag.

    Attributes:
        kind: Which of the two.
        source: Its name.
        path: The key that it sets.
        value: The new value.
    """

    kind: Literal["variable", "flag"]
    source: str
    path: KeyPath
    value: Any


class Layers:
    """The layers that have been merged so far.

    Attributes:
        values: The merged values, without defaults.
        origins: Where they came from, by path; tables have an origin too.
    """

    def __init__(self) -> None:
        """Begin with the defaults only."""
        self.values: dict[str, Any] = {}
        self.origins: dict[KeyPath, Origin] = {}
        self._rank = 0

    def add_file(self, layer: FileLayer) -> list[ConfigProblem]:
        """Merge the values of a file.

        Returns:
            Problems: an entry of a drop-in that changes no entry and cannot be added.
        """
        self._rank += 1
        problems: list[ConfigProblem] = []
        for key, value in layer.values.items():
            if key == "actors" and layer.drop_in and isinstance(value, list) and value:
                problems += self._merge_actors(layer, value)
            else:
                self._merge(self.values, (key,), (key,), value, layer)
        return problems

    def add_value(self, layer: ValueLayer) -> ConfigProblem | None:
        """Merge one value.

        Returns:
            A problem if the path names something that does not exist, or is not a key.
        """
        self._rank += 1
        path = self._by_number(layer.path)

        def problem(expected: str, nearest: str = "") -> ConfigProblem:
            return ConfigProblem(source=layer.source, key=dotted(layer.path), expected=expected, nearest=nearest)

        here: Any = self.values
        for part, following in pairwise(path):
            if isinstance(here, list):
                if not isinstance(part, int) or part >= len(here):
                    names = self._names() if path[0] == "actors" else []
                    known = f"there are {', '.join(names)}" if names else f"{len(here)} in all"
                    near = difflib.get_close_matches(str(part), names, n=1)
                    return problem(f"no such entry ({known}, counted from 0)", f"actors.{near[0]}" if near else "")
                here = here[part]
            elif isinstance(here, dict):
                here = here.setdefault(part, [] if isinstance(following, int) else {})
            if not isinstance(here, dict | list):
                return problem("is not below a section")
        if isinstance(here, list):
            return problem("names an entry, not a key of it")
        here[path[-1]] = layer.value
        self._forget(path)
        self._note(path, layer.value, Origin(kind=layer.kind, source=layer.source, rank=self._rank))
        return None

    def origin(self, path: KeyPath) -> Origin:
        """Find where the value at a path, or the table that contains it, came from."""
        for length in range(len(path), 0, -1):
            if (found := self.origins.get(path[:length])) is not None:
                return found
        return DEFAULT

    def _merge(self, here: dict[str, Any], path: KeyPath, in_file: KeyPath, value: Any, layer: FileLayer) -> None:
        key = str(path[-1])
        if isinstance(value, dict) and isinstance(here.get(key), dict):
            for name, inner in value.items():
                self._merge(here[key], (*path, name), (*in_file, name), inner, layer)
            return
        here[key] = copy.deepcopy(value)  # a later layer may change it
        self._forget(path)
        self._note_file(path, in_file, value, layer)

    def _merge_actors(self, layer: FileLayer, entries: list[Any]) -> list[ConfigProblem]:
        problems: list[ConfigProblem] = []
        actors = self._actors()
        if not isinstance(actors, list):
            actors = self.values["actors"] = []
        names = self._names()
        for index, entry in enumerate(entries):
            in_file: KeyPath = ("actors", index)
            name = _name(entry)
            # Only names of earlier layers count: two entries with one name in one file stay two, and are refused later.
            if name and name in names:  # what is no table has no name
                position = names.index(name)
                for key, value in entry.items():
                    self._merge(actors[position], ("actors", position, key), (*in_file, key), value, layer)
            elif isinstance(entry, dict) and "type" not in entry:
                near = difflib.get_close_matches(name, names, n=1)
                expected = (
                    f"there is no entry {name!r} to change, and a new one needs a type" if name else "has no name"
                )
                problems.append(
                    ConfigProblem(
                        source=layer.source,
                        key=f"actors.{index}",
                        line=line_of(in_file, layer.lines),
                        expected=expected,
                        nearest=near[0] if near else "",
                    )
                )
            else:
                actors.append(copy.deepcopy(entry))
                self._note_file(("actors", len(actors) - 1), in_file, entry, layer)
        return problems

    def _actors(self) -> Any:
        """The entries so far; the default actors if no layer has named any."""
        if "actors" not in self.values:
            self.values["actors"] = [{"type": actor.type} for actor in Settings().actors]
        return self.values["actors"]

    def _names(self) -> list[str]:
        actors = self._actors()
        return [_name(entry) for entry in actors] if isinstance(actors, list) else []

    def _by_number(self, path: KeyPath) -> KeyPath:
        """Replace the name of an entry by its number: `actors.sal.count`."""
        if path[0] != "actors" or len(path) == 1:
            return path
        names = [name.lower() for name in self._names()]
        known = isinstance(path[1], str) and path[1] in names
        return (path[0], names.index(str(path[1])), *path[2:]) if known else path

    def _forget(self, path: KeyPath) -> None:
        for known in [known for known in self.origins if known[: len(path)] == path]:
            del self.origins[known]

    def _note(self, path: KeyPath, value: Any, origin: Origin) -> None:
        self.origins[path] = origin
        for key, inner in _items(value):
            self._note((*path, key), inner, origin)

    def _note_file(self, path: KeyPath, in_file: KeyPath, value: Any, layer: FileLayer) -> None:
        line = line_of(in_file, layer.lines)
        self.origins[path] = Origin(kind="file", source=layer.source, line=line, rank=self._rank)
        for key, inner in _items(value):
            self._note_file((*path, key), (*in_file, key), inner, layer)


def _items(value: Any) -> list[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _name(entry: Any) -> str:
    """The name of an entry; empty if it has none."""
    return str(entry.get("name") or entry.get("type") or "") if isinstance(entry, dict) else ""
