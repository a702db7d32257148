"""Owns the `hero-supervisor` process of the quick start: start, readiness, end.

Invariant: no matter how this program ends, the service ends too, with its actors and its store. At the end it is asked
to drain; if this program is killed, the kernel sends it SIGTERM; and it ends its own children.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
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
#: Settings of the user's shell that would change the service; they are removed from its environment.
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
            f"another scripts/run is up{who} and uses {state_dir}; end it with Ctrl-C there, or give this one its own "
            f"folder: scripts/run --state-dir DIR"
        )


class ServiceFailed(Exception):
    """The service did not start, or not all of its actors did."""


class QuickStartService:
    """The service of one quick start.

    Args:
        state_dir: Folder of its store, socket and log; created if missing.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.socket_path = state_dir / "hero.ipc"
        self.log_path = state_dir / "supervisor.log"
        self.config_path = state_dir / "hero.toml"
        self.redis_url = ""
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
            AlreadyUp: Another quick start uses the folder.
            ServiceFailed: It ended, or was not ready in time.
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
                    # Ctrl-C at the terminal must reach this program only, which then asks the service to drain.
                    start_new_session=True,
                    preexec_fn=end_with_parent,  # noqa: PLW1509  # this program has one thread
                )  # fmt: skip
            os.close(ready_write)
            ready_write = -1
            self._await_ready(ready_read)
        finally:
            os.close(ready_read)
            if ready_write >= 0:
                os.close(ready_write)
        self.redis_url = store_url(None, self.state_dir / "store")
        self._note_started()

    def actors(self) -> list[ActorPresence]:
        """List the actors that are up."""
        from hero_client import SupervisorBuilder

        with SupervisorBuilder().redis_url(self.redis_url).build() as supervisor:
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
            pid = os.pread(fd, 20, 0).decode(errors="replace").strip()
            os.close(fd)
            raise AlreadyUp(self.state_dir, pid) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        self._lock = fd

    def _write_config(self) -> Path:
        """Write the settings at the first start: config/hero.toml and actors for HeroScript. Later starts keep them."""
        path = self.config_path
        if not path.exists():
            text = Path("config/hero.toml").read_text("utf-8") + _HEROSCRIPT_ACTORS
            # With the folder's own places in it, every program finds store and socket by this file.
            text = text.replace('".hero/store"', json.dumps(str(self.state_dir / "store")))
            text = text.replace('".hero/hero.ipc"', json.dumps(str(self.socket_path)))
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
        }


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Hold signals back, so that none arrives before the id of the new process is stored."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent() -> None:
    """Set up the new process: SIGTERM when its parent dies, and no blocked signals."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
