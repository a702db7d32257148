"""When a store drops a connection, and how it checks an idle one."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import threading

import pytest

from hero_job import StoreRefused, StoreUnavailable
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


def test_a_url_with_a_number_of_a_database_leads_to_that_database(own_valkey: ValkeyServer) -> None:
    write, read = Op(("SET", "k", "in three"), str), Op(("GET", "k"), lambda answer: answer)

    async def main() -> object:
        async with AsyncStore(f"{own_valkey.url}3") as store:
            return await store.run(read)

    with Store(own_valkey.url) as other, Store(f"{own_valkey.url}3") as store:
        store.run(write)
        assert other.run(read) is None
        assert store.run(read) == "in three"
    assert asyncio.run(main()) == "in three"


def test_an_answer_that_is_not_of_the_protocol_is_a_store_that_is_away() -> None:
    """For example the port of a web server."""

    def answer(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            client.recv(65536)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            while client.recv(65536):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,), daemon=True)
        thread.start()
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}/"
        with Store(url) as store, pytest.raises(StoreUnavailable, match="protocol"):
            store.run(Op(("PING",), str))
        thread.join()
