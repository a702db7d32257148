"""The folder `damaged` beside the store's data: what was there before something was repaired.

Owned here: the names of the copies, and how many are kept. `repair.py` and `folder.py` put files there, and `heroctl
doctor` lists them. Invariant: the copy that is being made is never removed to make room.
"""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hero_supervisor.store.durable import sync_file, sync_folder

#: So many copies of each file are kept. Each may be as large as the data itself.
KEPT_COPIES: Final = 3
_STAMPED: Final = re.compile(r"(?P<name>.+)\.(?P<stamp>\d{8}T\d{12}Z)")
_NUMBER: Final = re.compile(r"\.\d+\.")


def keep_copy(folder: Path, file: Path) -> Path:
    """Copy a file of the data before it is changed.

    Args:
        folder: The store's folder.
        file: The file.

    Returns:
        The copy, which is safely on the disk.

    Raises:
        OSError: It cannot be copied.
    """
    kept = _name(folder, file)
    with file.open("rb") as data, kept.open("xb") as copy:
        shutil.copyfileobj(data, copy, 1024 * 1024)
    sync_file(kept)
    _finish(kept)
    return kept


def set_aside(folder: Path, file: Path) -> Path:
    """Move a file that is no part of the data out of the way.

    Args:
        folder: The store's folder.
        file: The file.

    Returns:
        Where it is now.

    Raises:
        OSError: It cannot be moved.
    """
    kept = _name(folder, file)
    file.rename(kept)
    sync_folder(file.parent)
    _finish(kept)
    return kept


def kept_copies(folder: Path) -> list[Path]:
    """List the copies in the store's folder, oldest first."""
    found = [path for path in (folder / "damaged").glob("*") if _STAMPED.fullmatch(path.name)]
    return sorted(found, key=lambda path: path.name.rpartition(".")[2])


def _name(folder: Path, file: Path) -> Path:
    kept = folder / "damaged" / f"{file.name}.{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    kept.parent.mkdir(mode=0o700, exist_ok=True)
    return kept


def _finish(kept: Path) -> None:
    sync_folder(kept.parent)
    # The number in the name changes with each rewrite of the data.
    same = [path for path in kept_copies(kept.parent.parent) if _kind(path) == _kind(kept) and path != kept]
    for old in same[: len(same) + 1 - KEPT_COPIES] if len(same) >= KEPT_COPIES else []:
        old.unlink(missing_ok=True)


def _kind(kept: Path) -> str:
    return _NUMBER.sub(".", kept.name.rpartition(".")[0], count=1)
