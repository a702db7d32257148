"""The socket on which a service manager gets notifications."""

from __future__ import annotations

import socket


def received(manager: socket.socket) -> list[str]:
    """Read all messages that have arrived, without waiting for more."""
    messages = []
    manager.setblocking(False)
    while True:
        try:
            messages.append(manager.recv(4096).decode())
        except BlockingIOError:
            return messages
