"""Reads the files of the configuration: the one that is named, and those of `conf.d/` beside it.

Owned here: which files belong to a configuration, and what is said of one that cannot be read. Called by `load.py`.
Invariant: a file that cannot be read, or only in part, is a problem; it never counts as empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hero_config.layers.layers import FileLayer
from hero_config.layers.problems import ConfigProblem
from hero_config.layers.rust import Translation, is_rust
from hero_config.layers.toml_text import read_toml

DROP_IN_FOLDER = "conf.d"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    """One file as it was read.

    Attributes:
        layer: Its values, as far as they could be read.
        problems: What is wrong with it as a file.
        notes: What in it does nothing.
        whole: All of it could be read.
    """

    layer: FileLayer
    problems: tuple[ConfigProblem, ...] = ()
    notes: tuple[ConfigProblem, ...] = ()
    whole: bool = field(default=True)


def read_files(path: Path) -> tuple[list[ReadFile], list[ConfigProblem]]:
    """Read a file and its drop-ins.

    Args:
        path: The main file.

    Returns:
        The main file, then those of `conf.d/` in the order of their names; and what is wrong with that folder.
    """
    folder = path.parent / DROP_IN_FOLDER
    try:
        names = sorted(
            found.name for found in folder.iterdir() if found.suffix == ".toml" and not found.name.startswith(".")
        )
    except FileNotFoundError:
        names, problems = [], []
    except OSError as e:
        names, problems = [], [ConfigProblem(source=str(folder), expected=f"cannot be read: {e.strerror}")]
    else:
        problems = []
    return [_read(path, drop_in=False), *(_read(folder / name, drop_in=True) for name in names)], problems


def _read(path: Path, *, drop_in: bool) -> ReadFile:
    source = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return _unreadable(source, "the file does not exist", drop_in=drop_in)
    except OSError as e:
        return _unreadable(source, f"cannot be read: {e.strerror}", drop_in=drop_in)
    except UnicodeDecodeError as e:
        line = e.object[: e.start].count(b"\n") + 1
        return _unreadable(source, "not UTF-8", line=line, drop_in=drop_in)
    read = read_toml(text)
    problems = [ConfigProblem(source=source, line=m.line, expected=m.expected) for m in read.mistakes]
    values, lines, notes = read.values, read.lines, []
    has_secrets = False
    if is_rust(values):
        translation = Translation(source, values, lines)
        values, lines, notes = translation.values, translation.lines, translation.notes
        problems += translation.problems
        has_secrets = translation.has_secrets
    return ReadFile(
        layer=FileLayer(source=source, values=values, lines=lines, drop_in=drop_in, has_secrets=has_secrets),
        problems=tuple(problems),
        notes=tuple(notes),
        whole=not read.mistakes,
    )


def _unreadable(source: str, expected: str, *, drop_in: bool, line: int | None = None) -> ReadFile:
    return ReadFile(
        layer=FileLayer(source=source, values={}, lines={}, drop_in=drop_in),
        problems=(ConfigProblem(source=source, line=line, expected=expected),),
        whole=False,
    )
