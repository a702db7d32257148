"""The supervisor's side of the fork server, which starts actors faster and lets them share memory.

Owned here: starting the server, giving it orders, and noticing that it has ended. `children/supervise.py` says when a
server is worth its memory, and `child_process.py` asks it for processes. Invariants: whatever the server does, an actor
starts: without an answer in time, it is executed instead, and what the server may have forked for it never runs; an
actor that the server forked is a child of this process, like one that was executed.

Only a program that adopts its orphans can use this: an actor becomes its child when the process between them ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from hero_process.fork_orders import ForkAnswer, ForkOrder, receive_answer, send_order
from hero_process.proc import stat_of
from hero_supervisor.process.spec import OWN_VARIABLES, passed_on

log = logging.getLogger(__name__)

#: How long first starts wait for a server that loads, in seconds.
_LOAD_LIMIT_S = 20.0
#: How long the supervisor waits for an answer, in seconds. A fork takes some milliseconds.
_ANSWER_LIMIT_S = 2.0
#: How long after the end of a server the next one is started, in seconds.
_PAUSE_S = 30.0


class _State(StrEnum):
    OFF = "off"
    LOADING = "loading"
    READY = "ready"
    UNABLE = "unable"


class ForkedProcess:
    """A child that the server has forked, with the part of the interface of `subprocess.Popen` that is used here.

    Attributes:
        pid: Its process id.
        returncode: Its exit code, as in `subprocess.Popen`; None until `wait` has taken it.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def wait(self) -> int:
        """Wait for its end and take its exit code."""
        if self.returncode is None:
            _, status = os.waitpid(self.pid, 0)
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def kill(self) -> None:
        """Kill it, unless its exit code was taken: its process id is not its own any more then."""
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)


class ForkServer:
    """The fork server of one supervisor. It has no process until it is wanted. Used on the main thread's loop only.

    Args:
        environ: The environment that actors inherit.
        on_change: Called when the server is ready, or has ended.
    """

    def __init__(self, environ: Mapping[str, str], on_change: Callable[[], None]) -> None:
        self._environ = _shared(passed_on(environ))
        self._on_change = on_change
        self._state = _State.OFF
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self._wanted = False

    @property
    def pid(self) -> int | None:
        """Its process id; None without a process."""
        return None if self._process is None else self._process.pid

    @property
    def loading(self) -> bool:
        """Whether it will be ready soon."""
        return self._state is _State.LOADING

    def want(self, wanted: bool) -> None:
        """Say whether there are enough actors for a server. It is started, or ended; its actors go on."""
        self._wanted = wanted
        if wanted:
            self._start()
        elif self._state in (_State.LOADING, _State.READY):
            self._end(_State.OFF, "")
            self._not_before = 0.0  # nothing was wrong with it, so it may be wanted again soon

    def _start(self) -> None:
        """Start the server, unless it runs, has just ended, or cannot work here."""
        loop = asyncio.get_running_loop()
        if self._state is not _State.OFF or loop.time() < self._not_before:
            return
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(
                    # As an actor is executed; see `spec.py`.
                    [sys.executable, "-P", "-m", "hero_actor.fork_server", str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=self._environ,
                    start_new_session=True,
                )
            ours.setblocking(False)
            loop.add_reader(ours, self._on_readable)
        except OSError as e:
            ours.close()
            self._end(_State.OFF, str(e))
            return
        self._socket = ours
        self._state = _State.LOADING
        self._limit = loop.call_later(_LOAD_LIMIT_S, self._end, _State.OFF, f"not ready after {_LOAD_LIMIT_S:g} s")

    def fork(
        self, arguments: Sequence[str], environ: Mapping[str, str], control_fd: int, output_fd: int
    ) -> ForkedProcess | None:
        """Have an actor forked, and let it run.

        Args:
            arguments: Its command line, with the program.
            environ: Its environment.
            control_fd: Its end of the control socket, which it finds at `hero_process.fork_orders.CONTROL_FD`.
            output_fd: Where its stdout and stderr go.

        Returns:
            The process; None when it must be executed instead.

        Raises:
            OSError: There are no more descriptors.
        """
        if self._state is _State.OFF and self._wanted:
            self._start()  # for the actors after this one
        if self._state is not _State.READY or _shared(environ) != self._environ:
            return None
        held_fd, release_fd = os.pipe()
        try:
            order = ForkOrder(
                arguments=arguments, environ=environ, control_fd=control_fd, output_fd=output_fd, held_fd=held_fd
            )
            answer, number = self._ask(order)
            if answer is ForkAnswer.FAILED and number:  # the server's own limit, perhaps, and not that of this process
                log.warning("fork_server.refused", extra={"reason": os.strerror(number), "next": "it is executed"})
            if answer is not ForkAnswer.FORKED:
                return None
            with contextlib.suppress(OSError):  # it has died already, and its exit code will say so
                os.write(release_fd, b"+")
            return ForkedProcess(number)
        finally:
            os.close(held_fd)
            os.close(release_fd)

    def _ask(self, order: ForkOrder) -> tuple[ForkAnswer, int]:
        """Give an order and wait for the answer. A server that does not give one is ended."""
        assert self._socket is not None
        try:
            self._socket.settimeout(_ANSWER_LIMIT_S)
            send_order(self._socket, order)
            answer, number = receive_answer(self._socket)
            self._socket.setblocking(False)
        except (OSError, ValueError) as e:
            self._end(_State.OFF, str(e))
            return ForkAnswer.FAILED, 0
        if answer is ForkAnswer.FORKED and ((stat := stat_of(number)) is None or stat.parent != os.getpid()):
            # Nobody else would take its exit code. It never gets its permission to run.
            self._end(_State.UNABLE, "a forked process did not become a child of this one")
            return ForkAnswer.FAILED, 0
        if answer is ForkAnswer.OUTDATED:
            self._end(_State.OFF, "")
            log.info("fork_server.outdated", extra={"next": "another one loads the changed files"})
            self._not_before = 0.0
            self._start()
        return answer, number

    def _on_readable(self) -> None:
        """Its first answer has come, or it has ended."""
        assert self._socket is not None
        try:
            answer, _ = receive_answer(self._socket)
        except BlockingIOError:
            return
        except (OSError, ValueError) as e:
            self._end(_State.OFF, str(e))
            return
        if answer is not ForkAnswer.READY or self._state is not _State.LOADING:
            self._end(_State.UNABLE, f"it answers {answer.name.lower()}")
            return
        self._state = _State.READY
        self._cancel_limit()
        log.info("fork_server.ready", extra={"child_pid": self.pid})
        self._on_change()

    def _end(self, state: _State, reason: str) -> None:
        """End the process, if there is one."""
        self._cancel_limit()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._state = state
        self._not_before = asyncio.get_running_loop().time() + _PAUSE_S
        if reason:
            log.warning("fork_server.ended", extra={"reason": reason, "next": "actors are executed"})
            self._on_change()

    def _cancel_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None


def _shared(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in OWN_VARIABLES}
