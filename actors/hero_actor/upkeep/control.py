"""The actor's end of the socket to its supervisor.

The main thread sends reports and receives commands, as JSON lines. Invariant: the socket never blocks the actor. A
supervisor that does not read loses reports and nothing else; end of file means that the supervisor is gone.
"""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any

import orjson

log = logging.getLogger(__name__)

#: Most bytes that wait for a supervisor that does not read. A report has about 100 bytes per lane.
_MAX_UNSENT_BYTES = 64 * 1024
#: Most bytes of one command. What is longer and has no newline is not a command.
_MAX_LINE_BYTES = 64 * 1024
#: Source: Linux include/uapi/linux/prctl.h
_PR_SET_PDEATHSIG = 1


class ControlSocket:
    """Sends reports to the supervisor and receives its commands. Used by the main thread only.

    Args:
        fd: An inherited, connected Unix stream socket; this object owns it from now on.

    Attributes:
        lost: The supervisor is gone.

    Raises:
        OSError: The descriptor is not a socket.
    """

    __slots__ = ("_received", "_socket", "_unsent", "lost")

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(False)
        # The supervisor takes the end of this socket for the end of the actor: no child process may keep it open.
        self._socket.set_inheritable(False)
        self._received = bytearray()
        self._unsent = bytearray()
        self.lost = False

    def fileno(self) -> int:
        """Return the descriptor, for poll."""
        return self._socket.fileno()

    def send(self, message: Mapping[str, object]) -> None:
        """Send one message; keep what the socket does not take for the next call.

        Args:
            message: Becomes one JSON line. It is dropped when too many bytes are waiting already.
        """
        if self.lost:
            return
        if len(self._unsent) < _MAX_UNSENT_BYTES:
            self._unsent += orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE)
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent, socket.MSG_NOSIGNAL)]
        except BlockingIOError:
            pass
        except OSError:
            self.lost = True

    def receive(self) -> list[dict[str, Any]]:
        """Read what has arrived, without waiting; set `lost` at the end of file.

        Returns:
            The complete messages. A line that is not a JSON object is logged and dropped.
        """
        if self.lost:
            return []
        try:
            while data := self._socket.recv(65536):
                self._received += data
            self.lost = True
        except BlockingIOError:
            pass
        except OSError:
            self.lost = True
        *lines, rest = self._received.split(b"\n")
        self._received = rest if len(rest) <= _MAX_LINE_BYTES else bytearray()
        return [message for line in lines if line.strip() and (message := _parse(line)) is not None]


def die_with_parent() -> None:
    """Have the kernel send SIGTERM to this process when the thread that started it ends.

    It backs up the end of file on the control socket. SIGTERM drains, like that end of file, so that a running job can
    still write its result. Linux only.

    Source: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
    """
    if sys.platform != "linux":
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        log.warning("control.no_parent_death_signal", extra={"errno": ctypes.get_errno()})


def _parse(line: bytes | bytearray) -> dict[str, Any] | None:
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError:
        message = None
    if not isinstance(message, dict):
        log.warning("control.not_understood", extra={"bytes": len(line)})
        return None
    return message
