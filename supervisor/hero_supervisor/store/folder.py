"""The folder of the embedded store: its lock, its config and log files, and a socket path that the kernel accepts.

Owned here: everything in the folder except the server's data. Only `embedded.py` calls this. Invariant: at most one
server uses a folder. The lock is on an open file that the server inherits, so it is held until the server has ended,
even when its supervisor was killed.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import stat
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from hero_supervisor.errors import SocketPathTooLong, StoreDataForeign, StoreFolderBusy, StoreFolderUnusable
from hero_supervisor.store.data_files import DATA_FOLDER, examine
from hero_supervisor.store.durable import write_private
from hero_supervisor.store.kept_copies import set_aside
from hero_supervisor.store.password import make_password

log = logging.getLogger(__name__)

MAX_SOCKET_PATH_BYTES = 107
"""`sun_path` has 108 bytes, including the final zero byte. Source: unix(7)."""

# How long to wait for a lock, in seconds. A living owner keeps it; but its process id may belong to another process by
# now. A store without its supervisor is writing its last bytes, and then ends.
_OWNED_WAIT_S = 1.0
_ENDING_WAIT_S = 10.0
_LOG_TAIL_BYTES = 2000
# Version of the layout of the data. A program that changes the layout increases it, and older programs then refuse.
_FORMAT = 1


class StoreFolder:
    """One folder.

    Args:
        path: The folder. `lock` makes it when it is missing.

    Raises:
        SocketPathTooLong: Neither this folder nor the runtime folder gives a short enough socket path.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.socket_path = _socket_path(self.path)
        self.config_path = self.path / "valkey.conf"
        self.log_path = self.path / "valkey.log"
        self._format_path = self.path / "format"
        self._lock_fd: int | None = None

    def lock(self) -> int:
        """Make the folder and take its lock; does nothing when the lock is already held.

        Returns:
            The descriptor that holds the lock, for the server to inherit.

        Raises:
            StoreFolderBusy: Another supervisor holds the lock.
            StoreFolderUnusable: The folder cannot be made or written to.
        """
        if self._lock_fd is not None:
            return self._lock_fd
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.socket_path.parent != self.path:
                _make_private(self.socket_path.parent)
            fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as e:
            raise StoreFolderUnusable(self.path, e.strerror or str(e)) from e
        started_mono = time.monotonic()
        while not _try_lock(fd):
            owner_pid = _pid_in(fd)
            patience_s = _OWNED_WAIT_S if owner_pid and _runs(owner_pid) else _ENDING_WAIT_S
            if time.monotonic() - started_mono > patience_s:
                os.close(fd)
                raise StoreFolderBusy(self.path, owner_pid)
            time.sleep(0.02)
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        self._lock_fd = fd
        return fd

    def unlock(self) -> None:
        """Release the lock. It stays taken while a server that inherited it lives."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def password(self) -> str:
        """Give the store's password, which is made when there is none. Only with the lock.

        Raises:
            StoreFolderUnusable: The file can be neither read nor written.
        """
        try:
            return make_password(self.path)
        except OSError as e:
            raise StoreFolderUnusable(self.path, f"its file password: {e.strerror or e}") from e

    def prepare(self, config: Mapping[str, str | int]) -> None:
        """Write the config, set the last log aside, and remove the socket of a dead server. Only with the lock.

        Args:
            config: Directives of the server. Values are written as they are; paths must go through `quoted` before.

        Raises:
            StoreDataForeign: The data is that of a newer version of this runtime, or of a third-party server.
            StoreDataIncomplete: Files of the data are missing, or are there without belonging to it.
            StoreFolderUnusable: The folder cannot be written to.
        """
        self._check_data()
        text = "# Written at each start; change [embedded] in the service's config instead.\n"
        text += "".join(f"{key} {value}\n" for key, value in config.items())
        try:
            # It holds the password.
            write_private(self.config_path, text)
            write_private(self._format_path, f"{_FORMAT}\n")
            # One log per start, and the previous one, so that logs do not grow without bound.
            if self.log_path.exists():
                self.log_path.replace(self.log_path.with_suffix(".log.1"))
            # A killed server has left it. The lock proves that no living server listens there.
            self.socket_path.unlink(missing_ok=True)
        except OSError as e:
            raise StoreFolderUnusable(self.path, e.strerror or str(e)) from e

    def _check_data(self) -> None:
        try:
            found = self._format_path.read_text().strip()
        except FileNotFoundError:
            found = str(_FORMAT)
        except (OSError, UnicodeDecodeError) as e:
            raise StoreFolderUnusable(self.path, f"{self._format_path.name} cannot be read: {e}") from e
        if not found.strip("\0"):
            # Older versions did not synchronise this file, so a crash of the machine could leave it empty or zeroed.
            log.warning("store.format_lost", extra={"file": str(self._format_path), "assumed": _FORMAT})
            found = str(_FORMAT)
        if found != str(_FORMAT):
            raise StoreDataForeign(
                self.path,
                f"holds data of format {found[:40]!r}, this version reads {_FORMAT}; use the version that wrote it",
            )
        # With append-only files enabled, the server would ignore the snapshot and start empty.
        if (self.path / "dump.rdb").exists() and not (self.path / DATA_FOLDER).exists():
            hint = "load it with a server of its own and move the jobs with heroctl export and import"
            raise StoreDataForeign(self.path, f"holds dump.rdb, a snapshot of another server: {hint}")
        examined = examine(self.path)
        try:
            for stranger in examined.strangers:
                size, kept = stranger.stat().st_size, set_aside(self.path, stranger)
                log.warning("store.set_aside", extra={"file": stranger.name, "bytes": size, "kept": str(kept)})
            for leftover in examined.leftovers:
                size = leftover.stat().st_size
                leftover.unlink()
                log.warning("store.leftover_removed", extra={"file": leftover.name, "bytes": size})
        except OSError as e:
            raise StoreFolderUnusable(self.path, e.strerror or str(e)) from e

    def data_names(self) -> frozenset[str]:
        """Name the files of the data. A rewrite changes the names."""
        return frozenset(path.name for path in (self.path / DATA_FOLDER).glob("*.aof"))

    def log_tail(self) -> str:
        """Give the last warnings and config errors of the server's log, or its last lines when there are none."""
        try:
            with self.log_path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        # A line is "pid:role date level text". "#" is the level of warnings.
        return "\n".join(([line for line in lines if " # " in line] or lines)[-6:])


def quoted(path: Path) -> str:
    """Quote a path for a Valkey config; it may contain blanks and quotes."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _socket_path(folder: Path) -> Path:
    """Choose the path of the socket: in the folder, or in a private runtime folder when that is too long."""
    wanted = folder / "valkey.sock"
    if len(os.fsencode(wanted)) <= MAX_SOCKET_PATH_BYTES:
        return wanted
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if not runtime.is_absolute() or not runtime.is_dir():
        runtime = Path(tempfile.gettempdir())
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    short = runtime / f"hero-{os.getuid()}-{digest}" / "valkey.sock"
    if len(os.fsencode(short)) > MAX_SOCKET_PATH_BYTES:
        raise SocketPathTooLong(wanted, MAX_SOCKET_PATH_BYTES)
    return short


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    # In a folder where every user may write, another user may have made it first.
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise StoreFolderUnusable(folder, "it is not a private folder of this user; remove it, or set XDG_RUNTIME_DIR")


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid_in(fd: int) -> int | None:
    text = os.pread(fd, 20, 0).decode(errors="replace").strip()
    return int(text) if text.isdecimal() else None


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # signal 0 only checks
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
