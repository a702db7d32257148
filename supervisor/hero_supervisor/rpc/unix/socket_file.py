"""Takes the path of a Unix socket if it is free or its server is dead, and removes the file at the end.

The server calls it when it starts and when it closes. Invariants: a file that is not a socket, or a socket that
somebody listens on, is never removed; of two servers that start simultaneously, only one gets the path.

Trying to connect is not enough: after one server has found the old socket dead and before it binds the new one, a
second server may come to the same conclusion and remove the new socket. So the test, the removal, bind and listen
happen under an exclusive ``flock`` on the folder. After ``listen`` the test finds the socket alive, so the lock can be
released, and no lock file is left behind.

Source: unix(7), flock(2).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import socket
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hero_supervisor.errors import HeroSupervisorError

# sun_path has 108 bytes on Linux and 104 on macOS and the BSDs, the closing NUL included.
MAX_PATH_BYTES: Final = 107 if sys.platform == "linux" else 103
_BACKLOG: Final = 1024
_LOCK_PATIENCE_S: Final = 5.0

log = logging.getLogger(__name__)


class SocketPathRefused(HeroSupervisorError):
    """The server cannot listen on the path."""

    def __init__(self, path: Path, reason: str) -> None:
        """Keep the path and the reason, which also says what to do."""
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot listen on {self.path}: {self.reason}"


class SocketInUse(SocketPathRefused):
    """A live server listens on the path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketFile:
    """A listening socket and its file."""

    listener: socket.socket
    path: Path
    device: int
    inode: int
    passed: bool = False
    """The service manager made the socket, and keeps it and its file when this process ends."""

    def remove(self) -> None:
        """Remove the file if it is still ours.

        Call this before closing the listener: while it is open, the kernel keeps our inode, so no other file can have
        the same number.
        """
        if self.passed:
            return
        with contextlib.suppress(OSError), _folder_locked(self.path):
            found = self.path.lstat()
            if (found.st_dev, found.st_ino) == (self.device, self.inode):
                self.path.unlink()


def listen(path: Path, mode: int) -> SocketFile:
    """Take a path and listen on it.

    Args:
        path: Is made absolute, so that a later change of directory has no effect. Missing folders are created, for the
            owner alone.
        mode: Permissions of the socket; it never exists with more.

    Raises:
        SocketInUse: A live server listens there.
        SocketPathRefused: The path is too long, is not a socket, or the operating system refuses it.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a link in the folder to a longer path
    size = len(os.fsencode(path))
    if size > MAX_PATH_BYTES:
        reason = f"the path has {size} bytes and may have {MAX_PATH_BYTES}; choose a shorter one"
        raise SocketPathRefused(path, reason)
    try:
        _make_folder(path.parent)
        with _folder_locked(path):
            _clear(path)
            return _bind(path, mode)
    except OSError as e:
        raise SocketPathRefused(path, e.strerror or str(e)) from e


async def take(path: Path, mode: int) -> SocketFile:
    """Run `listen` in a thread, because it may wait for another server that starts in the same folder.

    When it is cancelled, nothing is left behind: the thread goes on, and a socket that it makes is removed again.

    Args:
        path: As for `listen`.
        mode: As for `listen`.

    Raises:
        SocketInUse: A live server listens there.
        SocketPathRefused: The path cannot be used.
    """
    taking = asyncio.create_task(asyncio.to_thread(listen, path, mode))
    try:
        return await asyncio.shield(taking)
    except asyncio.CancelledError:
        with contextlib.suppress(SocketPathRefused):
            made = await taking
            made.remove()
            made.listener.close()
        raise


def adopt(listener: socket.socket) -> SocketFile:
    """Use a socket that the service manager has made; its file, mode and owner stay as they are.

    Args:
        listener: A socket that listens already.
    """
    name = os.fsencode(listener.getsockname())
    # A name in the abstract namespace begins with a zero byte and is usually written with @.
    path = Path(os.fsdecode(b"@" + name[1:] if name[:1] == b"\0" else name))
    return SocketFile(listener=listener, path=path, device=0, inode=0, passed=True)


def _make_folder(folder: Path) -> None:
    for missing in reversed([parent for parent in (folder, *folder.parents) if not parent.exists()]):
        with contextlib.suppress(FileExistsError):
            missing.mkdir(mode=0o700)
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        log.warning("rpc.folder_writable_by_all", extra={"folder": str(folder), "mode": oct(mode & 0o7777)})


@contextlib.contextmanager
def _folder_locked(path: Path) -> Iterator[None]:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    deadline_mono = time.monotonic() + _LOCK_PATIENCE_S
    try:
        while True:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # Without blocking, because in a folder like /tmp anybody can hold the lock forever.
                if time.monotonic() > deadline_mono:
                    reason = (
                        f"another process has held the lock of the folder for {_LOCK_PATIENCE_S:g} s; "
                        "end that process, or choose a path in another folder"
                    )
                    raise SocketPathRefused(path, reason) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(folder)


def _clear(path: Path) -> None:
    """Remove the socket of a dead server; refuse everything else that exists at the path."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise SocketPathRefused(path, "the path exists and is not a socket; remove it or choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        outcome = probe.connect_ex(str(path))
    # EAGAIN: the listener's backlog is full, so there is one.
    if outcome in {0, errno.EAGAIN, errno.EINPROGRESS}:
        raise SocketInUse(path, "a server already listens there; stop it or choose another path")
    if outcome == errno.EPROTOTYPE:
        raise SocketInUse(path, "the path is a socket of another type; remove it or choose another path")
    if outcome != errno.ECONNREFUSED:
        raise OSError(outcome, os.strerror(outcome))
    path.unlink()
    log.info("rpc.socket_taken_over", extra={"socket": str(path)})


def _bind(path: Path, mode: int) -> SocketFile:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        # Linux gives the file the mode of the socket minus the umask, so the file is never open to too many.
        os.fchmod(listener.fileno(), mode)
        listener.bind(str(path))
        # Restores the bits that the umask removed, and sets the mode on systems that ignore fchmod. Nobody can connect
        # before listen.
        path.chmod(mode)
        listener.listen(_BACKLOG)
        made = path.lstat()
    except BaseException:
        listener.close()
        raise
    return SocketFile(listener=listener, path=path, device=made.st_dev, inode=made.st_ino)
