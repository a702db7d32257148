"""Owns the `hero-supervisor` process of `hero-dev` and `scripts/run`: start, readiness, end.

Invariant: no matter how the program ends, the service ends too, with its actors and its store. At the end it is asked
to drain; if the program is killed, the kernel sends it SIGTERM; and it ends its own children.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from hero_config.layers.places import SHORT_VARIABLES, find_places
from hero_ctl.dev.ending import end_with_parent, signals_held

if TYPE_CHECKING:
    from hero_ctl.dev.port import DevPort
    from hero_job.model.views import ActorPresence

READY_LIMIT_S: Final = 120.0
STOP_LIMIT_S: Final = 20.0
#: Settings of the user's shell that would change the service; they are removed from its environment.
_OTHER_SERVICE: Final = (
    "HERO_STORE__",
    "HERO_EMBEDDED__",
    "HERO_RPC__",
    "HERO_ACTORS",
    "HERO_CONFIG",
    *SHORT_VARIABLES,
)
_HEROSCRIPT_ACTORS: Final = """
[[actors]]
type = "python"
[[actors]]
type = "v"
"""
# Becomes the service, with the listening socket as the descriptor that sd_listen_fds(3) names. Only the process itself
# knows the id that LISTEN_PID needs.
_LAUNCHER: Final = """
import os, sys
held = int(sys.argv[1])
os.dup2(held, 3)
os.close(held)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "tcp"}
os.execv(sys.argv[2], sys.argv[2:])
"""
_LOWEST_FD: Final = 10  # above those that the launcher sets


class AlreadyUp(Exception):
    """Another `hero-dev` or `scripts/run` uses the state folder."""

    def __init__(self, state_dir: Path, other: str, pid: str, program: str) -> None:
        """Keep what the message says.

        Args:
            state_dir: The folder.
            other: Name of the other program.
            pid: Its process id; empty if it is not known.
            program: Name of this program.
        """
        who = f" (process {pid})" if pid else ""
        super().__init__(
            f"another {other} is up{who} and uses {state_dir}; end it with Ctrl-C there, or give this one its own "
            f"folder: {program} --state-dir DIR"
        )


class ServiceFailed(Exception):
    """The service did not start, or not all of its actors did."""


class DevService:
    """The service of one `hero-dev`.

    Args:
        state_dir: Folder of its store, socket, settings and log; created if missing.
        program: Name of the program that starts it, for messages.
        port: Its TCP port, which is closed here once the service has it.
    """

    def __init__(self, state_dir: Path, *, program: str, port: DevPort) -> None:
        self._program = program
        self._port = port
        self.state_dir = state_dir
        self.socket_path = state_dir / "hero.ipc"
        self.log_path = state_dir / "supervisor.log"
        self.config_path = state_dir / "hero.toml"
        self.redis_url = ""
        self.namespace = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._started: list[psutil.Process] = []

    @property
    def pid(self) -> int:
        """Process id of the supervisor; 0 if it does not run."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start it and wait until its actors take jobs.

        Raises:
            AlreadyUp: Another program of this kind uses the folder.
            ServiceFailed: It ended, or was not ready in time.
        """
        try:
            self.state_dir.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            self._port.take_token(self.state_dir)
            config = self._write_config()
            log_file = self.log_path.open("wb")
        except OSError as e:
            raise ServiceFailed(
                f"the folder {self.state_dir} cannot be used: {e.strerror}; choose another one with --state-dir"
            ) from e
        ready_read, ready_write = _high(os.pipe())
        listener = fcntl.fcntl(self._port.listener, fcntl.F_DUPFD_CLOEXEC, _LOWEST_FD)
        try:
            with log_file as log, signals_held():
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(listener),
                     sys.executable, "-P", "-m", "hero_supervisor.cli", "--config", str(config), "--ready-fd",
                     str(ready_write)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._environment(),
                    pass_fds=(ready_write, listener),
                    # Ctrl-C at the terminal must reach this program only, which then asks the service to drain.
                    start_new_session=True,
                    preexec_fn=end_with_parent,  # noqa: PLW1509  # this program has one thread
                )  # fmt: skip
            os.close(ready_write)
            ready_write = -1
            # A port that only this program held would let clients wait for a service that has ended.
            self._port.listener.close()
            os.close(listener)
            listener = -1
            self._await_ready(ready_read)
        finally:
            os.close(ready_read)
            if listener >= 0:
                os.close(listener)
            if ready_write >= 0:
                os.close(ready_write)
        places = find_places(self.config_path, self._environment())
        self.redis_url, self.namespace = places.store_url().value, places.namespace.value
        self._note_started()

    def actors(self) -> list[ActorPresence]:
        """List the actors that are up."""
        from hero_client import SupervisorBuilder

        with SupervisorBuilder().redis_url(self.redis_url).namespace(self.namespace).build() as supervisor:
            return [actor for actor in supervisor.list_actors() if actor.beat_at is not None]

    def wait(self) -> int:
        """Wait until the service ends by itself; a signal to this program interrupts the wait."""
        assert self._process is not None
        return self._process.wait()

    def stop(self) -> None:
        """Let the service drain and end; kill what is left after the limit."""
        if self._process is not None:
            if self._process.poll() is None:
                self._note_started()
                self._process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(STOP_LIMIT_S)
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()
            self._process = None
        # A service that ended by itself leaves no process. Actors and store of a killed one end by themselves soon.
        _, left = psutil.wait_procs(self._started, timeout=STOP_LIMIT_S)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._started = []
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def log_tail(self) -> str:
        """The end of the service's log, for a message."""
        try:
            lines = self.log_path.read_text(errors="replace").splitlines()
        except OSError:
            return "it left no log"
        return "its log ends with:\n" + "\n".join(f"  {line}" for line in lines[-8:])

    def _note_started(self) -> None:
        """Remember the processes that the service has started, in case it cannot end them itself."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self._started = psutil.Process(self.pid).children(recursive=True)

    def _await_ready(self, ready_read: int) -> None:
        assert self._process is not None
        deadline_mono = time.monotonic() + READY_LIMIT_S
        readable, _, _ = select.select([ready_read], [], [], max(0.0, deadline_mono - time.monotonic()))
        if not readable:
            raise ServiceFailed(f"the service is not ready after {READY_LIMIT_S:g} s; {self.log_tail()}")
        report = os.read(ready_read, 100)
        if not report:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_LIMIT_S)
            raise ServiceFailed(f"the service did not start (exit code {self._process.poll()}); {self.log_tail()}")
        if report.strip():
            raise ServiceFailed(f"not all actors of the service have started; {self.log_tail()}")

    def _take_lock(self) -> None:
        fd = os.open(self.state_dir / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _, other = os.pread(fd, 100, 0).decode(errors="replace").strip().partition(" ")
            os.close(fd)
            raise AlreadyUp(self.state_dir, other or self._program, pid, self._program) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()} {self._program}".encode(), 0)
        self._lock = fd

    def _write_config(self) -> Path:
        """Write the settings at the first start: the defaults and actors for HeroScript. Later starts keep them."""
        path = self.config_path
        if not path.exists():
            from hero_config.report.default_file import default_file

            text = default_file() + _HEROSCRIPT_ACTORS
            # With the folder's own places in it, every program finds store and socket by this file.
            text = text.replace('".hero/store"', json.dumps(str(self.state_dir / "store")))
            text = text.replace('".hero/hero.ipc"', json.dumps(str(self.socket_path)))
            new = path.with_suffix(".new")  # an interrupted start must not leave half of the settings
            new.write_text(text, "utf-8")
            new.replace(path)
        return path

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OTHER_SERVICE)}
        return {
            **kept,
            "HERO_EMBEDDED__DIR": str(self.state_dir / "store"),
            "HERO_RPC__UNIX_SOCKET": str(self.socket_path),
            **self._port.settings(),
        }


def _high(fds: tuple[int, int]) -> tuple[int, int]:
    """Move descriptors above those that the launcher sets."""
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _LOWEST_FD) for fd in fds]
    for fd in fds:
        os.close(fd)
    return moved[0], moved[1]
