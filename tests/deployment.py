"""A whole deployment for tests: a real `hero-supervisor` with its config, its store, its actors and its socket."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from hero_supervisor import Supervisor, SupervisorBuilder
from tests.eventually import eventually
from tests.forked_programs import ForkedPopen

CONFIG = """
[store]
redis_url = "{redis_url}"
[embedded]
dir = "store"
appendfsync = "{appendfsync}"
[supervisor]
log_format = "json"
lease_s = {lease_s}
sweep_s = 0.5
[rpc]
unix_socket = "hero.ipc"
{actors}
"""

ACTORS = """
[[actors]]
type = "osis"
[[actors]]
type = "sal"
lanes = 4
"""

#: Seconds after which a service counts as one that does not stop.
STOP_LIMIT_S = 300
#: For services whose actors nobody kills: a machine that stands still for a moment has none of them declared dead.
LONG_LEASE_S = 15


class Deployment:
    """One `hero-supervisor` and everything that it starts, in one folder.

    Args:
        folder: Its folder; gets the config.
        redis_url: URL of a store; "" for the embedded store.
        appendfsync: When the embedded store writes to the disk. Only with `always` does its kill lose nothing for sure.
        actors: The end of the config, from the section `[rpc]` on.
        lease_s: Seconds without a beat after which an actor is declared dead. Short, for tests that wait for that.

    Attributes:
        log: File with the log of the service and its actors.
        url: URL of its store.
        socket: Its Unix socket.
        port: TCP port of its RPC, if the test has configured one.
    """

    def __init__(
        self,
        folder: Path,
        *,
        redis_url: str = "",
        appendfsync: str = "everysec",
        actors: str = ACTORS,
        lease_s: int = 3,
    ) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.url = redis_url or f"unix://{folder}/store/valkey.sock"
        self.socket = folder / "hero.ipc"
        self.port = 0
        config = CONFIG.format(redis_url=redis_url, appendfsync=appendfsync, actors=actors, lease_s=lease_s)
        (folder / "hero.toml").write_text(config)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Deployment:
        """Start it and wait until all actors are ready."""
        ready, write = os.pipe()
        with self.log.open("ab") as log:
            self._process = ForkedPopen(
                [sys.executable, "-m", "hero_supervisor.cli", "--config", "hero.toml", "--ready-fd", str(write)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[write],
            )
        os.close(write)
        with os.fdopen(ready) as pipe:
            answer = pipe.read()
        assert answer == "\n", f"not ready: {answer!r}\n{self.log.read_text()}"
        return self

    @property
    def pid(self) -> int:
        """Process id of the supervisor."""
        assert self._process is not None
        return self._process.pid

    def supervisor(self) -> Supervisor:
        """Return a client of this deployment."""
        return SupervisorBuilder().redis_url(self.url).build()

    def processes(self, *words: str) -> list[psutil.Process]:
        """List the living descendants of the supervisor whose command line contains all the words."""
        found = []
        for process in psutil.Process(self.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                line = process.cmdline()
                if process.status() != psutil.STATUS_ZOMBIE and all(
                    any(word in argument for argument in line) for word in words
                ):
                    found.append(process)
        return found

    def actors(self, script_type: str) -> list[psutil.Process]:
        """List its actor processes of a script type."""
        return self.processes("hero_actor", script_type)

    def kill(self) -> list[psutil.Process]:
        """Kill the supervisor, but nothing that it started; return the processes that it leaves behind."""
        left = self.processes()
        os.kill(self.pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait()
        return left

    def lose(self) -> None:
        """Kill the supervisor and everything that it started, as if its host had lost its power."""
        supervisor = psutil.Process(self.pid)
        supervisor.suspend()
        still: list[psutil.Process] = []
        # No process may see another one die: an actor would report that its job has crashed. What is suspended starts
        # no further process, and those of a parent that has ended belong to the supervisor.
        while new := [process for process in supervisor.children(recursive=True) if process not in still]:
            for process in new:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.suspend()
            still += new
        for process in still:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.kill()

    def stop(self) -> int:
        """Stop it as a service manager does; return its exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
        return self._process.wait(STOP_LIMIT_S)


@contextlib.contextmanager
def deployed(
    folder: Path,
    *,
    redis_url: str = "",
    appendfsync: str = "everysec",
    actors: str = ACTORS,
    lease_s: int = 3,
) -> Iterator[Deployment]:
    """Run a deployment, and check at the end that none of its processes is left."""
    deployment = Deployment(
        folder, redis_url=redis_url, appendfsync=appendfsync, actors=actors, lease_s=lease_s
    ).start()
    everything: list[psutil.Process] = []
    try:
        yield deployment
        with contextlib.suppress(psutil.NoSuchProcess):
            everything = deployment.processes()
    finally:
        deployment.stop()
        eventually(lambda: not any(alive(p) for p in everything), what="no process is left behind")


def alive(process: psutil.Process) -> bool:
    """Is the process running? A zombie is not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
