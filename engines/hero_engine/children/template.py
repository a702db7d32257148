"""The template process: loads the engine's code once, forks the children, and kills and reaps them.

It is single-threaded, which makes forking safe, and runs no job itself. Only the template waits for its children, and
only it signals them, so that no pid it signals can belong to another process. Three descriptors come with each order
for a child: the child's socket, the child's output, and the template's socket for this child. End of file on the last
one means "kill the child", and the template writes the exit status to it.

When the engine ends, so does the control socket; then the template kills every child and ends too.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import select
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass
from importlib import import_module
from io import TextIOWrapper
from types import FrameType

from hero_engine.children import wire
from hero_engine.children.channel import ParentChannel
from hero_engine.children.child import serve
from hero_engine.children.program import ChildProgram, ProgramFactory
from hero_engine.children.settings import ChildSettings
from hero_engine.errors import EngineUnavailable
from hero_process.proc import children_of
from hero_process.tree import adopt_orphans, kill_group, kill_tree

_ORDER_FDS = 3
#: How long to wait for a killed process, in seconds. One that hangs in the kernel takes longer and is left for later.
_STRAYS_WAIT_S = 0.1
#: How often to look again at one that was left, in milliseconds.
_STRAYS_LOOK_MS = 100


@dataclass(slots=True)
class _Child:
    pid: int
    life: socket.socket


class Template:
    """The template's event loop.

    Args:
        control: Socket to the engine.
        program: Runs the scripts in the children.
        settings: Limits of the children.
        channel: Sends the messages of the children; each one sets its own socket.
    """

    def __init__(
        self, control: socket.socket, program: ChildProgram, settings: ChildSettings, channel: ParentChannel
    ) -> None:
        self._control = control
        self._program = program
        self._settings = settings
        self._channel = channel
        self._children: dict[int, _Child] = {}
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._poll = select.poll()
        self._strays = False

    def run(self) -> None:
        """Serve orders until the engine ends, then kill the children that are left."""
        signal.set_wakeup_fd(self._wake_write)
        signal.signal(signal.SIGCHLD, _wake)
        adopt_orphans()
        self._poll.register(self._control, select.POLLIN)
        self._poll.register(self._wake_read, select.POLLIN)
        while True:
            ready = {fd for fd, _ in self._poll.poll(_STRAYS_LOOK_MS if self._strays else None)}
            if self._wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    while os.read(self._wake_read, 4096):
                        pass
            # Fork the next child first: the one whose job has ended has mostly exited by then, and need not be killed.
            doomed = ready & self._children.keys()
            if self._control.fileno() in ready and not self._obey():
                break
            self._reap()
            for life_fd in doomed & self._children.keys():
                child = self._children[life_fd]
                kill_tree(child.pid)
                self._bury(child)
        for child in list(self._children.values()):
            kill_tree(child.pid)
            self._bury(child)

    def _obey(self) -> bool:
        """Carry out one order. Returns False if there will be no more."""
        # One byte per order: the kernel does not merge messages that carry descriptors.
        data, fds, _, _ = socket.recv_fds(self._control, 1, _ORDER_FDS)
        if not data:
            return False
        if len(fds) < _ORDER_FDS:
            # This process may have no more descriptors, so the kernel dropped some: nobody has the child's sockets, and
            # the engine notices that the child has ended before its job.
            for fd in fds:
                os.close(fd)
            return True
        job_fd, output_fd, life_fd = fds
        life = socket.socket(fileno=life_fd)
        own_pid = os.getpid()
        try:
            pid = os.fork()
            if pid == 0:
                self._become_child(job_fd, output_fd, life, own_pid)
        except OSError as e:
            # No more processes, or no memory for one. Only this order fails; the engine tries again.
            with life, contextlib.suppress(OSError):
                life.sendall((wire.NO_CHILD + (e.errno or 0)).to_bytes(4, signed=True))
            return True
        finally:
            os.close(job_fd)
            os.close(output_fd)
        self._children[life_fd] = _Child(pid, life)
        self._poll.register(life_fd, select.POLLIN)
        return True

    def _become_child(self, job_fd: int, output_fd: int, life: socket.socket, template_pid: int) -> None:
        try:
            signal.set_wakeup_fd(-1)
            os.dup2(output_fd, 1)
            os.dup2(output_fd, 2)
            os.close(output_fd)
            for fd in (self._wake_read, self._wake_write):
                os.close(fd)
            # If the child kept these open, nobody would see the end of the engine, or of another child.
            for sock in (self._control, life, *(child.life for child in self._children.values())):
                sock.close()
            serve(socket.socket(fileno=job_fd), self._program, self._settings, template_pid, self._channel)
        finally:
            os._exit(70)

    def _reap(self) -> None:
        for child in list(self._children.values()):
            if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                self._bury(child)
        if self._strays:
            self._kill_strays()

    def _bury(self, child: _Child) -> None:
        """Reap a child, kill the processes that it has left, and report its exit status to the engine."""
        life_fd = child.life.fileno()
        kill_group(child.pid)
        _, status = os.waitpid(child.pid, 0)
        self._poll.unregister(life_fd)
        del self._children[life_fd]
        self._kill_strays()
        with contextlib.suppress(OSError):
            child.life.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, signed=True))
        child.life.close()

    def _kill_strays(self) -> None:
        """Kill and reap the processes that the template has adopted from dead children."""
        leaders = {child.pid for child in self._children.values()}
        give_up_mono = time.monotonic() + _STRAYS_WAIT_S
        while strays := [pid for pid in children_of(os.getpid()) if pid not in leaders]:
            for pid in strays:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            if time.monotonic() > give_up_mono:
                break
            time.sleep(0.0005)
        self._strays = bool(strays)


def main() -> int:
    """Load the program, report the result to the engine, and serve."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    size = int.from_bytes(control.recv(wire.LENGTH_BYTES, socket.MSG_WAITALL))
    factory_name: str
    settings: ChildSettings
    factory_name, settings = pickle.loads(control.recv(size, socket.MSG_WAITALL))
    ours, theirs = socket.socketpair()
    channel = ParentChannel(theirs)
    try:
        module_name, _, attribute = factory_name.partition(":")
        factory: ProgramFactory = getattr(import_module(module_name), attribute)
        program = factory(settings)
        program.prepare(channel)
    except EngineUnavailable as e:
        traceback.print_exception(e.__cause__)
        control.sendall(wire.pack(["unavailable", e.name, e.reason, e.remedy, e.missing]))
        return 1
    finally:
        ours.close()
        theirs.close()
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, TextIOWrapper)
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    # The children share the memory of these objects as long as the garbage collector does not write to it.
    # Source: https://docs.python.org/3/library/gc.html#gc.freeze
    gc.disable()
    gc.collect()
    gc.freeze()
    control.sendall(wire.pack(["ready", program.version, program.loaded]))
    Template(control, program, settings, channel).run()
    return 0


def _wake(_number: int, _frame: FrameType | None) -> None:
    """Do nothing. Python writes to the wake-up descriptor only for signals that have a handler."""


if __name__ == "__main__":
    sys.exit(main())
