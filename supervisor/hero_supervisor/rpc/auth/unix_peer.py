"""Who is at the other end of a Unix socket, as the kernel says, and what that user may do.

Called by ``unix`` for each connection. Invariant: the facts are those of the process that connected, at the time it
did; nothing that a client sends changes them.

Source: unix(7), SO_PEERCRED.
"""

from __future__ import annotations

import logging
import os
import pwd
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Final

from hero_config.model.settings import UnixPeerSettings
from hero_supervisor.rpc.auth.scopes import Scope
from hero_supervisor.rpc.auth.session import Gate, Session

_UCRED: Final = struct.Struct("=iII")

log = logging.getLogger(__name__)


class Peers:
    """The users of this machine that may do something.

    Args:
        gate: Of the server.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._known: Mapping[int, tuple[str, Scope]] = {}
        if gate.settings.unix_auth == "peer":
            # root, and who runs the service, reach the store without us.
            trusted = {uid: (f"uid:{uid}", Scope.ADMIN) for uid in (0, os.getuid())}
            self._known = trusted | _by_uid(gate.settings.unix_peers)

    def session(self, client: socket.socket) -> Session:
        """Make the session of a connection.

        Args:
            client: Its socket; not read.
        """
        pid, uid, gid = _UCRED.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        session = Session(self._gate, f"uid:{uid}", lasting=True)
        session.facts = {"uid": uid, "gid": gid, "pid": pid}
        known = self._known.get(uid)
        if known is not None:
            session.become(*known, "peer")
        log.info("rpc.connected", extra={**session.facts, "holder": session.name, "scope": session.scope.name.lower()})
        return session


def _by_uid(peers: Sequence[UnixPeerSettings]) -> dict[int, tuple[str, Scope]]:
    found: dict[int, tuple[str, Scope]] = {}
    for peer in peers:
        uid = _uid(peer.user)
        if uid is None:
            log.warning("rpc.unknown_user", extra={"user": peer.user})
        else:
            found[uid] = (peer.name or peer.user, Scope[peer.scope.upper()])
    return found


def _uid(user: str) -> int | None:
    if user.isdecimal():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None
