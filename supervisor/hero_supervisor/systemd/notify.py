"""Tells the service manager that the service is ready, reloads, stops, or is still responsive, and its status line.

Owned here: the protocol of sd_notify. The service calls this from its own loop, never from a separate thread, because
a watchdog that is fed while the loop hangs detects nothing. Without a service manager this does nothing.

Source: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

log = logging.getLogger(__name__)


class Notifier:
    """The connection to the service manager.

    Args:
        environ: Holds `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`; `os.environ` when None.
    """

    __slots__ = ("_address", "_last_status", "_socket", "watchdog_s")

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        env = os.environ if environ is None else environ
        address = env.get("NOTIFY_SOCKET", "")
        # A name that begins with @ is in the abstract namespace. The kernel wants a zero byte in place of the @.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        self._last_status = ""
        #: Seconds between two signs of life: half of what the service manager allows. None without a watchdog.
        self.watchdog_s = _watchdog_s(env)

    def ready(self) -> None:
        """Say that the service is up."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that the service reloads its config. `ready` ends the reload. For `Type=notify-reload`."""
        # By the time, the service manager knows that this belongs to the reload that it has asked for.
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def status(self, text: str) -> None:
        """Show one line of text beside the service's state. It is sent only when it has changed."""
        if text != self._last_status:
            self._last_status = text
            self._send(f"STATUS={text}")

    def stopping(self) -> None:
        """Say that the service is ending."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Give a sign of life. Call it every `watchdog_s` seconds."""
        self._send("WATCHDOG=1")

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
                self._socket.setblocking(False)
            self._socket.sendto(message.encode(), self._address)
        except OSError as e:
            # The service must not fail because the service manager cannot be reached.
            log.debug("notify.not_sent", extra={"reason": str(e)})


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    usec = environ.get("WATCHDOG_USEC", "")
    meant_for = environ.get("WATCHDOG_PID", "")
    if not usec.isdecimal() or (meant_for and meant_for != str(os.getpid())):
        return None
    return int(usec) / 2_000_000 or None
