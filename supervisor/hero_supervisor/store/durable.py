"""Writes the own files of the store's folder: after a crash of the machine the old file is there, or the new one.

`folder.py`, `password.py` and `marker.py` call this. Source: rename(2), fsync(2): the new name is on the disk only when
the folder has been synchronised too.
"""

from __future__ import annotations

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in one step. What others may have opened before does not change.

    Args:
        path: The file.
        text: What it will hold.

    Raises:
        OSError: It cannot be written. The old file, if there was one, is still there.
    """
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file(path: Path) -> int:
    """Wait until what a file holds now is on the disk.

    Args:
        path: The file. Another process may append to it meanwhile.

    Returns:
        How many bytes of it are certainly on the disk.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        os.fsync(fd)
    finally:
        os.close(fd)
    return size
