"""The imports between the source files of the crate `rhai-py`, read from the Rust text.

Called by `test_crate_imports.py`. A file is named as in a `crate::` path, for example `bounds::watch`; `mod.rs` has the
name of its folder, and `lib.rs` the name `lib`. Invariant: the graph holds every path that starts with `crate::`, also
one in the middle of the code, and every declaration `mod name;`. Only `lib.rs` may write `super::`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

_ROOT = "lib"
_COMMENT = re.compile(r"//[^\n]*")
_PATH = re.compile(r"\b(crate|super)::")
_DECLARATION = re.compile(r"^\s*(?:pub )?mod (\w+);", re.MULTILINE)
_TOKEN = re.compile(r"\w+|::|[^\w\s:]")


def import_graph(sources: Path) -> dict[str, set[str]]:
    """Read which files each file imports.

    Args:
        sources: The folder `src` of a crate.

    Returns:
        The names of the imported files by the name of the importing file.

    Raises:
        ValueError: A file other than `lib.rs` writes `super::`.
    """
    files = {_name(path.relative_to(sources)): path.read_text() for path in sources.rglob("*.rs")}
    graph: dict[str, set[str]] = {}
    for name, text in files.items():
        paths = list(_paths(_COMMENT.sub("", text), name))
        graph[name] = {_file_of(path, files) for path in paths} - {name}
    return graph


def room_graph(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The rooms (folders) that each room imports, by the name of the room. `lib` counts as a room."""
    rooms: dict[str, set[str]] = {}
    for name, imported in graph.items():
        room = name.split("::")[0]
        rooms.setdefault(room, set()).update({other.split("::")[0] for other in imported} - {room})
    return rooms


def circles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """The groups of nodes that reach each other: the strongly connected components with more than one node."""
    reach = {node: _reachable(graph, node) for node in graph}
    found: list[set[str]] = []
    for node in sorted(graph):
        group = {other for other in reach[node] if node in reach[other]}
        if len(group) > 1 and group not in found:
            found.append(group)
    return found


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return "::".join(parts[:-1] if parts[-1] == "mod" else parts)


def _file_of(path: tuple[str, ...], files: Mapping[str, str]) -> str:
    """The deepest file that the path names: `bounds::stop::Stop` is in `bounds::stop`."""
    for length in range(len(path), 0, -1):
        name = "::".join(path[:length])
        if name in files:
            return name
    return _ROOT


def _paths(code: str, name: str) -> Iterator[tuple[str, ...]]:
    for declared in _DECLARATION.findall(code):
        yield (declared,) if name == _ROOT else (*name.split("::"), declared)
    for path in _PATH.finditer(code):
        if path.group(1) == "super" and name != _ROOT:
            msg = f"{name}: write `crate::` instead of `super::`"
            raise ValueError(msg)
        yield from _tree(deque(_TOKEN.findall(code, path.end())), ())


def _tree(tokens: deque[str], prefix: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Consume the `use` tree at the start of the tokens; yield its paths: `a::{b, c::d}` has `a::b` and `a::c::d`."""
    path = prefix
    while True:
        token = tokens.popleft()
        if token == "{":
            while tokens[0] != "}":
                yield from _tree(tokens, path)
                if tokens[0] == ",":
                    tokens.popleft()
            tokens.popleft()
            return
        path = (*path, token)
        if tokens[0] == "as":
            tokens.popleft()
            tokens.popleft()
        if tokens[0] != "::":
            yield path
            return
        tokens.popleft()
