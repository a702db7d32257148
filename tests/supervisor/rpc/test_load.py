"""Many simultaneous clients, requests and waits: all are answered, and other clients are served meanwhile."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect

from hero_job.client.store import Store
from hero_job.protocol.op import Op
from tests.eventually import eventually
from tests.supervisor.rpc.foreign_actor import ForeignActor
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.transports import job, request
from tests.valkey_server import ValkeyServer

CONNECTIONS = 1000
IN_FLIGHT = 10_000
WAITING = 1000


@pytest.fixture(autouse=True)
def enough_descriptors() -> Iterator[None]:
    """Both ends of a thousand connections are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def unix_server(valkey: ValkeyServer, namespace: str, socket_path: Path) -> Iterator[RunningServer]:
    server = RunningServer(valkey.url, namespace, socket_path, unix_max_connections=CONNECTIONS + 10).start()
    yield server
    server.stop()


@pytest.fixture
def web_server(valkey: ValkeyServer, namespace: str) -> Iterator[RunningServer]:
    server = RunningServer(valkey.url, namespace, max_connections=CONNECTIONS + 10).start()
    yield server
    server.stop()


async def ids_answered(reader: asyncio.StreamReader, count: int) -> set[int]:
    return {orjson.loads(await reader.readline())["id"] for _ in range(count)}


def test_a_thousand_connections_to_the_unix_socket_are_served_simultaneously(unix_server: RunningServer) -> None:
    async def run() -> int:
        opened = [await asyncio.open_unix_connection(str(unix_server.path)) for _ in range(CONNECTIONS)]
        try:
            for n, (_, writer) in enumerate(opened):
                writer.write(request("version", request_id=n))
            answered = [await ids_answered(reader, 1) for reader, _ in opened]
            assert answered == [{n} for n in range(CONNECTIONS)]
            return len(answered)
        finally:
            for _, writer in opened:
                writer.close()

    assert asyncio.run(run()) == CONNECTIONS


def test_a_thousand_websockets_are_served_simultaneously(web_server: RunningServer) -> None:
    async def run() -> list[Any]:
        async with AsyncExitStack() as ends:

            async def open_one() -> ClientConnection:
                # Without a limit and without pings: both ends are in this process, and have much to do.
                opening = connect(web_server.url(scheme="ws"), compression=None, open_timeout=None, ping_interval=None)
                return await ends.enter_async_context(opening)

            opened: list[ClientConnection] = []
            for _ in range(CONNECTIONS // 50):
                opened += await asyncio.gather(*(open_one() for _ in range(50)))
            for n, connection in enumerate(opened):
                await connection.send(request("version", request_id=n).decode())
            return [orjson.loads(await connection.recv())["id"] for connection in opened]

    assert asyncio.run(run()) == list(range(CONNECTIONS))


def test_ten_thousand_requests_in_flight_are_all_answered(unix_server: RunningServer) -> None:
    async def run() -> list[set[int]]:
        opened = [await asyncio.open_unix_connection(str(unix_server.path), limit=1 << 24) for _ in range(10)]
        each = IN_FLIGHT // len(opened)
        for _, writer in opened:
            writer.write(b"".join(request("get_job_status", ["nobody"], n) for n in range(each)))
        answered = await asyncio.gather(*(ids_answered(reader, each) for reader, _ in opened))
        for _, writer in opened:
            writer.close()
        return answered

    assert asyncio.run(run()) == [set(range(IN_FLIGHT // 10))] * 10


def test_a_thousand_waits_for_jobs_take_a_handful_of_connections_to_the_store(
    unix_server: RunningServer, store: Store, foreign_actor: Callable[[str], ForeignActor]
) -> None:
    actor = foreign_actor("sal")
    actor.may_finish.clear()

    def connections() -> int:
        listed: list[str] = store.run(Op(("CLIENT", "LIST"), str)).splitlines()
        return len(listed)

    async def run() -> int:
        before = connections()
        reader, writer = await asyncio.open_unix_connection(str(unix_server.path), limit=1 << 24)
        writer.write(b"".join(request("run_job", {"job": job(id=f"j{n}")}, n) for n in range(WAITING)))
        # Requests that come after them are answered while they wait.
        other, others = await asyncio.open_unix_connection(str(unix_server.path))
        others.write(request("get_job_status", ["j0"], "other"))
        assert orjson.loads(await other.readline())["id"] == "other"
        await asyncio.to_thread(eventually, lambda: unix_server.in_flight() >= WAITING)
        held = connections()
        actor.may_finish.set()
        assert await ids_answered(reader, WAITING) == set(range(WAITING))
        for each in (writer, others):
            each.close()
        return held - before

    assert asyncio.run(run()) <= 16
