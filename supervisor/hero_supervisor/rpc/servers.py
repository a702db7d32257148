"""Makes the servers of a supervisor's RPC: the Unix socket and the port, which count their requests together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from hero_supervisor.object_schemas import ConfiguredTypes

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor
    from hero_config.model.settings import Settings
    from hero_supervisor.systemd.activation import PassedSockets


class Server(Protocol):
    """A transport of the RPC."""

    async def start(self) -> None:
        """Begin to serve."""

    async def close(self) -> None:
        """Refuse new requests and end."""


def make_servers(
    client: AsyncSupervisor,
    settings: Settings,
    passed: PassedSockets,
    disk_free: Callable[[], int | None] | None,
    **parts: Any,
) -> list[Server]:
    """Make the servers. The modules of a transport are imported only when it is offered.

    Args:
        client: Where jobs go.
        settings: All settings.
        passed: Sockets from the service manager.
        disk_free: Gives the free bytes on the disk of the embedded store; None without one.
        parts: What both servers get besides.
    """
    servers: list[Server] = []
    parts["types"] = ConfiguredTypes(settings)
    if settings.rpc.unix_socket or passed.unix is not None:
        from hero_supervisor.rpc.unix.server import UnixServer

        unix = UnixServer(client, settings.rpc, settings.jobs, listener=passed.unix, **parts)
        unix.metrics.disk_free = disk_free
        servers.append(unix)
    if settings.rpc.port:
        from hero_supervisor.rpc.tcp.server import WebServer

        web = WebServer(client, settings.rpc, settings.jobs, listener=passed.tcp, **parts)
        web.metrics.disk_free = disk_free
        if servers:
            web.count_in(unix.metrics.requests)
        servers.append(web)
    return servers
