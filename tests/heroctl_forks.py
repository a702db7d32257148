"""The process that forks `heroctl` for tests; `forked_heroctl.py` starts it and says what for.

It imports the modules, has a single thread, and gets its orders from a socket. An order comes with descriptors: where
the process id and then the wait status go, the order itself, the working directory, and the standard streams. A child
makes itself what a new process would be, and executes the script. Invariant: the server and its children end when the
other end of the socket is closed, and a child when nobody can read its status any more.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import marshal
import os
import pkgutil
import select
import signal
import socket
import sys
import threading
import types
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Imported with all their modules before the fork.
_PACKAGES = ("hero_ctl", "hero_client", "hero_job", "hero_config")
#: What those import only when a command needs it.
_LATE = ("asyncio", "rich.table", "rich.live", "typer.main", "typer.rich_utils", "typer.completion")

#: Signals that may reach a child before its handlers are those of a new process. They wait until then.
_HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


@dataclass
class ForkServer:
    """The process that forks. Its caller's end of `control_fd` is its life."""

    control_fd: int
    poll: select.poll = field(default_factory=select.poll)

    running: dict[int, tuple[int, int]] = field(default_factory=dict)
    """For the descriptor of each process: its id, and where its wait status goes."""

    callers: dict[int, int] = field(default_factory=dict)
    """For each descriptor that a wait status goes to: the descriptor of the process."""

    def serve(self) -> types.CodeType | None:
        """Import the modules, and fork until the caller ends.

        Returns:
            In a child that was forked: what it has to execute. In the server: None.
        """
        read = _import_all()
        if len(list(Path("/proc/self/task").iterdir())) != 1:
            raise RuntimeError("an imported module has started a thread, which a fork would lack")
        interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        kept = _descriptors() - {self.control_fd}
        gc.collect()
        gc.freeze()
        os.write(self.control_fd, marshal.dumps(frozenset(read)))
        self.poll.register(self.control_fd, select.POLLIN)
        with socket.socket(fileno=os.dup(self.control_fd)) as control:
            while True:
                for fd, _ in self.poll.poll():
                    if fd in self.running:
                        self._end(fd)
                    elif fd in self.callers:
                        os.kill(self.running[self.callers[fd]][0], signal.SIGKILL)
                        self.poll.unregister(fd)
                    elif fd == self.control_fd:
                        _, fds, _, _ = socket.recv_fds(control, 1, 6)
                        if not fds:
                            for pid, _ in self.running.values():
                                os.kill(pid, signal.SIGKILL)
                                os.waitpid(pid, 0)
                            return None
                        if not self._fork(fds):
                            return _become_command(fds, kept, interrupt)

    def _fork(self, fds: Sequence[int]) -> bool:
        """Fork; return False in the child."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
        pid = os.fork()
        if pid == 0:
            return False
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
        for fd in fds[1:]:
            os.close(fd)
        process_fd = os.pidfd_open(pid)
        self.running[process_fd] = (pid, fds[0])
        self.callers[fds[0]] = process_fd
        self.poll.register(process_fd, select.POLLIN)
        self.poll.register(fds[0], 0)  # tells when nobody can read it any more
        with contextlib.suppress(BrokenPipeError):
            os.write(fds[0], pid.to_bytes(4, "little"))
        return True

    def _end(self, process_fd: int) -> None:
        """Report a process that has ended."""
        pid, status_fd = self.running.pop(process_fd)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(BrokenPipeError):
            os.write(status_fd, status.to_bytes(4, "little"))
        del self.callers[status_fd]
        with contextlib.suppress(KeyError):
            self.poll.unregister(status_fd)
        self.poll.unregister(process_fd)
        os.close(status_fd)
        os.close(process_fd)


def _import_all() -> set[str]:
    """Import what the command imports; return the variables of the environment that this has read."""
    importlib.import_module("zoneinfo")  # which looks at HOME, for a folder that nothing of ours uses
    read: set[str] = set()
    kind = type(os.environ)
    get = kind.__getitem__

    def noted_get(environ: os._Environ[str], name: str) -> str:
        read.add(name)
        return get(environ, name)

    kind.__getitem__ = noted_get  # type: ignore[method-assign]
    sys.path[0] = str(Path(sys.executable).parent)  # as when the script is executed
    for name in _PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(module.name)
    for name in _LATE:
        importlib.import_module(name)
    kind.__getitem__ = get  # type: ignore[method-assign]
    return read


def _become_command(fds: Sequence[int], kept: set[int], interrupt: Any) -> types.CodeType:
    """Make this fork what a new process that executes the script would be; return the script."""
    _, order, folder, *streams = fds
    with open(order, "rb", closefd=False) as file:
        file.seek(0)
        words, environ, umask = marshal.loads(file.read())
    os.fchdir(folder)
    os.umask(umask)
    for fd, stream in enumerate(streams):
        os.dup2(stream, fd)
    for fd in _descriptors() - kept:
        with contextlib.suppress(OSError):  # that of the listing itself
            os.close(fd)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv[:] = words
    sys.orig_argv[:] = [sys.executable, *words]
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        setattr(sys, name, _standard_stream(fd, getattr(sys, name)))
        setattr(sys, f"__{name}__", getattr(sys, name))
    main = types.ModuleType("__main__")
    main.__file__ = words[0]
    sys.modules["__main__"] = main
    signal.signal(signal.SIGINT, interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
    return compile(Path(words[0]).read_bytes(), words[0], "exec", dont_inherit=True)


def _descriptors() -> set[int]:
    return {int(entry.name) for entry in Path("/proc/self/fd").iterdir()}


def _standard_stream(fd: int, like: io.TextIOWrapper) -> io.TextIOWrapper:
    """Make a standard stream as Python makes it when it starts."""
    unbuffered = like.write_through
    buffer = open(fd, "wb" if fd else "rb", buffering=0 if unbuffered and fd else -1, closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(
        buffer, like.encoding, like.errors, newline="\n", line_buffering=like.line_buffering, write_through=unbuffered
    )


def _execute(program: types.CodeType) -> None:
    """Execute the command, and end as Python does, but for freeing the memory: that would copy most of it first.

    Raises:
        BaseException: What the command has raised, if Python has more to do than to end with an exit code.
    """
    code = 0
    try:
        exec(program, vars(sys.modules["__main__"]))
    except SystemExit as e:
        if not isinstance(e.code, int | None):
            raise
        code = e.code or 0
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)
    os._exit(code & 0xFF)


if __name__ == "__main__":
    if (command := ForkServer(int(sys.argv[1])).serve()) is not None:
        _execute(command)
