"""The template process: loads everything once, then forks a child for each job, and buries it.

Single-threaded, which is what makes forking safe; it runs no job itself. It alone waits for the children, so it alone
signals them: a pid is its own until then. Three descriptors come with each order: the child's socket, the child's
output, and a socket of ours on which an end of file means kill, and on which the exit status is our last word.

It ends with the engine: the end of the control socket kills every child.
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
from types import FrameType

from hero_engine.heroscript_engine.children import wire
from hero_engine.heroscript_engine.children.child import Voice, prepare, serve
from hero_engine.heroscript_engine.run.actions import VocabularyError, load_actions
from hero_engine.heroscript_engine.run.script import bind_vocabulary
from hero_engine.heroscript_engine.run.settings import Settings
from hero_process.proc import children_of
from hero_process.tree import adopt_orphans, kill_group, kill_tree

_ORDER_FDS = 3
#: SIGKILL takes a moment; a process that the kernel holds takes longer than this, in seconds, and is left for later.
_STRAYS_WAIT_S = 0.1
#: It is looked at again after so long, in milliseconds.
_STRAYS_LOOK_MS = 100


@dataclass(slots=True)
class _Child:
    pid: int
    life: socket.socket


class Template:
    """The loop.

    Args:
        control: To the engine.
        settings: The engine's.
        voice: The children's.
    """

    def __init__(self, control: socket.socket, settings: Settings, voice: Voice) -> None:
        self._control = control
        self._settings = settings
        self._voice = voice
        self._children: dict[int, _Child] = {}
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._poll = select.poll()
        self._strays = False

    def run(self) -> None:
        """Serve until the engine is gone, then kill what is left."""
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
            # The next child first: the former one, which is told to end when its job has, then mostly has ended.
            told = ready & self._children.keys()
            if self._control.fileno() in ready and not self._obey():
                break
            self._reap()
            for life_fd in told & self._children.keys():
                child = self._children[life_fd]
                kill_tree(child.pid)
                self._bury(child)
        for child in list(self._children.values()):
            kill_tree(child.pid)
            self._bury(child)

    def _obey(self) -> bool:
        """Take an order. Says no at the end of the orders."""
        # One byte an order: the kernel does not join what descriptors came with.
        data, fds, _, _ = socket.recv_fds(self._control, 1, _ORDER_FDS)
        if not data:
            return False
        job_fd, output_fd, life_fd = fds
        life = socket.socket(fileno=life_fd)
        own_pid = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_child(job_fd, output_fd, life, own_pid)
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
            # Kept open here they would hide the end of the engine, and of children, from each other.
            for sock in (self._control, life, *(child.life for child in self._children.values())):
                sock.close()
            serve(socket.socket(fileno=job_fd), self._settings, template_pid, self._voice)
        finally:
            os._exit(70)

    def _reap(self) -> None:
        for child in list(self._children.values()):
            if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                self._bury(child)
        if self._strays:
            self._kill_strays()

    def _bury(self, child: _Child) -> None:
        """Wait for a child that ends, kill what it has left, and give its status to the engine."""
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
        """Kill and wait for what dead children have left to us."""
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
    """Load, say whether that went well, and serve."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    size = int.from_bytes(control.recv(wire.LENGTH_BYTES, socket.MSG_WAITALL))
    settings: Settings = pickle.loads(control.recv(size, socket.MSG_WAITALL))
    try:
        loaded = load_actions(settings.actions)
        bind_vocabulary()
        voice = prepare(settings)
    except VocabularyError as e:
        traceback.print_exception(e.__cause__)
        control.sendall(wire.pack(["unavailable", str(e)]))
        return 1
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    # Children share what was made so far as long as the collector does not write into it.
    # Source: https://docs.python.org/3/library/gc.html#gc.freeze
    gc.disable()
    gc.collect()
    gc.freeze()
    control.sendall(wire.pack(["ready", loaded]))
    Template(control, settings, voice).run()
    return 0


def _wake(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: a handler must exist for the wake-up descriptor to be written to."""


if __name__ == "__main__":
    sys.exit(main())
