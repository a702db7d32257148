"""The process that forks one of our programs for tests; `forked_programs.py` starts it and says what for.

It imports the modules, has a single thread, and gets its orders from a socket. An order comes with descriptors: where
the process id and then the wait status go, the order itself, the working directory, the standard streams, and others
that the program gets. A child makes itself what a new process would be, and executes the script or the module.
Invariant: the server and its children end when the other end of the socket is closed, and a child when nobody can read
its status any more.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import importlib.abc
import importlib.util
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

from hero_process.appearance import set_appearance

#: What each program imports: packages with all their modules, and then modules that are imported only when needed.
_IMPORTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "heroctl": (
        ("hero_ctl", "hero_client", "hero_job", "hero_config"),
        ("asyncio", "rich.table", "rich.live", "typer.main", "typer.rich_utils", "typer.completion"),
    ),
    # What a service without extras has imported. The page of metrics is not there: it notes when it was imported.
    "hero_supervisor.cli": (
        (),
        (
            "hero_supervisor.cli", "hero_supervisor.rpc.endpoint", "hero_supervisor.rpc.unix.connection",
            "hero_supervisor.rpc.unix.socket_file", "hero_supervisor.rpc.metrics.exposition",
            "hero_supervisor.rpc.subscriptions.feeds", "hero_supervisor.rpc.tcp.app", "hero_supervisor.store.embedded",
            "hero_job.tracing.sending", "uvicorn.config", "uvloop",
        ),
    ),
    # As the product's own fork server of actors.
    "hero_actor": ((), ("hero_actor.cli", "hero_engine.rhai", "hero_process.appearance", "locale", "shutil")),
}  # fmt: skip

#: Signals that may reach a child before its handlers are those of a new process. They wait until then.
_HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)

#: How many descriptors an order may have.
_MOST_FDS = 32


@dataclass
class ForkServer:
    """The process that forks. Its caller's end of `control_fd` is its life."""

    control_fd: int
    program: str
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
        read = _import_all(*_IMPORTS[self.program])
        if len(list(Path("/proc/self/task").iterdir())) != 1:
            raise RuntimeError("an imported module has started a thread, which a fork would lack")
        interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        kept = _descriptors() - {self.control_fd}
        gc.collect()
        gc.freeze()
        os.write(self.control_fd, marshal.dumps((frozenset(read), _can_show())))
        self.poll.register(self.control_fd, select.POLLIN)
        with socket.socket(fileno=os.dup(self.control_fd)) as control:
            fds = self._wait_until_forked(control)
        return _become_command(fds, kept, interrupt) if fds else None

    def _wait_until_forked(self, control: socket.socket) -> Sequence[int]:
        """Carry out orders; return the descriptors of its order in a child, and none in the server."""
        while True:
            for fd, _ in self.poll.poll():
                if fd in self.running:
                    self._end(fd)
                elif fd in self.callers:
                    os.kill(self.running[self.callers[fd]][0], signal.SIGKILL)
                    self.poll.unregister(fd)
                elif fd == self.control_fd:
                    _, fds, _, _ = socket.recv_fds(control, 1, _MOST_FDS)
                    if not fds:
                        for pid, _ in self.running.values():
                            os.kill(pid, signal.SIGKILL)
                            os.waitpid(pid, 0)
                        return ()
                    if not self._fork(fds):
                        return fds

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


def _import_all(packages: Sequence[str], modules: Sequence[str]) -> set[str]:
    """Import what a program imports; return the variables of the environment that this has read."""
    importlib.import_module("zoneinfo")  # which looks at HOME, for a folder that nothing of ours uses
    read: set[str] = set()
    kind = type(os.environ)
    get = kind.__getitem__

    def noted_get(environ: os._Environ[str], name: str) -> str:
        read.add(name)
        return get(environ, name)

    kind.__getitem__ = noted_get  # type: ignore[method-assign]
    sys.path[0] = str(Path(sys.executable).parent)  # as when the script is executed
    for name in packages:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(module.name)
    for name in modules:
        importlib.import_module(name)
    kind.__getitem__ = get  # type: ignore[method-assign]
    return read


def _can_show() -> bool:
    """Can /proc show the arguments and the environment of a fork? An old kernel has no call for that."""
    try:
        set_appearance(sys.orig_argv, os.environ)
    except OSError:
        return False
    return True


def _become_command(fds: Sequence[int], kept: set[int], interrupt: Any) -> types.CodeType:
    """Make this fork what a new process that executes the program would be; return its code."""
    _, order, folder, *streams = fds
    with open(order, "rb", closefd=False) as file:
        file.seek(0)
        words, environ, umask, passed, new_session = marshal.loads(file.read())
    if new_session:
        os.setsid()
    os.fchdir(folder)
    os.umask(umask)
    for fd, stream in enumerate(streams[:3]):
        os.dup2(stream, fd)
    # Out of the way of each other.
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(passed, default=0) + 1) for fd in streams[3:]]
    for fd in _descriptors() - kept - {*moved}:
        os.close(fd)
    for fd, place in zip(moved, passed, strict=True):
        os.dup2(fd, place)
        os.close(fd)
    before = os.environ.get("PYTHONPATH")
    os.environ.clear()
    os.environ.update(environ)
    set_appearance(words, environ)
    if before is None and (added := environ.get("PYTHONPATH")):
        places = [os.path.abspath(place) for place in added.split(os.pathsep)]  # noqa: PTH100 - as Python does it
        sys.path[1:] = dict.fromkeys([*places, *sys.path[1:]])
    main = types.ModuleType("__main__")
    if words[1:2] == ["-m"]:
        code = _module(words[2], main)
        sys.path[0] = os.getcwd()  # noqa: PTH109
        sys.argv[:] = [str(main.__file__), *words[3:]]
        sys.orig_argv[:] = words
    else:
        main.__file__ = words[0]
        code = compile(Path(words[0]).read_bytes(), words[0], "exec", dont_inherit=True)
        sys.argv[:] = words
        sys.orig_argv[:] = [sys.executable, *words]
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        setattr(sys, name, _standard_stream(fd, getattr(sys, name)))
        setattr(sys, f"__{name}__", getattr(sys, name))
    sys.modules["__main__"] = main
    signal.signal(signal.SIGINT, interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
    return code


def _module(name: str, main: types.ModuleType) -> types.CodeType:
    """Return the code of `python -m NAME`, and give the module the attributes that it has there."""
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{name}.__main__")
    if spec is None or not isinstance(spec.loader, importlib.abc.InspectLoader):
        raise ModuleNotFoundError(name=name)
    code = spec.loader.get_code(spec.name)
    if code is None:
        raise ModuleNotFoundError(name=name)
    main.__spec__, main.__loader__, main.__file__, main.__package__ = spec, spec.loader, spec.origin, spec.parent
    return code


def _descriptors() -> set[int]:
    found = list(Path("/proc/self/fd").iterdir())
    return {int(entry.name) for entry in found if entry.exists()}  # without that of the listing itself


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
    if (command := ForkServer(int(sys.argv[1]), sys.argv[2]).serve()) is not None:
        _execute(command)
