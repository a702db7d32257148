"""Makes the redis-py client of an `AsyncStore` from a store URL. No command is sent here.

Invariant: redis-py sends nothing twice and sets no timeout of its own on a command; `AsyncStore` does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hero_job.client.connection import ANSWER_TIMEOUT_S
from hero_job.client.redis_py import NoBackoff, Retry, Sentinel, redis_asyncio
from hero_job.client.url import Address, Mode, StoreUrl

FindPrimary = Callable[[], Awaitable[Address]]


def make_client(
    url: StoreUrl, connect_timeout_s: float, find_primary: FindPrimary | None = None
) -> tuple[Any, Sequence[Any]]:
    """Make a client for the server that a URL leads to.

    Args:
        url: Where the server is.
        connect_timeout_s: Longest time to connect, in seconds.
        find_primary: With sentinels or a cluster: gives the primary for each new connection.

    Returns:
        The client, and the clients of the sentinels that it asks for the server; close them all. Untyped, as redis-py
        returns whatever the server's answer parses to.
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
    if url.mode is not Mode.SINGLE:
        # In a cluster, too: all keys of a namespace are in one slot, so its primary is to be found as behind sentinels.
        asked: dict[str, Any] = {"socket_connect_timeout": connect_timeout_s, "socket_timeout": ANSWER_TIMEOUT_S}
        for name in ("username", "password"):
            if f"sentinel_{name}" in url.options:
                asked[name] = url.options[f"sentinel_{name}"]
        make: Any = Sentinel
        sentinel = make(list(url.hosts), sentinel_kwargs=asked, db=url.db, retry=never, **common)
        client = _raw(sentinel.master_for(url.service))
        if find_primary is not None:
            client.connection_pool.get_master_address = find_primary
        return client, sentinel.sentinels
    if url.path is not None:
        return _raw(redis_asyncio.Redis(unix_socket_path=url.path, db=url.db, retry=never, **common)), ()
    host, port = url.hosts[0]
    return _raw(redis_asyncio.Redis(host=host, port=port, db=url.db, retry=never, **common)), ()


def _raw(client: Any) -> Any:
    """Make a client give answers as the server sends them, as the synchronous store does."""
    # redis-py itself needs the parsed answers to the commands by which it learns the layout of a cluster.
    for command in [c for c in client.response_callbacks if not c.startswith(("CLUSTER", "COMMAND"))]:
        del client.response_callbacks[command]
    return client
