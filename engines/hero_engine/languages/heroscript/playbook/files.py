"""The only module of the package that touches the file system: scripts and folders of scripts to text, and paths.

Source: HeroScript specification, sections 7 and 9 (get_path).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hero_engine.languages.heroscript.text.diagnostic import Place
from hero_engine.languages.heroscript.text.errors import LoadError

if TYPE_CHECKING:
    from hero_engine.languages.heroscript.playbook.playbook import Playbook

# The order in which a folder's files are loaded.
SUFFIXES = (".md", ".hero", ".heroscript")


def load_playbook(
    path: str | Path, *, replace: Mapping[str, str] | None = None, priority: int = 50, keep_blank_lines: bool = False
) -> Playbook:
    """Read a file or a folder into a playbook.

    Args:
        path: a file of any name, or a folder, see `list_scripts`.
        replace: as for `Playbook.parse`.
        priority: as for `Playbook.parse`.
        keep_blank_lines: as for `Playbook.parse`.

    Raises:
        LoadError: it is missing or cannot be read.
        ParseError: a text is not HeroScript.
    """
    # Here, because the getters of params, which a playbook is made of, ask this module for paths.
    from hero_engine.languages.heroscript.playbook.playbook import Playbook

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
    """The files that loading a path means.

    Args:
        path: a file, or a folder.

    Returns:
        The file itself; or of the folder and the folders below it [Q43] all `*.md`, then all `*.hero`, then all
        `*.heroscript`, each group sorted by path; names that start with `.` or `_` and links are left out.

    Raises:
        LoadError: it is missing, or neither file nor folder, or a folder cannot be read.
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
        # ValueError: a NUL character in the path.
        raise LoadError(f"can't find path:{path}: {error}") from error
    return found


def read_script(path: str | Path) -> str:
    """The text of a file.

    Raises:
        LoadError: it cannot be read, or is not UTF-8; then with the place of the first bad byte.
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
    """A path without links and dots, whether it exists or not.

    Raises:
        LoadError: it is no path at all, or its links go in circles.
    """
    try:
        return Path(path).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise LoadError(f"can't find path:{path}: {error}") from error


def find_path(text: str) -> Path | None:
    """A path that exists, every `~` being the home folder; None if it does not exist."""
    path = _expand(text)
    try:
        return path if text and path.exists() else None
    except (OSError, ValueError):
        return None


def create_folder(text: str) -> Path | None:
    """A path, made as a folder with its parents if it does not exist; None if that fails."""
    path = _expand(text)
    try:
        if not path.exists():
            path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError):
        return None
    return path if text else None


def _expand(text: str) -> Path:
    return Path(text.replace("~", str(Path.home())) if "~" in text else text)


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
