"""Identifies the process at the other end of a Unix socket by what the kernel says, and gives it the scope of its user.

The server of the Unix socket asks it about each connection. Invariant: the facts describe the process that connected,
at the time when it connected; nothing that a client sends changes them.

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
from hero_supervisor.rpc.auth.gate import Gate
from hero_supervisor.rpc.auth.scopes import Scope
from hero_supervisor.rpc.auth.session import RpcSession

_UCRED: Final = struct.Struct("=iII")

log = logging.getLogger(__name__)


class UnixPeers:
    """The users of this host that need not authenticate.

    Args:
        gate: Of the server.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._known: Mapping[int, tuple[str, Scope]] = {}
        if gate.settings.unix_auth == "peer":
            # root and the user of the service can reach the store without this server anyway.
            trusted = {uid: (f"uid:{uid}", Scope.ADMIN) for uid in (0, os.getuid())}
            self._known = trusted | _by_uid(gate.settings.unix_peers)

    def session(self, client: socket.socket) -> RpcSession:
        """Make the session of a connection.

        Args:
            client: Socket of the connection; nothing is read from it.
        """
        pid, uid, gid = _UCRED.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        session = RpcSession(self._gate, f"uid:{uid}", lasting=True)
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
