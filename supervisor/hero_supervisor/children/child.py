"""One actor process as its supervisor holds it: a pidfd, a control socket, a process group.

Owned here: making the process (`launch.py` knows how), speaking to it, signalling it, and taking its exit code. Called
by `slot.py` from the main thread only. Invariant: a signal never reaches a process that is not ours. The process is
signalled through its pidfd; its group by number, but only until the exit code is taken: for that long the kernel gives
the number to nobody.

Source: pidfd_open(2), pidfd_send_signal(2); gunicorn #371 is what a recycled number does.
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

from hero_supervisor.children.child_log import open_pipe
from hero_supervisor.children.launch import Who, launch
from hero_supervisor.children.orphans import MARK
from hero_supervisor.children.spec import ChildSpec

log = logging.getLogger(__name__)

# A beat has some 100 bytes a lane. More than this without a newline is no message.
_MAX_LINE_BYTES = 1024 * 1024


class ChildProcess:
    """A running process. Made by `spawn`; ends with `finish`, which must be called when `pidfd` becomes readable.

    Attributes:
        pid: Its process id, and that of its group.
        pidfd: Readable once the process has ended.
        control: Our end of the control socket; None for a program that does not speak the protocol, and after its end.
        output_fd: Reading end of what it writes to stdout and stderr; whoever made the process closes it.
    """

    __slots__ = ("_popen", "_received", "control", "output_fd", "pid", "pidfd")

    def __init__(self, popen: subprocess.Popen[bytes], control: socket.socket | None, output_fd: int) -> None:
        self._popen = popen
        self._received = b""
        self.pid = popen.pid
        # The process may have ended already: until its exit code is taken, its number is still its own.
        self.pidfd = os.pidfd_open(popen.pid)
        self.control = control
        self.output_fd = output_fd

    @classmethod
    def spawn(cls, spec: ChildSpec, incarnation: str, environ: Mapping[str, str]) -> ChildProcess:
        """Start a process.

        The main thread must call this: actors ask the kernel for a signal at the death of the thread that made them.

        Args:
            spec: What to run.
            incarnation: Name of this start.
            environ: The environment of this service.

        Raises:
            LaunchRefused: What its settings ask for cannot be had.
            OSError: The program does not exist or cannot be executed, or there are no more processes or descriptors.
        """
        how = spec.actor.launch
        who = Who.of(how.user)
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
            popen = launch(
                spec.argv(incarnation, *(control_fds or (None,))),
                how,
                who,
                environ=spec.environ({**environ, **who.environ}) | {MARK: incarnation},
                pass_fds=control_fds,
                output_fd=their_output,
                speaks=spec.actor.control,
            )
            on_failure.pop_all()
        return cls(popen, ours, output_fd)

    def send(self, message: Mapping[str, object]) -> bool:
        """Send one message, unless the process does not read.

        Args:
            message: Becomes one JSON line.

        Returns:
            False when it cannot be sent, which a signal has to make up for.
        """
        if self.control is None:
            return False
        try:
            # A command is far smaller than a socket's buffer: it goes whole or, to a child that hangs, not at all.
            self.control.send(orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE), socket.MSG_NOSIGNAL)
        except OSError:
            return False
        return True

    def receive(self) -> list[dict[str, Any]] | None:
        """Read what the process has said, without waiting.

        Returns:
            The complete messages; None at the end of file. What is not a JSON object is logged and dropped.
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
        """Signal the process; nothing happens when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def kill_group(self) -> None:
        """Kill the process and everything in its group, that is what it has started and not moved elsewhere."""
        if self._popen.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def hang_up(self) -> None:
        """Close the control socket: to the process this means that its supervisor is gone."""
        if self.control is not None:
            self.control.close()
            self.control = None

    def finish(self) -> int:
        """End what is left of the group, take the exit code, close everything. Only after `pidfd` became readable.

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
