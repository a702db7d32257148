"""When a store drops a connection, and how it checks an idle one."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import threading
from typing import Any

import pytest

from hero_job import StoreRefused, StoreUnavailable
from hero_job.client.answers import reason_of_break
from hero_job.client.async_store import AsyncStore
from hero_job.client.connection import StoreConnection
from hero_job.client.sharing.waking_read import WakingRead
from hero_job.client.store import Store
from hero_job.client.url import parse_url
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from tests.job.conftest import MakeJob
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


def test_connections_to_another_server_than_the_primary_are_ended_and_no_others(valkey: ValkeyServer) -> None:
    ping = Op(("PING",), str)
    with Store(valkey.url) as store:
        connection = store._take()
        store._note(connection)  # as each connection to one of several servers is
        assert connection.run(ping) == "PONG"

        store._leave_others(lambda address: address == connection.address)
        assert connection.run(ping) == "PONG"

        store._leave_others(lambda address: False)
        with pytest.raises(StoreUnavailable):
            connection.run(ping)
        store._leave_others(lambda address: False)  # there is nothing left to end
        store._give_back(connection)
        assert store.run(ping) == "PONG"


def test_the_connection_of_an_answer_that_was_read_later_is_used_again(valkey: ValkeyServer) -> None:
    connection_id = Op(("CLIENT", "ID"), int)
    with Store(valkey.url) as store:
        assert store.begin(connection_id) is None, "it makes no connection"
        first = store.run(connection_id)
        for _ in range(2):
            begun = store.begin(connection_id)
            assert begun is not None
            assert begun.finish() == first
        assert store.run(connection_id) == first


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(110, "Connection timed out"), "no answer within 7 s"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (OSError(104, None), "Connection reset by peer"),
        (ConnectionResetError("the other side has ended"), "the other side has ended"),
        (ConnectionResetError(), "ConnectionResetError"),
    ],
)
def test_a_connection_that_breaks_says_why(error: OSError, reason: str) -> None:
    assert reason_of_break(error, 7.0) == reason


def test_a_write_that_needs_replicas_and_runs_again_counts_only_with_them(
    own_valkey: ValkeyServer, operations: Operations, make_job: MakeJob
) -> None:
    """The server did not know the script, so the first WAIT was for nothing."""
    with Store(f"{own_valkey.url}?wait_replicas=1") as store:
        for _ in range(2):
            own_valkey.command("SCRIPT", "FLUSH")
            with pytest.raises(StoreUnavailable, match="0 of 1 replicas have taken the write"):
                store.run_many([operations.create(make_job()), operations.create(make_job())])


def test_a_node_that_names_no_host_for_a_slot_means_another_port_of_its_own(
    valkey: ValkeyServer, own_valkey: ValkeyServer
) -> None:
    connection = StoreConnection(parse_url(valkey.url))
    try:
        connection._move_to(f"MOVED 7000 :{own_valkey.port}")

        assert connection.address == ("127.0.0.1", own_valkey.port)
        assert connection.call("CONFIG", "GET", "port")[1] == str(own_valkey.port)
    finally:
        connection.close()


def test_a_connection_that_is_to_be_quick_waits_no_longer_for_an_operation(
    valkey: ValkeyServer, namespace: str
) -> None:
    connection = StoreConnection(parse_url(valkey.url), answer_timeout_s=0.1)
    never = Op(("BLPOP", f"{namespace}:nothing", 0), as_is)

    with pytest.raises(StoreUnavailable, match=r"no answer within 0\.1 s"):
        connection.run(never)


def test_a_defect_is_not_taken_for_a_store_that_is_away(valkey: ValkeyServer) -> None:
    class Defective(WakingRead):
        async def ask(self, op: Op[Any]) -> Any:
            raise RuntimeError("a defect")

    async def main() -> None:
        async with AsyncStore(valkey.url) as store:
            with pytest.raises(RuntimeError, match="a defect"):
                await store.run_aside(Defective(store._client), Op(("PING",), str))

    asyncio.run(main())
