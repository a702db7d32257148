"""Reads the files of a configuration: the main file, and the drop-ins in `conf.d/` beside it.

Called by `load.py`. Invariant: a file that cannot be read is a problem; it never counts as empty.
"""

from __future__ import annotations

import re
import stat
import tomllib
from pathlib import Path

from hero_config.layers.line_numbers import find_lines
from hero_config.layers.merge import FileLayer
from hero_config.layers.problems import ConfigProblem
from hero_config.layers.rust_supervisor import Translation, is_rust_config
from hero_config.layers.toml_text import read_toml

DROP_IN_FOLDER = "conf.d"

#: Where `tomllib` found its error. Source: the messages of tomllib.TOMLDecodeError.
_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")


def read_files(path: Path) -> tuple[list[FileLayer], list[ConfigProblem]]:
    """Read a file and its drop-ins.

    Args:
        path: The main file.

    Returns:
        The main file, then those of `conf.d/` sorted by name; and the problems of that folder.
    """
    folder = path.parent / DROP_IN_FOLDER
    names: list[str] = []
    problems: list[ConfigProblem] = []
    try:
        names = sorted(
            found.name for found in folder.iterdir() if found.suffix == ".toml" and not found.name.startswith(".")
        )
    except FileNotFoundError:
        pass
    except OSError as e:
        problems = [ConfigProblem(source=str(folder), expected=f"cannot be read: {e.strerror}")]
    return [_read(path, drop_in=False), *(_read(folder / name, drop_in=True) for name in names)], problems


def _read(path: Path, *, drop_in: bool) -> FileLayer:
    source = str(path)
    try:
        # To read a pipe would take until somebody writes to it; the main file may be one that a shell has made.
        if drop_in and stat.S_IFMT(path.stat().st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
            return _unreadable(source, "is not a file", drop_in=drop_in)
        text = path.read_text(encoding="utf-8-sig")  # some editors write a byte order mark
        # With a line feed at the end, an error in the last line has a line number too.
        values = read_toml(text + "\n")
    except FileNotFoundError:
        return _unreadable(source, "the file does not exist", drop_in=drop_in)
    except OSError as e:
        return _unreadable(source, f"cannot be read: {e.strerror}", drop_in=drop_in)
    except UnicodeDecodeError as e:
        line = e.object[: e.start].count(b"\n") + 1
        return _unreadable(source, "not UTF-8", line=line, drop_in=drop_in)
    except tomllib.TOMLDecodeError as e:
        return _not_toml(source, str(e), drop_in=drop_in)
    lines = find_lines(text)
    if not is_rust_config(values):
        return FileLayer(source=source, values=values, lines=lines, drop_in=drop_in)
    translation = Translation(source, values, lines)
    return FileLayer(
        source=source,
        values=translation.values,
        lines=translation.lines,
        drop_in=drop_in,
        has_secrets=translation.has_secrets,
        problems=tuple(translation.problems),
        notes=tuple(translation.notes),
    )


def _not_toml(source: str, message: str, *, drop_in: bool) -> FileLayer:
    place = _PLACE.search(message)
    column = f" at column {place[2]}" if place else ""
    reason = message.removesuffix(place[0]) if place else message
    # A message without a place is about the whole text.
    hint = "; text needs quotes, and a key may appear only once" if place else ""
    expected = f"not TOML{column}: {reason}{hint}"
    return _unreadable(source, expected, line=int(place[1]) if place else None, drop_in=drop_in)


def _unreadable(source: str, expected: str, *, drop_in: bool, line: int | None = None) -> FileLayer:
    problem = ConfigProblem(source=source, line=line, expected=expected)
    return FileLayer(source=source, values={}, lines={}, drop_in=drop_in, problems=(problem,), readable=False)
