"""When a store drops a connection, and how it checks an idle one."""

from __future__ import annotations

import asyncio
import os
import resource

import pytest

from hero_job import StoreRefused
from hero_job.client.async_store import AsyncStore
from hero_job.client.connection import StoreConnection
from hero_job.client.store import Store
from hero_job.client.url import parse_url
from hero_job.protocol.op import Op
from tests.valkey_server import ValkeyServer


def test_a_connection_to_a_server_that_became_a_replica_is_dropped(own_valkey: ValkeyServer) -> None:
    """What is behind the address may have changed, for example a service address before a pair of servers."""
    write, connection_id = Op(("SET", "k", "v"), str), Op(("CLIENT", "ID"), int)
    own_valkey.command("REPLICAOF", "127.0.0.1", 1)

    with Store(own_valkey.url) as store:
        first = store.run(connection_id)
        with pytest.raises(StoreRefused) as refused:
            store.run(write)
        assert refused.value.code == "READONLY"
        assert store.run(connection_id) != first

    async def main() -> None:
        async with AsyncStore(own_valkey.url, max_connections=1) as store:
            first = await store.run(connection_id)
            with pytest.raises(StoreRefused) as refused:
                await store.run(write)
            assert refused.value.code == "READONLY"
            assert await store.run(connection_id) != first

    asyncio.run(main())


def test_an_idle_connection_is_checked_however_many_descriptors_are_open(valkey: ValkeyServer) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(1030)]
    try:
        connection = StoreConnection(parse_url(valkey.url))
        assert not connection.is_stale()
        connection.close()
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
