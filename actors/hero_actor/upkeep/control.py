"""The actor's end of the socket to its supervisor.

JSON lines both ways. The socket never blocks the actor: a supervisor that does not read loses beats, nothing else. Its
end of file means that the supervisor is gone.
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

#: What may wait for a supervisor that does not read. A report has some 100 bytes a lane.
_MAX_UNSENT_BYTES = 64 * 1024
#: A command is a short line; more than this without a newline is not one.
_MAX_LINE_BYTES = 64 * 1024
#: Source: Linux include/uapi/linux/prctl.h
_PR_SET_PDEATHSIG = 1


class Control:
    """Reports to the supervisor and its orders. Used by the main thread only.

    Args:
        fd: An inherited, connected Unix stream socket; owned from here on.

    Raises:
        OSError: The descriptor is no socket.
    """

    __slots__ = ("_received", "_socket", "_unsent", "lost")

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(False)
        # A child process of a job must not keep the socket open: the supervisor reads its end as ours.
        self._socket.set_inheritable(False)
        self._received = bytearray()
        self._unsent = bytearray()
        self.lost = False

    def fileno(self) -> int:
        """The descriptor, for poll."""
        return self._socket.fileno()

    def send(self, message: Mapping[str, object]) -> None:
        """Send one message, or keep what the socket does not take for the next call.

        Args:
            message: Becomes one JSON line. Dropped when too much waits already.
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
        """Read what has arrived, without waiting; sets `lost` at the end of file.

        Returns:
            The complete messages. What is not a JSON object is logged and dropped.
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

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def die_with_parent() -> None:
    """Have the kernel send TERM when the thread that started this process ends: the belt to the socket's end of file.

    TERM, not KILL: it drains, like the end of file, so a running job still gets its result written. Linux only.

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
