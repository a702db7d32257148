"""Loads scripts from files and folders into playbooks.

Together with `params.paths` it is the only module of the language that uses the file system.

Source: HeroScript specification, section 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hero_engine.languages.heroscript.playbook.playbook import Playbook
from hero_engine.languages.heroscript.text.diagnostic import Place
from hero_engine.languages.heroscript.text.errors import LoadError

# The order in which a folder's files are loaded.
SUFFIXES = (".md", ".hero", ".heroscript")


def load_playbook(
    path: str | Path, *, replace: Mapping[str, str] | None = None, priority: int = 50, keep_blank_lines: bool = False
) -> Playbook:
    """Load a file or a folder into a playbook.

    Args:
        path: A file with any name, or a folder, see `list_scripts`.
        replace: As for `Playbook.parse`.
        priority: As for `Playbook.parse`.
        keep_blank_lines: As for `Playbook.parse`.

    Raises:
        LoadError: The path does not exist or cannot be read.
        ParseError: A text is not HeroScript.
    """
    playbook = Playbook()
    for script in list_scripts(path):
        playbook.add(
            read_script(script),
            path=str(script),
            replace=replace,
            priority=priority,
            keep_blank_lines=keep_blank_lines,
        )
    playbook.path = str(path)
    return playbook


def list_scripts(path: str | Path) -> list[Path]:
    """List the files that loading a path would read.

    Args:
        path: A file or a folder.

    Returns:
        For a file, the file itself. For a folder, all `*.md`, then all `*.hero`, then all `*.heroscript` in it and in
        the folders below it [Q43], each group sorted by path. Names that start with `.` or `_`, and links, are left
        out.

    Raises:
        LoadError: The path does not exist, is neither a file nor a folder, or cannot be read.
    """
    root = Path(path)
    try:
        if root.is_dir():
            found = sorted(_walk(root), key=lambda item: (SUFFIXES.index(item.suffix), item.relative_to(root).parts))
        elif root.is_file():
            found = [root]
        elif root.exists():
            raise LoadError(f"can't process path: {path}, unknown type.")
        else:
            raise LoadError(f"can't find path:{path}")
    except (OSError, ValueError) as error:
        # ValueError: there is a NUL character in the path.
        raise LoadError(f"can't find path:{path}: {error}") from error
    return found


def read_script(path: str | Path) -> str:
    """Read the text of a file.

    Raises:
        LoadError: It cannot be read, or is not UTF-8; in that case with the place of the first invalid byte.
    """
    try:
        raw = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise LoadError(f"can't find path:{path}: {error}") from error
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        place = Place(path=str(path), line=line, column=column)
        raise LoadError(f"not UTF-8 text: byte 0x{raw[error.start]:02x}", place=place) from error


def real_path(path: str | Path) -> Path:
    """Resolve the links and dots of a path, whether it exists or not.

    Raises:
        LoadError: It is not a path, or its links form a loop.
    """
    try:
        return Path(path).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise LoadError(f"can't find path:{path}: {error}") from error


def _walk(folder: Path) -> list[Path]:
    found: list[Path] = []
    pending = [folder]
    while pending:
        for item in pending.pop().iterdir():
            if item.name.startswith((".", "_")) or item.is_symlink():
                continue
            if item.is_dir():
                pending.append(item)
            elif item.suffix in SUFFIXES and item.is_file():
                found.append(item)
    return found
