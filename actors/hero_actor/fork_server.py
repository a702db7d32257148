"""The fork server: a process that has loaded what an actor needs, and forks actors.

A supervisor with many actors starts one (`hero_supervisor/process/fork_server.py`) and gives it orders. A forked actor
shares the loaded code with all others, and starts in a tenth of the time. Invariants: this process has one thread and
no connection, so a fork is safe; it runs no job and reads no setting; a forked actor is a child of the supervisor, has
the descriptors, arguments and environment that it would have if it had been executed, and runs nothing before the
supervisor lets it.

The actor becomes the supervisor's child because the process between them ends, and the supervisor adopts its orphans.
See docs/decisions/0019-fork-server.md.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import struct
import sys
import traceback
from importlib import import_module
from types import ModuleType
from typing import NoReturn

import hero_actor.cli
from hero_engine.errors import EngineUnavailable
from hero_process.appearance import set_appearance
from hero_process.fork_orders import CONTROL_FD, ForkAnswer, ForkOrder, receive_order, send_answer
from hero_process.tree import die_with

#: What an idle actor imports besides `hero_actor.cli`.
_PRELOADED = ("ctypes", "locale", "shutil")
#: What one actor reports to the server: its process id, or 0 and an error number.
_REPORT = struct.Struct("!ii")


def main() -> int:
    """Load, say so, and carry out orders until the supervisor ends."""
    supervisor_pid = os.getppid()
    die_with(supervisor_pid)
    orders = socket.socket(fileno=int(sys.argv[1]))
    orders.set_inheritable(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for name in _PRELOADED:
            import_module(name)
        with contextlib.suppress(EngineUnavailable):  # actors without the wheel tell so themselves
            import_module("hero_engine.rhai")
        set_appearance(sys.orig_argv, os.environ)
        if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208  as in `hero_process.proc`
            raise OSError("a module has started a thread")
    except OSError:  # an older kernel, for example
        traceback.print_exc()
        send_answer(orders, ForkAnswer.UNABLE)
        return 1
    files = LoadedFiles()
    # The actors share the memory of these objects as long as the garbage collector does not write to it.
    # Source: https://docs.python.org/3/library/gc.html#gc.freeze
    gc.disable()
    gc.collect()
    gc.freeze()
    send_answer(orders, ForkAnswer.READY)
    while True:
        order = receive_order(orders)
        if order is None:
            return 0
        if files.have_changed():
            send_answer(orders, ForkAnswer.OUTDATED)
            return 0
        answer, number = _carry_out(order, orders)
        send_answer(orders, answer, number)


class LoadedFiles:
    """The files that this process has loaded, as they were then."""

    def __init__(self) -> None:
        paths = {sys.executable}
        for module in tuple(sys.modules.values()):
            paths |= _files_of(module)
        self._states = {path: _state_of(path) for path in paths}

    def have_changed(self) -> bool:
        """Whether an actor that is executed now would load anything else."""
        return any(_state_of(path) != state for path, state in self._states.items())


def _files_of(module: ModuleType) -> set[str]:
    path = getattr(module, "__file__", None)
    if not isinstance(path, str):
        return set()
    paths = {path}
    if module.__name__.startswith("hero_") and hasattr(module, "__path__"):
        # Data beside the code, such as scripts for the store, is loaded with it.
        with os.scandir(os.path.dirname(path)) as entries:  # noqa: PTH120  as in `hero_process.proc`
            paths |= {entry.path for entry in entries if entry.is_file()}
    return paths


def _state_of(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116  as in `hero_process.proc`
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _carry_out(order: ForkOrder, orders: socket.socket) -> tuple[ForkAnswer, int]:
    """Fork an actor. It waits for its permission to run when this returns, and is the supervisor's child."""
    theirs = (order.control_fd, order.output_fd, order.held_fd)
    try:
        reading, writing = os.pipe()
    except OSError as e:
        for fd in theirs:
            os.close(fd)
        return ForkAnswer.FAILED, e.errno or 0
    try:
        between = os.fork()
        if between == 0:
            _fork_actor(order, orders, reading, writing)
    except OSError as e:
        os.close(reading)
        return ForkAnswer.FAILED, e.errno or 0
    finally:
        for fd in (*theirs, writing):
            os.close(fd)
    # The kernel gives the actor to the supervisor when the process between them ends, before anybody can reap it.
    os.waitpid(between, 0)
    report = os.read(reading, _REPORT.size)
    os.close(reading)
    if len(report) < _REPORT.size:
        return ForkAnswer.FAILED, 0
    pid, number = _REPORT.unpack(report)
    return (ForkAnswer.FORKED, pid) if pid else (ForkAnswer.FAILED, number)


def _fork_actor(order: ForkOrder, orders: socket.socket, reading: int, writing: int) -> NoReturn:
    """The process in between: fork the actor, and end."""
    try:
        orders.close()
        os.close(reading)
        if os.fork() == 0:
            _become_actor(order, writing)
    except OSError as e:
        os.write(writing, _REPORT.pack(0, e.errno or 0))
    finally:
        os._exit(0)


def _become_actor(order: ForkOrder, writing: int) -> NoReturn:
    """The actor: take its place, wait for the permission, and run as `python -m hero_actor` does."""
    code: int | str | None = 70
    try:
        try:
            os.setsid()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.environ.clear()
            os.environ.update(order.environ)
            set_appearance(order.arguments, order.environ)
            _place_descriptors(order)
        except OSError as e:
            os.write(writing, _REPORT.pack(0, e.errno or 0))
            os._exit(0)
        os.write(writing, _REPORT.pack(os.getpid(), 0))
        os.close(writing)
        # The end of file means that the supervisor has died or does not want this actor any more.
        if os.read(order.held_fd, 1) != b"+":
            os._exit(0)
        os.close(order.held_fd)
        gc.enable()
        arguments = order.arguments[order.arguments.index("hero_actor") + 1 :]
        sys.argv[:] = [hero_actor.cli.__file__.replace("cli.py", "__main__.py"), *arguments]
        sys.orig_argv[:] = order.arguments
        code = hero_actor.cli.main()
    except SystemExit as e:
        code = e.code
    except BaseException:  # noqa: BLE001  as an interpreter does with an exception that nobody catches
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):  # the reader of our log is gone
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _place_descriptors(order: ForkOrder) -> None:
    """Put the descriptors where the actor expects them."""
    os.dup2(order.output_fd, 1)
    os.dup2(order.output_fd, 2)
    os.close(order.output_fd)
    # The kernel gives the lowest free numbers, in this order. So if the control socket has a higher number, what has
    # this one is none of the descriptors that are still needed.
    if order.control_fd != CONTROL_FD:
        os.dup2(order.control_fd, CONTROL_FD, inheritable=False)
        os.close(order.control_fd)


if __name__ == "__main__":
    sys.exit(main())
