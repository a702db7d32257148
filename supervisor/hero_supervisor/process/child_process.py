"""One actor process as its supervisor holds it: a pidfd, a control socket, a process group.

Owned here: starting the process (with `launch.py` or `fork_server.py`), exchanging messages with it, signalling it, and
taking its exit code. Called by `children/slot.py` from the main thread only. Invariant: a signal never reaches a
process that is not ours. The process is signalled through its pidfd. Its group is signalled by number, but only until
the exit code is taken, since the kernel gives the number to no other process before that.

Source: pidfd_open(2), pidfd_send_signal(2); gunicorn #371 shows what a reused process id does.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from typing import Any

import orjson

from hero_process.fork_orders import CONTROL_FD
from hero_process.mark import MARK
from hero_process.signals import send_signal
from hero_process.tree import kill_group
from hero_supervisor.process.child_log import open_pipe
from hero_supervisor.process.fork_server import ForkedProcess, ForkServer
from hero_supervisor.process.launch import ProcessUser, launch
from hero_supervisor.process.spec import ChildSpec

log = logging.getLogger(__name__)

# A heartbeat has about 100 bytes per lane. More than this without a newline is not a message.
_MAX_LINE_BYTES = 1024 * 1024


class ChildProcess:
    """A running process. `spawn` makes it; when `pidfd` becomes readable, `finish` must be called.

    Attributes:
        pid: Its process id, which is also the number of its group.
        pidfd: Readable once the process has ended.
        control: Our end of the control socket; None for a program that does not speak the protocol, and after its end.
        output_fd: Reading end of its stdout and stderr. The caller of `spawn` closes it.
    """

    __slots__ = ("_popen", "_received", "control", "output_fd", "pid", "pidfd")

    def __init__(
        self, popen: subprocess.Popen[bytes] | ForkedProcess, control: socket.socket | None, output_fd: int
    ) -> None:
        self._popen = popen
        self._received = b""
        self.pid = popen.pid
        # The process may have ended already, but its id is its own until its exit code is taken.
        self.pidfd = os.pidfd_open(popen.pid)
        self.control = control
        self.output_fd = output_fd

    @classmethod
    def spawn(
        cls, spec: ChildSpec, incarnation: str, environ: Mapping[str, str], fork_server: ForkServer | None = None
    ) -> ChildProcess:
        """Start a process.

        Call it in the main thread: actors ask the kernel for a signal when the thread that started them ends.

        Args:
            spec: What to run.
            incarnation: Name of this start.
            environ: The environment of this service.
            fork_server: Starts the processes that it can start; the others are executed.

        Raises:
            LaunchRefused: Its settings cannot be met.
            OSError: The program does not exist or cannot be executed, or there are no more processes or descriptors.
        """
        user = ProcessUser.find(spec.actor.launch.user)
        with contextlib.ExitStack() as on_failure, contextlib.ExitStack() as theirs:
            output_fd, their_output = open_pipe()
            on_failure.callback(os.close, output_fd)
            theirs.callback(os.close, their_output)
            ours: socket.socket | None = None
            control_fds: tuple[int, ...] = ()
            if spec.actor.control:
                ours, their_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
                on_failure.callback(ours.close)
                theirs.callback(their_end.close)
                ours.setblocking(False)
                control_fds = (their_end.fileno(),)
            their_environ = spec.environ({**environ, **user.environ}) | {MARK: incarnation}
            popen: subprocess.Popen[bytes] | ForkedProcess | None = None
            if fork_server is not None and spec.actor.forkable and control_fds:
                argv = spec.argv(incarnation, CONTROL_FD)
                popen = fork_server.fork(argv, their_environ, control_fds[0], their_output)
            if popen is None:
                popen = launch(
                    spec.argv(incarnation, *(control_fds or (None,))),
                    spec.actor.launch,
                    user,
                    environ=their_environ,
                    pass_fds=control_fds,
                    output_fd=their_output,
                    control=spec.actor.control,
                )
            try:
                child = cls(popen, ours, output_fd)
            except OSError:
                # Without a descriptor of its own nobody would notice its end, so it must not run.
                popen.kill()
                popen.wait()
                raise
            on_failure.pop_all()
        return child

    def send(self, message: Mapping[str, object]) -> bool:
        """Send one message, without waiting.

        Args:
            message: Is sent as one JSON line.

        Returns:
            False when the process does not read; a signal then has to tell it.
        """
        if self.control is None:
            return False
        try:
            # A command is far smaller than the socket's buffer, so it is sent whole or not at all.
            self.control.send(orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE), socket.MSG_NOSIGNAL)
        except OSError:
            return False
        return True

    def receive(self) -> list[dict[str, Any]] | None:
        """Read the messages of the process, without waiting.

        Returns:
            The complete messages; None at the end of file. A line that is not a JSON object is logged and dropped.
        """
        if self.control is None:
            return None
        try:
            data = self.control.recv(65536)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            return None
        if not data:
            return None
        *lines, self._received = (self._received + data).split(b"\n")
        if len(self._received) > _MAX_LINE_BYTES:
            self._received = b""
        return [message for line in lines if (message := self._parse(line)) is not None]

    def signal(self, number: signal.Signals) -> None:
        """Signal the process; does nothing when it has ended. If it has become another user, that is logged."""
        try:
            send_signal(self.pidfd, number)
        except OSError as e:
            # The caller has more to do. If the process does not end, it is killed with its group when its time is up.
            log.error("child.not_signalled", extra={"child_pid": self.pid, "signal": number.name, "reason": str(e)})

    def kill_group(self) -> None:
        """Kill the process and everything that it has started and that is still in its group."""
        if self._popen.returncode is None:
            kill_group(self.pid)

    def hang_up(self) -> None:
        """Close the control socket. The process understands this as the end of its supervisor."""
        if self.control is not None:
            self.control.close()
            self.control = None

    def finish(self) -> int:
        """Kill what is left of the group, take the exit code, and close everything.

        Call it only after `pidfd` became readable.

        Returns:
            The exit code, or the signal that ended it as a negative number.
        """
        self.kill_group()
        code = self._popen.wait()
        self.hang_up()
        os.close(self.pidfd)
        return code

    def _parse(self, line: bytes) -> dict[str, Any] | None:
        try:
            message = orjson.loads(line)
        except orjson.JSONDecodeError:
            message = None
        if not isinstance(message, dict):
            log.warning("control.not_understood", extra={"child_pid": self.pid, "bytes": len(line)})
            return None
        return message
