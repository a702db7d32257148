"""Owns the `hero-supervisor` process of the quick start: start, readiness, end.

Invariant: when this program has ended, by whatever way, so has the service, and with it its actors and its store. It is
asked to drain on the way out, gets SIGTERM from the kernel when this program is killed, and ends its own children.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from hero_ctl.connect import store_url

if TYPE_CHECKING:
    from hero_job.model.views import ActorPresence

READY_LIMIT_S = 60.0
STOP_LIMIT_S = 20.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
#: Settings of the caller's shell that would make it another service than the one that is shown.
_OTHER_SERVICE = ("HERO_STORE__", "HERO_EMBEDDED__", "HERO_RPC__", "HERO_ACTORS", "HERO_REDIS_URL", "HERO_CONFIG")


_HEROSCRIPT_ACTORS = """
[[actors]]
type = "python"
[[actors]]
type = "v"
"""


class AlreadyUp(Exception):
    """Another `scripts/run` uses the state folder."""

    def __init__(self, state_dir: Path, pid: str) -> None:
        who = f" (process {pid})" if pid else ""
        super().__init__(
            f"another scripts/run is up{who} and uses {state_dir}; end it with Ctrl-C there, or give this one a folder "
            f"of its own: scripts/run --state-dir DIR"
        )


class ServiceFailed(Exception):
    """The service does not come up, or not whole."""


class Service:
    """One service.

    Args:
        state_dir: Folder of its store, socket and log; made when missing.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.socket_path = state_dir / "hero.ipc"
        self.log_path = state_dir / "supervisor.log"
        self.redis_url = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._family: list[psutil.Process] = []

    @property
    def pid(self) -> int:
        """Process id of the supervisor; 0 when there is none."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start it and wait until its actors take jobs.

        Raises:
            AlreadyUp: Another quick start uses the folder.
            ServiceFailed: It ended, or is not whole in time.
        """
        try:
            self.state_dir.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            config = self._write_config()
        except OSError as e:
            raise ServiceFailed(f"the folder {self.state_dir} cannot be used: {e.strerror}") from e
        ready_read, ready_write = os.pipe()
        try:
            with self.log_path.open("wb") as log, _signals_held():
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "hero_supervisor.cli", "--config", str(config), "--ready-fd",
                     str(ready_write)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._environment(),
                    pass_fds=(ready_write,),
                    # Ctrl-C at the terminal is for us; we ask the service to drain.
                    start_new_session=True,
                    preexec_fn=_end_with_parent,  # noqa: PLW1509  # this program has one thread
                )  # fmt: skip
            os.close(ready_write)
            ready_write = -1
            self._await_ready(ready_read)
        finally:
            os.close(ready_read)
            if ready_write >= 0:
                os.close(ready_write)
        self.redis_url = store_url(None, self.state_dir / "store")
        self._note_family()

    def actors(self) -> list[ActorPresence]:
        """The actors that have joined."""
        from hero_client import SupervisorBuilder

        with SupervisorBuilder().redis_url(self.redis_url).build() as supervisor:
            return [actor for actor in supervisor.list_actors() if actor.beat_at is not None]

    def wait(self) -> int:
        """Wait until it ends by itself; a signal to this program interrupts."""
        assert self._process is not None
        return self._process.wait()

    def stop(self) -> None:
        """Let it drain and end; kill what is left after the limit."""
        if self._process is not None:
            if self._process.poll() is None:
                self._note_family()
                self._process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(STOP_LIMIT_S)
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()
            self._process = None
        # Of a service that ended well nobody is left; of one that was killed, actors and store end by themselves soon.
        _, left = psutil.wait_procs(self._family, timeout=STOP_LIMIT_S)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._family = []
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def log_tail(self) -> str:
        """The end of its log, for a message."""
        try:
            lines = self.log_path.read_text(errors="replace").splitlines()
        except OSError:
            return "it left no log"
        return "its log ends with:\n" + "\n".join(f"  {line}" for line in lines[-8:])

    def _note_family(self) -> None:
        """Remember the processes that the service has started, for the case that it cannot end them itself."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self._family = psutil.Process(self.pid).children(recursive=True)

    def _await_ready(self, ready_read: int) -> None:
        assert self._process is not None
        deadline_mono = time.monotonic() + READY_LIMIT_S
        readable, _, _ = select.select([ready_read], [], [], max(0.0, deadline_mono - time.monotonic()))
        if not readable:
            raise ServiceFailed(f"the service is not ready after {READY_LIMIT_S:g} s; {self.log_tail()}")
        said = os.read(ready_read, 100)
        if not said:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_LIMIT_S)
            raise ServiceFailed(f"the service did not start (exit code {self._process.poll()}); {self.log_tail()}")
        if said.strip():
            raise ServiceFailed(f"not all actors of the service have started; {self.log_tail()}")

    def _take_lock(self) -> None:
        fd = os.open(self.state_dir / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(fd, 20, 0).decode(errors="replace").strip()
            os.close(fd)
            raise AlreadyUp(self.state_dir, pid) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        self._lock = fd

    def _write_config(self) -> Path:
        """Take config/hero.toml as it is, and the two actors for HeroScript beside the two that it has."""
        path = self.state_dir / "hero.toml"
        path.write_text(Path("config/hero.toml").read_text("utf-8") + _HEROSCRIPT_ACTORS, "utf-8")
        return path

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OTHER_SERVICE)}
        return {
            **kept,
            "HERO_EMBEDDED__DIR": str(self.state_dir / "store"),
            "HERO_RPC__UNIX_SOCKET": str(self.socket_path),
        }


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Hold signals back, so that none strikes between the start of the process and the note of its id."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """Runs in the new process before the program does."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
