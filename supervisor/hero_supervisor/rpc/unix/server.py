"""JSON-RPC on a Unix socket: the server that the supervisor and ``hero-unix-server`` run in their event loop.

One connection carries many requests at once, and each is answered as soon as its answer is there, in one write that
ends in one line feed. Invariants: a connection holds a bounded number of requests and a bounded amount of bytes in each
direction, whatever its client does; and what a client breaks is its own connection, never another's.

- Reading stops while ``MAX_IN_FLIGHT`` requests are under way or while the client does not read its answers; then the
  kernel's buffer fills up and the client's own writes wait.
- A client that reads nothing of what is waiting for it in ``STALL_S`` seconds, or that has asked for so much that more
  than ``MAX_UNREAD_BYTES`` of answers wait for it, is cut off, with a line in the log.
- A client that has gone away leaves its requests behind: what is done within ``LEFT_BEHIND_S`` is done (a client
  need not wait for answers that it does not want), and longer waits end. Jobs that were waited for go on.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from hero_config.model.settings import JobsSettings, RpcSettings
from hero_job.model.job import JobLimits
from hero_supervisor.rpc.auth import methods as auth_methods
from hero_supervisor.rpc.auth.session import Gate
from hero_supervisor.rpc.auth.supervisor import SessionSupervisor
from hero_supervisor.rpc.auth.unix_peer import Peers
from hero_supervisor.rpc.methods.methods import build_dispatcher
from hero_supervisor.rpc.protocol import wire
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.unix import socket_file
from hero_supervisor.rpc.unix.connection import UnixConnection

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor
    from hero_supervisor.fleet.fleet import Fleet

CLOSE_GRACE_S: Final = 5.0
FULL_LOG_EVERY_S: Final = 10.0
# From Python 3.13 on the loop would remove the file of a passed socket; we remove our own, and before it could.
_FILE_IS_OURS: Final[dict[str, Any]] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}

log = logging.getLogger(__name__)


def serve(
    supervisor: AsyncSupervisor,
    rpc_settings: RpcSettings,
    job_settings: JobsSettings,
    *,
    listener: socket.socket | None = None,
    fleet: Fleet | None = None,
) -> UnixServer:
    """Make the server that offers a supervisor's methods; ``start`` makes it listen.

    Args:
        supervisor: Where jobs go.
        rpc_settings: Path, mode, who may do what, and message limit.
        job_settings: What the deployment accepts of a job.
        listener: The socket, when the service manager has made it; then path and mode of the settings mean nothing.
        fleet: The actor processes of this supervisor; None where there are none.
    """
    limits = JobLimits(
        max_script_bytes=job_settings.max_script_bytes,
        max_timeout_s=job_settings.max_timeout_s,
        default_timeout_s=job_settings.default_timeout_s,
    )
    dispatcher = build_dispatcher(SessionSupervisor(supervisor, rpc_settings), limits, rpc_settings, fleet)
    auth_methods.register(dispatcher)
    return UnixServer(
        dispatcher,
        Gate(rpc_settings, supervisor, open_to_all=rpc_settings.unix_auth == "off"),
        Path(rpc_settings.unix_socket),
        mode=rpc_settings.unix_mode_bits,
        max_message_bytes=rpc_settings.max_message_bytes,
        max_connections=rpc_settings.unix_max_connections,
        listener=listener,
    )


class UnixServer:
    """Listens on one path and serves every connection from one dispatcher.

    Args:
        dispatcher: Answers the messages.
        gate: Knows who may do what.
        path: Of the socket.
        mode: Permissions of the socket.
        max_message_bytes: Longest request.
        max_connections: Most connections; one more is told so and closed.
        listener: A socket that listens already, instead of one at the path.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        gate: Gate,
        path: Path,
        *,
        mode: int,
        max_message_bytes: int,
        max_connections: int,
        listener: socket.socket | None = None,
    ) -> None:
        self.path = path
        self._dispatcher = dispatcher
        self._gate = gate
        self._peers = Peers(gate)
        self._mode = mode
        self._max_message_bytes = max_message_bytes
        self._max_connections = max_connections
        self._next_full_log = 0.0
        self._connections: set[UnixConnection] = set()
        self._file: socket_file.SocketFile | None = socket_file.adopt(listener) if listener is not None else None
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Take the path and accept connections.

        Raises:
            SocketInUse: A live server is there.
            SocketPathRefused: The path cannot be used.
        """
        if self._file is None:
            self._file = await socket_file.take(self.path, self._mode)
        await self._gate.open()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(
            self._connect, sock=self._file.listener, backlog=1024, **_FILE_IS_OURS
        )
        self.path = self._file.path
        facts = {"passed": True} if self._file.passed else {"mode": oct(self._mode)}
        log.info("rpc.listening", extra={"socket": str(self.path), **facts})

    async def close(self, grace_s: float = CLOSE_GRACE_S) -> None:
        """Accept nobody any more, finish the requests under way, close the connections, remove the file.

        Args:
            grace_s: How long requests may take to finish; then they are answered with "shutting down".
        """
        if self._file is not None:
            await asyncio.to_thread(self._file.remove)  # before the listener closes: see there
            if self._server is None:  # told to end while it started
                self._file.listener.close()
            self._file = None
        if self._server is not None:
            self._server.close()
            self._server = None
            log.info("rpc.closing", extra={"socket": str(self.path), "connections": len(self._connections)})
        finishing = [connection.finish(wire.shutting_down()) for connection in self._connections]
        if finishing:
            await asyncio.wait(finishing, timeout=grace_s)
        self._dispatcher.stop()
        for connection in tuple(self._connections):
            connection.stop_requests()
        if finishing:
            # Answered or not, they read their last bytes by then or lose them.
            await asyncio.wait(finishing, timeout=1.0)
        for connection in tuple(self._connections):
            connection.abort()
        await self._gate.close()

    def _connect(self) -> asyncio.Protocol:
        if len(self._connections) >= self._max_connections:
            now = asyncio.get_running_loop().time()
            if now >= self._next_full_log:
                self._next_full_log = now + FULL_LOG_EVERY_S
                log.warning("rpc.too_many_connections", extra={"unix_max_connections": self._max_connections})
            return _Refusal(wire.too_many_connections(self._max_connections))
        return UnixConnection(self._dispatcher, self._peers, self._connections, self._max_message_bytes)


class _Refusal(asyncio.Protocol):
    """One client too many: it is told so."""

    def __init__(self, error: wire.RpcError) -> None:
        self._error = error

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        refused = cast(asyncio.Transport, transport)
        refused.write(wire.encode_error(None, self._error) + b"\n")
        refused.close()
