"""Scratch folders: one per run that asks for it, removed when the run ends, also after a crash.

All of a process are in one folder of its own, which it keeps locked. The lock ends with the process, so an actor at its
start removes the folders that have no lock. Imported at the start of an actor; the imports are as few as possible.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import threading
from collections.abc import Callable

_lock = threading.Lock()
#: The folder of this process, and its descriptor, which holds the lock.
_base: tuple[str, int] | None = None


def new_scratch() -> str:
    """Make an empty folder with mode 0700.

    Returns:
        Its absolute path, without links above it.
    """
    path = f"{_base_folder()}/{os.urandom(8).hex()}"
    os.mkdir(path, 0o700)  # noqa: PTH102  pathlib is slow to import
    return path


def clean_left_scratch() -> int:
    """Remove the folders of processes that have ended.

    Returns:
        How many there were.
    """
    count = 0
    prefix = _prefix()
    with contextlib.suppress(OSError), os.scandir(_temporary()) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False):
                count += _clean(entry.path)
    return count


def remove_tree(path: str) -> None:
    """Remove a folder with everything in it, however deep, without following a link.

    Raises:
        OSError: Something cannot be removed.
    """
    with contextlib.suppress(FileNotFoundError):
        fd = _open_folder(path, None)
        try:
            empty_folder(fd, lambda: None)
        finally:
            os.close(fd)
        os.rmdir(path)  # noqa: PTH106  pathlib is slow to import


def empty_folder(folder: int, check: Callable[[], None]) -> None:
    """Remove everything in a folder, without following a link.

    Subfolders are moved up into the folder before they are removed, so depth costs neither descriptors nor recursion.

    Args:
        folder: Its descriptor.
        check: Called before each removal; may raise.

    Raises:
        OSError: Something cannot be removed.
    """
    while names := os.listdir(folder):
        for name in names:
            check()
            if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                os.unlink(name, dir_fd=folder)
                continue
            try:
                os.rmdir(name, dir_fd=folder)
            except OSError as e:
                if e.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES):
                    raise
                _flatten(folder, name, check)


def _flatten(folder: int, name: str, check: Callable[[], None]) -> None:
    """Move the subfolders of a subfolder into the folder, and remove the rest of it."""
    below = _open_folder(name, folder)
    try:
        for inner in os.listdir(below):  # noqa: PTH208  by descriptor
            check()
            if stat.S_ISDIR(os.stat(inner, dir_fd=below, follow_symlinks=False).st_mode):
                _make_accessible(inner, below)
                os.rename(inner, os.urandom(12).hex(), src_dir_fd=below, dst_dir_fd=folder)
            else:
                os.unlink(inner, dir_fd=below)
    finally:
        os.close(below)
    os.rmdir(name, dir_fd=folder)


def _open_folder(name: str, at: int | None) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    _make_accessible(name, at)
    return os.open(name, flags, dir_fd=at)


def _make_accessible(name: str, at: int | None) -> None:
    """Undo a `chmod` by which a script keeps its folder from being removed."""
    if os.stat(name, dir_fd=at, follow_symlinks=False).st_mode & 0o700 == 0o700:
        return
    # By its descriptor: a link that takes its place meanwhile must not be followed.
    fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    try:
        os.chmod(f"/proc/self/fd/{fd}", 0o700)  # noqa: PTH101  pathlib is slow to import
    finally:
        os.close(fd)


def _temporary() -> str:
    return os.path.realpath(os.environ.get("TMPDIR") or "/tmp")


def _prefix() -> str:
    return f"hero-scratch-{os.getuid()}-"


def _base_folder() -> str:
    global _base  # noqa: PLW0603  one per process
    with _lock:
        while _base is None:
            path = f"{_temporary()}/{_prefix()}{os.urandom(8).hex()}"
            os.mkdir(path, 0o700)  # noqa: PTH102  pathlib is slow to import
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.stat(path)  # noqa: PTH116  pathlib is slow to import
            except OSError:
                # Another process has found it before it was locked, and removes it.
                os.close(fd)
            else:
                _base = path, fd
        return _base[0]


def _clean(path: str) -> bool:
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(fd).st_uid == os.getuid():
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_tree(path)
                return True
        finally:
            os.close(fd)
    return False
