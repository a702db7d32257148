"""Makes the redis-py client of an `AsyncStore` from a store URL. No command is sent here.

Invariant: redis-py sends nothing twice and sets no timeout of its own on a command; `AsyncStore` does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from hero_job.client.redis_py import NoBackoff, Retry, Sentinel, redis_asyncio
from hero_job.client.url import Address, StoreUrl

FindPrimary = Callable[[], Awaitable[Address]]


def make_client(url: StoreUrl, connect_timeout_s: float, find_primary: FindPrimary | None = None) -> Any:
    """Make a client for the server that a URL leads to.

    Args:
        url: Where the server is.
        connect_timeout_s: Longest time to connect, in seconds.
        find_primary: With sentinels or a cluster: gives the primary for each new connection.

    Returns:
        The client; close it. Untyped, as redis-py returns whatever the server's answer parses to.
    """
    common: dict[str, Any] = {
        # With a timeout of its own, redis-py would wait through asyncio.wait_for (see cancellation.py).
        "socket_timeout": None,
        "socket_connect_timeout": connect_timeout_s,
        "protocol": 2,
        "decode_responses": True,
        "encoding_errors": "surrogateescape",
        "username": url.username,
        "password": url.password,
    }
    # By default redis-py sends a command again after a broken connection, even one that must not be repeated.
    never = Retry(NoBackoff(), 0)
    if url.tls:
        common |= {"ssl": True} | {k: v for k, v in url.options.items() if k.startswith("ssl_")}
        common["ssl_check_hostname"] = url.options.get("ssl_check_hostname", "true").lower() not in ("false", "0", "no")
        if url.options.get("ssl_cert_reqs") == "none":
            common["ssl_check_hostname"] = False
    if find_primary is not None:
        # redis-py has no other pool that asks for an address whenever it connects. It gets no sentinels: we ask them.
        # In a cluster, too, all keys of a namespace are in one slot, so its primary is to be found as behind sentinels.
        make: Any = Sentinel
        client = _raw(make([], db=url.db, retry=never, **common).master_for(url.service))
        client.connection_pool.get_master_address = find_primary
        return client
    if url.path is not None:
        return _raw(redis_asyncio.Redis(unix_socket_path=url.path, db=url.db, retry=never, **common))
    host, port = url.hosts[0]
    return _raw(redis_asyncio.Redis(host=host, port=port, db=url.db, retry=never, **common))


def _raw(client: Any) -> Any:
    """Make a client give answers as the server sends them, as the synchronous store does."""
    # redis-py itself needs the parsed answers to the commands by which it learns the layout of a cluster.
    for command in [c for c in client.response_callbacks if not c.startswith(("CLUSTER", "COMMAND"))]:
        del client.response_callbacks[command]
    return client
