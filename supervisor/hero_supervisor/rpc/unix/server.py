"""The JSON-RPC server on a Unix socket; the service runs it in its event loop.

A connection carries many requests concurrently, and each is answered as soon as its answer is ready. Invariants: each
connection holds a bounded number of requests and a bounded amount of bytes in each direction (see ``flow_control``), no
matter what its client does; a misbehaving client harms only its own connection.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from hero_config.model.settings import JobsSettings, RpcSettings
from hero_supervisor.rpc.auth.gate import Gate
from hero_supervisor.rpc.auth.unix_peer import UnixPeers
from hero_supervisor.rpc.endpoint import build_dispatcher
from hero_supervisor.rpc.metrics.metrics_page import MetricsPage
from hero_supervisor.rpc.metrics.request_counts import RequestCounts
from hero_supervisor.rpc.protocol import wire
from hero_supervisor.rpc.protocol.flow_control import ConnectionLimit
from hero_supervisor.rpc.unix import socket_file
from hero_supervisor.rpc.unix.connection import UnixConnection

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor
    from hero_job.tracing.job_tracer import JobTracer
    from hero_supervisor.fleet.fleet import Fleet
    from hero_supervisor.object_schemas import ConfiguredTypes

CLOSE_GRACE_S: Final = 5.0
# From Python 3.13 on, the loop would remove the file of a passed socket. We remove our own file, before the loop could.
_FILE_IS_OURS: Final[dict[str, Any]] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}

log = logging.getLogger(__name__)


class UnixServer:
    """Offers a supervisor's methods on one path.

    Args:
        supervisor: Where jobs go.
        rpc_settings: Path, mode, rights and limits.
        job_settings: What the deployment accepts of a job.
        listener: A socket from the service manager; then path and mode of the settings are ignored.
        fleet: The actor processes of this supervisor; None if it has none.
        types: The types of objects; None for the built-in ones.
        tracer: Records the spans of new jobs; None if none are recorded.

    Attributes:
        metrics: What `/metrics` answers.
    """

    def __init__(
        self,
        supervisor: AsyncSupervisor,
        rpc_settings: RpcSettings,
        job_settings: JobsSettings,
        *,
        listener: socket.socket | None = None,
        fleet: Fleet | None = None,
        types: ConfiguredTypes | None = None,
        tracer: JobTracer | None = None,
    ) -> None:
        self.path = Path(rpc_settings.unix_socket)
        self._dispatcher = build_dispatcher(supervisor, rpc_settings, job_settings, fleet, types, tracer=tracer)
        self.metrics = MetricsPage(supervisor, fleet)
        self.count_in(self.metrics.requests)
        self._gate = Gate(rpc_settings, supervisor, open_to_all=rpc_settings.unix_auth == "off")
        self._peers = UnixPeers(self._gate)
        self._mode = rpc_settings.unix_mode_bits
        self._max_message_bytes = rpc_settings.max_message_bytes
        self._limit = ConnectionLimit("unix_max_connections", rpc_settings.unix_max_connections)
        self._connections: dict[UnixConnection, None] = {}  # in the order in which they came
        self._file: socket_file.SocketFile | None = socket_file.adopt(listener) if listener is not None else None
        self._server: asyncio.Server | None = None

    def count_in(self, requests: RequestCounts) -> None:
        """Count the requests here, together with another server of this supervisor."""
        self.metrics.requests = requests
        self._dispatcher.count = requests.note

    async def start(self) -> None:
        """Take the path and accept connections.

        Raises:
            SocketInUse: A live server listens there.
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
        """Accept no more connections, finish the requests in flight, close all connections, and remove the file.

        Args:
            grace_s: Seconds that requests have to finish; then they are answered with "shutting down".
        """
        if self._file is not None:
            await asyncio.to_thread(self._file.remove)  # before the listener closes: see there
            if self._server is None:  # closed while it started
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
            connection.flow.cancel_requests()
        if finishing:
            await asyncio.wait(finishing, timeout=1.0)  # so that clients can read their last answers
        for connection in tuple(self._connections):
            connection.flow.abort()
        await self._gate.close()

    def _connect(self) -> asyncio.Protocol:
        if len(self._connections) >= self._limit.max_connections:
            # A client that has asked for nothing makes room, then one that is not known, the oldest first.
            silent = (connection for connection in self._connections if connection.is_silent)
            strangers = (connection for connection in self._connections if connection.is_stranger)
            if (useless := next(silent, None) or next(strangers, None)) is not None:
                useless.evict()
        if self._limit.refuses(len(self._connections) + 1):
            return _Refusal(wire.too_many_connections(self._limit.max_connections))
        return UnixConnection(self._dispatcher, self._peers, self._connections, self._max_message_bytes, self.metrics)


class _Refusal(asyncio.Protocol):
    """A connection that is one too many: its client is told so, then it is closed."""

    def __init__(self, error: wire.RpcError) -> None:
        self._error = error

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        refused = cast(asyncio.Transport, transport)
        refused.write(wire.encode_error(None, self._error) + b"\n")
        refused.close()
