"""The template process: loads the engine's code once, forks the children, and kills and reaps them.

It is single-threaded, which makes forking safe, and runs no job itself. Only the template waits for its children, and
only it signals them, so that no pid it signals can belong to another process. Four descriptors come with each order
for a child: the child's socket, the child's output, the memory for the place of its script, and the template's socket
for this child. End of file on the last one means "kill the child", and the template writes the exit status to it.

After a fork, each page of memory that either side writes to is copied. That is most of what a fresh child costs, so
this loop and the first steps of a child call little, and the template does beforehand whatever it can.

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

from hero_engine.children import large_pages, wire
from hero_engine.children.channel import ParentChannel
from hero_engine.children.child import serve
from hero_engine.children.place import make_place
from hero_engine.children.program import ChildProgram, ProgramFactory
from hero_engine.children.settings import ChildSettings
from hero_engine.errors import EngineUnavailable
from hero_process.proc import children_of
from hero_process.tree import adopt_orphans, kill_group, kill_tree

_ORDER_FDS = 4
#: How long to wait for a killed process, in seconds. One that hangs in the kernel takes longer and is left for later.
_STRAYS_WAIT_S = 0.1
#: How often to look again at one that was left, in milliseconds.
_STRAYS_LOOK_MS = 100
#: Signals for which a child has no handler, whatever a package does while it loads.
_DEFAULT_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
#: So many objects that the garbage collector would look at them in each child.
_LOOSE_OBJECTS = 200


@dataclass(slots=True)
class _Child:
    pid: int
    pidfd: int
    life_fd: int


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
        #: By their two descriptors.
        self._children: dict[int, _Child] = {}
        self._exits: dict[int, _Child] = {}
        self._poll = select.poll()
        self._strays = False

    def run(self) -> None:
        """Serve orders until the engine ends, then kill the children that are left."""
        control_fd = self._control.fileno()
        self._poll.register(control_fd, select.POLLIN)
        while True:
            ready = [fd for fd, _ in self._poll.poll(_STRAYS_LOOK_MS if self._strays else None)]
            # Fork the next child first: the one whose job has ended has mostly exited by then, and need not be killed.
            if control_fd in ready and not self._obey():
                break
            # No descriptor is opened from here on, so that each number in `ready` is still that of its child.
            for fd in ready:
                if (child := self._exits.get(fd)) is not None:
                    self._bury(child)
            for fd in ready:
                if (child := self._children.get(fd)) is not None:
                    if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                        kill_tree(child.pid)
                    self._bury(child)
            if self._strays:
                self._kill_strays()
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
        job_fd, output_fd, place_fd, life_fd = fds
        if gc.get_count()[0] > _LOOSE_OBJECTS:
            gc.collect()
            gc.freeze()
        template_pid = os.getpid()
        try:
            pid = os.fork()
            if pid == 0:
                self._become_child(job_fd, output_fd, place_fd, life_fd, template_pid)
            self._follow(pid, life_fd)
        except OSError as e:
            # No more processes, no memory or no descriptor for one. Only this order fails; the engine tries again.
            with contextlib.suppress(OSError):
                os.write(life_fd, (wire.NO_CHILD + (e.errno or 0)).to_bytes(4, signed=True))
            os.close(life_fd)
        finally:
            os.close(job_fd)
            os.close(output_fd)
            os.close(place_fd)
        return True

    def _follow(self, pid: int, life_fd: int) -> None:
        """Have the loop notice the end of a child, and the engine's wish for it."""
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        self._children[life_fd] = self._exits[pidfd] = _Child(pid, pidfd, life_fd)
        self._poll.register(life_fd, select.POLLIN)
        self._poll.register(pidfd, select.POLLIN)

    def _become_child(self, job_fd: int, output_fd: int, place_fd: int, life_fd: int, template_pid: int) -> None:
        try:
            os.dup2(output_fd, 1)
            os.dup2(output_fd, 2)
            # If the child kept these open, nobody would see the end of the engine, or of another child.
            for fd in (output_fd, life_fd, self._control.fileno(), *self._children, *self._exits):
                os.close(fd)
            # A program that a script starts must neither speak for the child nor read what comes for it. What was
            # received is inheritable, and `recv_fds` of Python does not pass on the flag that would prevent it.
            os.set_inheritable(job_fd, False)
            os.set_inheritable(place_fd, False)
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, job_fd)
            self._channel.place_fd = place_fd
            serve(sock, self._program, self._settings, template_pid, self._channel)
        finally:
            os._exit(70)

    def _bury(self, child: _Child) -> None:
        """Reap a child, kill the processes that it has left, and report its exit status to the engine."""
        kill_group(child.pid)
        _, status = os.waitpid(child.pid, 0)
        for fd in (child.life_fd, child.pidfd):
            self._poll.unregister(fd)
        del self._children[child.life_fd], self._exits[child.pidfd]
        os.close(child.pidfd)
        self._kill_strays()
        with contextlib.suppress(OSError):
            os.write(child.life_fd, os.waitstatus_to_exitcode(status).to_bytes(4, signed=True))
        os.close(child.life_fd)

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


def run_template(control_fd: int) -> int:
    """Load the program, report the result to the engine, and serve until the engine ends.

    Args:
        control_fd: Socket to the engine.

    Returns:
        The exit code of this process.
    """
    control = socket.socket(fileno=control_fd)
    control.set_inheritable(False)
    os.environ.pop(wire.BIND_NOW, None)
    size = int.from_bytes(control.recv(wire.LENGTH_BYTES, socket.MSG_WAITALL))
    factory_name: str
    settings: ChildSettings
    factory_name, settings = pickle.loads(control.recv(size, socket.MSG_WAITALL))
    ours, theirs = socket.socketpair()
    channel = ParentChannel(theirs)
    # Only while the program loads, so that what children do has been done once. Each of them gets its own.
    channel.place_fd = place_fd = make_place()
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
        os.close(place_fd)
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, TextIOWrapper)
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    for number in _DEFAULT_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    adopt_orphans()
    # The children share the memory of these objects as long as the garbage collector does not write to it.
    # Source: https://docs.python.org/3/library/gc.html#gc.freeze
    gc.disable()
    gc.collect()
    gc.freeze()
    large_pages.collapse()
    control.sendall(wire.pack(["ready", program.version, program.loaded]))
    Template(control, program, settings, channel).run()
    return 0
