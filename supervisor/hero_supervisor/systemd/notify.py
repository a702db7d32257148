"""Tells the service manager what the service does: ready, status, stopping, and that its loop still turns.

Owned here: the protocol of sd_notify. Driven by the service's own loop, never by a thread of its own: a watchdog that
ticks while the loop hangs watches nothing. Does nothing without a service manager.

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
    """A line to the service manager.

    Args:
        environ: Where `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` are looked up; `os.environ` when None.
    """

    __slots__ = ("_address", "_last_status", "_socket", "watchdog_s")

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        env = os.environ if environ is None else environ
        address = env.get("NOTIFY_SOCKET", "")
        # A name that begins with @ is in the abstract namespace, which the kernel writes with a zero byte.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        self._last_status = ""
        #: Seconds between two signs of life, half of what the service manager allows; None without a watchdog.
        self.watchdog_s = _watchdog_s(env)

    def ready(self) -> None:
        """The service is up."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The service loads its config again; `ready` says that it has. For `Type=notify-reload`."""
        # The service manager tells by the time that this belongs to the reload that it has asked for.
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def status(self, text: str) -> None:
        """Show one line of text beside the service's state. Sent only when it has changed."""
        if text != self._last_status:
            self._last_status = text
            self._send(f"STATUS={text}")

    def stopping(self) -> None:
        """The service is on its way down."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """The loop turns; to be called every `watchdog_s`."""
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
            # A service manager that cannot be reached is no reason for the service to fail.
            log.debug("notify.not_sent", extra={"reason": str(e)})


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    usec = environ.get("WATCHDOG_USEC", "")
    meant_for = environ.get("WATCHDOG_PID", "")
    if not usec.isdecimal() or (meant_for and meant_for != str(os.getpid())):
        return None
    return int(usec) / 2_000_000 or None
