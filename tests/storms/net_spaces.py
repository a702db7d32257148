"""Network namespaces on one bridge, as hosts on one network, whose links the test cuts in one direction or both.

Only root can make them. A link is cut by a wrong hardware address for the other host: what is sent there arrives
nowhere, without an error, as with a broken network. Each thread of a process can be in a namespace of its own; what it
starts (threads, processes) is there too.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000
_NOBODY = "02:00:00:00:00:01"


class NetSpaces:
    """Some hosts on one network.

    Args:
        names: Short names of the hosts.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._id = os.getpid()
        self._address = {name: f"10.213.0.{n}" for n, name in enumerate(names, 1)}
        self._cut = set[tuple[str, str]]()

    def address(self, name: str) -> str:
        """Give the IP address of a host."""
        return self._address[name]

    @contextlib.contextmanager
    def made(self) -> Iterator[NetSpaces]:
        """Make the namespaces; they are gone at the end.

        Raises:
            Skipped: This machine does not let us.
        """
        with contextlib.ExitStack() as ends:
            hub = self._full("hub")
            try:
                for name in ("hub", *self._address):
                    _ip("netns", "add", self._full(name))
                    ends.callback(_ip, "netns", "del", self._full(name))
                _ip("-n", hub, "link", "add", "bridge", "type", "bridge")
                _ip("-n", hub, "link", "set", "bridge", "up")
                for name, address in self._address.items():
                    space = self._full(name)
                    _ip("-n", space, "link", "add", "net0", "type", "veth", "peer", "name", f"to-{name}", "netns", hub)
                    _ip("-n", hub, "link", "set", f"to-{name}", "master", "bridge", "up")
                    _ip("-n", space, "addr", "add", f"{address}/24", "dev", "net0")
                    _ip("-n", space, "link", "set", "net0", "up")
                    _ip("-n", space, "link", "set", "lo", "up")
            except (OSError, subprocess.CalledProcessError) as e:
                pytest.skip(f"cannot make network namespaces: {e}")
            yield self

    def run_in(self, name: str, run: Callable[[], T]) -> T:
        """Run something in a host, in a thread of its own, and give what it returns.

        Raises:
            AssertionError: It has raised; carries that.
        """
        results: list[T] = []
        failures: list[BaseException] = []

        def in_there() -> None:
            try:
                results.append(run())
            except BaseException as e:
                failures.append(e)

        thread = self.thread(name, in_there)
        thread.start()
        thread.join()
        if failures:
            raise AssertionError(f"in the host {name}") from failures[0]
        return results[0]

    def thread(self, name: str, run: Callable[[], object]) -> threading.Thread:
        """Make a thread that is in a host."""

        def enter_and_run() -> None:
            self.enter(name)
            run()

        return threading.Thread(target=enter_and_run)

    def enter(self, name: str) -> None:
        """Bring the calling thread into a host, for good."""
        with (Path("/run/netns") / self._full(name)).open() as space:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(space.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def cut(self, sender: str, receiver: str) -> None:
        """Lose all that one host sends to another from now on."""
        self._cut.add((sender, receiver))
        self._neighbour("replace", sender, receiver, "lladdr", _NOBODY, "nud", "permanent")

    def heal(self) -> None:
        """Lose nothing any more."""
        for sender, receiver in self._cut:
            self._neighbour("del", sender, receiver)
        self._cut.clear()

    def _neighbour(self, action: str, sender: str, receiver: str, *more: str) -> None:
        _ip("-n", self._full(sender), "neigh", action, self._address[receiver], "dev", "net0", *more)

    def _full(self, name: str) -> str:
        return f"hero-{self._id}-{name}"


def _ip(*args: str) -> None:
    subprocess.run(["ip", *args], check=True, capture_output=True)
