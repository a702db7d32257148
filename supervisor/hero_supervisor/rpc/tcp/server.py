"""The JSON-RPC server on a TCP port, off unless configured; the service runs it in its event loop.

uvicorn frames HTTP and WebSockets here, without signal handlers and without a loop of its own. Invariant: closing
answers every request that has begun, with its result or with "shutting down", and takes a bounded time.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Any, Final

from uvicorn.config import Config
from uvicorn.server import ServerState

from hero_config.model.settings import JobsSettings, RpcSettings
from hero_supervisor.errors import PortUnusable
from hero_supervisor.rpc.auth.gate import Gate
from hero_supervisor.rpc.endpoint import build_dispatcher
from hero_supervisor.rpc.metrics.metrics_page import MetricsPage
from hero_supervisor.rpc.metrics.request_counts import RequestCounts
from hero_supervisor.rpc.protocol.flow_control import ConnectionLimit, CountedWarning
from hero_supervisor.rpc.tcp.app import RpcApp
from hero_supervisor.rpc.tcp.tls_listener import TlsListener
from hero_supervisor.rpc.tcp.uvicorn_protocol import (
    HEAD_S,
    KEEP_ALIVE_S,
    PING_EVERY_S,
    PONG_WITHIN_S,
    HttpConnection,
    TcpConnection,
    WebSocketConnection,
)

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor
    from hero_job.tracing.job_tracer import JobTracer
    from hero_supervisor.fleet.fleet import Fleet
    from hero_supervisor.object_schemas import ConfiguredTypes

CLOSE_GRACE_S: Final = 5.0

log = logging.getLogger(__name__)
_refused_handshakes = CountedWarning("rpc.handshakes_refused")
# Of uvicorn, after we have answered a handshake with an HTTP error; and of websockets, for one that it cannot read.
_REFUSED_HANDSHAKE: Final = {"ASGI callable returned without completing handshake.", "opening handshake failed"}


class WebServer:
    """Offers a supervisor's methods on one port.

    Args:
        supervisor: Where jobs go.
        rpc_settings: Address, tokens, rights and limits.
        job_settings: What the deployment accepts of a job.
        listener: A socket from the service manager; the settings must have its address.
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
        self._settings = rpc_settings
        self._listener = listener
        self._dispatcher = build_dispatcher(supervisor, rpc_settings, job_settings, fleet, types, tracer=tracer)
        self._gate = Gate(rpc_settings, supervisor, open_to_all=not rpc_settings.auth_required)
        self._state = ServerState()
        self.metrics = MetricsPage(supervisor, fleet, lambda: len(self._state.connections))
        self.count_in(self.metrics.requests)
        self._app = RpcApp(self._dispatcher, self.metrics, rpc_settings, self._gate)
        self._server: asyncio.Server | TlsListener | None = None

    def count_in(self, requests: RequestCounts) -> None:
        """Count the requests here, together with another server of this supervisor."""
        self.metrics.requests = requests
        self._dispatcher.count = requests.note

    async def start(self) -> None:
        """Take the port and accept connections.

        Raises:
            OSError: The port is in use, the address is not of this host, or the certificate cannot be read.
        """
        settings = self._settings
        config = _uvicorn_config(self._app, settings)
        config.load()
        logging.getLogger("uvicorn.error").addFilter(_is_our_error)
        limit = ConnectionLimit("max_connections", settings.max_connections)
        family = socket.AF_INET6 if ":" in settings.bind else socket.AF_INET
        try:
            listener = self._listener or socket.create_server(
                (settings.bind, settings.port), family=family, backlog=1024
            )
        except OSError as e:
            raise PortUnusable(settings.bind, settings.port, e) from e

        def make_protocol() -> HttpConnection:
            return HttpConnection(config, self._state, limit=limit, app=self._app)

        try:
            await self._gate.open()
            if config.ssl is not None:
                listener.setblocking(False)
                self._server = TlsListener(listener, config.ssl, HEAD_S, make_protocol)
            else:
                self._server = await asyncio.get_running_loop().create_server(
                    make_protocol, sock=listener, backlog=1024
                )
        except BaseException:
            listener.close()
            await self._gate.close()
            raise
        extra = {
            "address": settings.bind,
            "port": settings.port,
            "tls": config.is_ssl,
            "tokens": len(settings.tokens),
            "passed": self._listener is not None,
        }
        log.info("rpc.listening", extra=extra)

    async def close(self, grace_s: float = CLOSE_GRACE_S) -> None:
        """Accept no more connections, finish the requests in flight, and close all connections.

        Args:
            grace_s: Seconds that requests have to finish; then they are answered with "shutting down".
        """
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self._app.closing = True
        log.info("rpc.closing", extra={"port": self._settings.port, "connections": len(self._state.connections)})
        finishing: list[asyncio.Future[Any]] = [rpc_socket.finish() for rpc_socket in self._app.sockets]
        finishing += [
            request
            for connection in self._connections()
            if isinstance(connection, HttpConnection)
            for request in connection.client_flow.requests
        ]
        await _all_done(finishing, timeout_s=grace_s)
        self._dispatcher.stop()
        for connection in self._connections():
            connection.client_flow.cancel_requests()
        await _all_done(finishing, timeout_s=1.0)
        for connection in self._connections():
            connection.shutdown()
        # So that clients can read their last answers.
        await _all_done([connection.client_flow.lost for connection in self._connections()], timeout_s=1.0)
        left = self._connections()
        for connection in left:
            connection.client_flow.abort()
        await _all_done([connection.client_flow.lost for connection in left], timeout_s=1.0)
        await self._gate.close()

    def _connections(self) -> list[TcpConnection]:
        return [c for c in self._state.connections if isinstance(c, HttpConnection | WebSocketConnection)]


def _uvicorn_config(app: RpcApp, settings: RpcSettings) -> Config:
    return Config(
        app.asgi,
        http=HttpConnection,
        ws=WebSocketConnection,
        ws_max_size=settings.max_message_bytes,
        ws_ping_interval=PING_EVERY_S,
        ws_ping_timeout=PONG_WITHIN_S,
        ws_per_message_deflate=False,  # a few bytes could become many, and it costs 64 KiB per connection
        timeout_keep_alive=KEEP_ALIVE_S,
        lifespan="off",
        log_config=None,
        log_level="error",  # clients are told their errors; the log is for ours
        access_log=False,
        proxy_headers=False,  # every client can write X-Forwarded-For
        server_header=False,
        date_header=False,
        ssl_certfile=settings.tls_cert or None,
        ssl_keyfile=settings.tls_key or None,
    )


def _is_our_error(record: logging.LogRecord) -> bool:
    """Drop what clients cause and uvicorn logs as an error: text that is not UTF-8, and handshakes that we refuse."""
    if record.msg in _REFUSED_HANDSHAKE:
        _refused_handshakes.note()
        return False
    return not (record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError))


async def _all_done(futures: list[asyncio.Future[Any]], *, timeout_s: float) -> None:
    if futures:
        await asyncio.wait(futures, timeout=timeout_s)
