"""Takes over the sockets that the service manager passes.

The service manager keeps them open over a restart, so a client waits instead of being refused. Owned here: the protocol
of sd_listen_fds(3). `service.py` calls this once, when it starts. Invariants: a passed socket is used or refused, never
ignored; neither actors nor the store inherit its descriptor or the variables.

Source: https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from hero_config.model.settings import RpcSettings
from hero_supervisor.errors import HeroSupervisorError

_FIRST_FD: Final = 3
_VARIABLES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
_KINDS: Final = {socket.AF_UNIX: "unix", socket.AF_INET: "tcp", socket.AF_INET6: "tcp"}


class SocketsRefused(HeroSupervisorError):
    """This service cannot listen on what was passed."""

    def __init__(self, reason: str) -> None:
        """Keep the reason, which says what to change."""
        super().__init__(f"the sockets that the service manager passes cannot be used: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedSockets:
    """The passed sockets, which already listen.

    Attributes:
        unix: Unix socket for JSON-RPC; None when none was passed.
        tcp: TCP socket for WebSocket and HTTP; None when none was passed.
    """

    unix: socket.socket | None = None
    tcp: socket.socket | None = None

    def close(self) -> None:
        """Close our descriptors. Clients that connect after that wait for the next process."""
        for listener in (self.unix, self.tcp):
            if listener is not None:
                listener.close()

    def applied_to(self, settings: RpcSettings) -> RpcSettings:
        """Put the address of the passed TCP socket into the settings, under the same rules as a configured one.

        Args:
            settings: The configured settings.

        Raises:
            SocketsRefused: The address may not be offered with these settings.
        """
        if self.tcp is None:
            return settings
        bind, port = self.tcp.getsockname()[:2]
        try:
            return RpcSettings.model_validate({**settings.model_dump(), "bind": bind, "port": port})
        except ValidationError as e:
            text = "; ".join(error["msg"].removeprefix("Value error, ") for error in e.errors())
            raise SocketsRefused(text) from e


def take_sockets(environ: MutableMapping[str, str]) -> PassedSockets:
    """Take the sockets that were passed to this process, and remove the variables.

    Args:
        environ: The environment of this process.

    Returns:
        The sockets, non-blocking and not inherited by children; none without a service manager.

    Raises:
        SocketsRefused: A descriptor is something else, or there are two of one kind. None of them stays open.
    """
    meant_for, count_text, names_text = (environ.pop(name, "") for name in _VARIABLES)
    if meant_for != str(os.getpid()):
        return PassedSockets()
    if not count_text.isdecimal():
        raise SocketsRefused(f"LISTEN_FDS is no number: {count_text!r}")
    fds = range(_FIRST_FD, _FIRST_FD + int(count_text))
    names = names_text.split(":") if names_text else [""] * len(fds)
    taken: dict[str, socket.socket] = {}
    try:
        if len(names) != len(fds):
            raise SocketsRefused(f"LISTEN_FDNAMES has {len(names)} names for {len(fds)} descriptors")
        for fd, name in zip(fds, names, strict=True):
            kind, listener = _listener(fd, name)
            if kind in taken:
                listener.detach()
                raise SocketsRefused(f"there are two {kind} sockets, and one can be served; remove a ListenStream=")
            taken[kind] = listener
    except SocketsRefused:
        for listener in taken.values():
            listener.detach()
        for fd in fds:
            with contextlib.suppress(OSError):  # a descriptor that is not open may be the reason for the refusal
                os.close(fd)
        raise
    return PassedSockets(unix=taken.get("unix"), tcp=taken.get("tcp"))


def _listener(fd: int, name: str) -> tuple[str, socket.socket]:
    """Check one descriptor, and give its kind and the socket, which owns the descriptor from then on."""
    label = f"descriptor {fd}" + (f" ({name})" if name else "")
    try:
        os.set_inheritable(fd, False)
        listener = socket.socket(fileno=fd)
    except OSError as e:
        raise SocketsRefused(f"{label} is no socket: {e.strerror}") from e
    kind = _KINDS.get(listener.family, "")
    reason = ""
    if not kind or listener.type != socket.SOCK_STREAM:
        reason = "is neither a Unix nor a TCP stream socket; use ListenStream="
    elif name in _KINDS.values() and name != kind:
        reason = f"is a {kind} socket; correct FileDescriptorName="
    elif not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        reason = "does not listen; use Accept=no"
    if reason:
        listener.detach()
        raise SocketsRefused(f"{label} {reason}")
    listener.setblocking(False)
    return kind, listener
