"""Measures the RPC: requests per second over each transport, the dispatcher, and the connections of waiting calls.

    .venv/bin/python -m benchmarks.rpc                about a minute
    .venv/bin/python -m benchmarks.rpc --seconds 0.3  a quick run

It runs a `hero-supervisor` with one SAL actor of 16 lanes. The clients are coroutines of this process; each has its own
connection and one request at a time. Clients and service share the machine, so the figures are those of both together.
Each line ends with what one client of redis-py reaches with PING just before, and the ratio of the figure with the most
clients to it: compare the ratios of two runs, not their figures.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import redis
import uvloop
from websockets.asyncio.client import connect

from benchmarks.figures.record import record
from hero_job.client.store import Store
from hero_job.protocol.op import Op
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from tests.deployment import Deployment, deployed
from tests.supervisor.rpc.transports import TRANSPORTS, job, request
from tests.valkey_server import free_port

CLIENTS = (1, 10, 100)
WAITERS = 1000
ACTORS = '\n[[actors]]\ntype = "sal"\nlanes = 16\n'

Exchange = Callable[[bytes], Awaitable[Any]]


async def over_unix(deployment: Deployment) -> tuple[Exchange, Callable[[], None]]:
    """Connect over the Unix socket; return a function that exchanges messages and one that closes the connection."""
    reader, writer = await asyncio.open_unix_connection(str(deployment.socket), limit=1 << 24)

    async def exchange(message: bytes) -> Any:
        writer.write(message)
        return orjson.loads(await reader.readline())

    return exchange, writer.close


async def over_websocket(deployment: Deployment) -> tuple[Exchange, Callable[[], None]]:
    """Connect over a WebSocket; return a function that exchanges messages and one that closes the connection."""
    connection = await connect(f"ws://127.0.0.1:{deployment.port}/", compression=None, max_size=None)

    async def exchange(message: bytes) -> Any:
        await connection.send(message, text=True)
        return orjson.loads(await connection.recv())

    return exchange, connection.transport.close


async def over_http(deployment: Deployment) -> tuple[Exchange, Callable[[], None]]:
    """Connect over HTTP; return a function that exchanges messages and one that closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", deployment.port)

    async def exchange(message: bytes) -> Any:
        head = f"POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(message)}\r\n\r\n"
        writer.write(head.encode() + message)
        head_bytes = await reader.readuntil(b"\r\n\r\n")
        length = int(head_bytes.lower().partition(b"content-length:")[2].split()[0])
        return orjson.loads(await reader.readexactly(length))

    return exchange, writer.close


OVER = {"unix": over_unix, "websocket": over_websocket, "http": over_http}


async def rate(deployment: Deployment, transport: str, clients: int, message: bytes, seconds: float) -> float:
    """Measure the requests per second of some clients together."""
    connections = [await OVER[transport](deployment) for _ in range(clients)]
    ends = 0.0

    async def ask(exchange: Exchange) -> int:
        count = 0
        while time.perf_counter() < ends:
            answer = await exchange(message)
            assert "error" not in answer, answer
            count += 1
        return count

    began = time.perf_counter()
    ends = began + seconds
    counts = await asyncio.gather(*(ask(exchange) for exchange, _ in connections))
    took_s = time.perf_counter() - began
    for _, close in connections:
        close()
    return sum(counts) / took_s


async def waiting(deployment: Deployment) -> tuple[int, int, float]:
    """Count the Redis connections before and during many waiting calls; measure how long all calls take, in seconds."""

    def connections() -> int:
        with Store(deployment.url) as store:
            listed: list[str] = store.run(Op(("CLIENT", "LIST"), str)).splitlines()
        return len(listed)

    before = await asyncio.to_thread(connections)
    reader, writer = await asyncio.open_unix_connection(str(deployment.socket), limit=1 << 24)
    sleeps = job(script="sleep(0.05)", timeout=300)
    began = time.perf_counter()
    writer.write(b"".join(request("run_job", {"job": sleeps}, n) for n in range(WAITERS)))
    most = before
    for n in range(WAITERS):
        line = await reader.readline()
        assert b'"error"' not in line, line
        if n % 200 == 0:
            most = max(most, await asyncio.to_thread(connections))
    took_s = time.perf_counter() - began
    writer.close()
    return before, most, took_s


def ping_pong(deployment: Deployment, seconds: float) -> float:
    """Measure the PINGs per second of one client of redis-py on the deployment's store, one after the other."""
    client = redis.Redis(unix_socket_path=deployment.url.removeprefix("unix://"))
    client.ping()
    began, count = time.perf_counter(), 0
    while time.perf_counter() < began + seconds:
        client.ping()
        count += 1
    took_s = time.perf_counter() - began
    client.close()
    return count / took_s


def dispatch_us(count: int) -> float:
    """Measure the dispatcher with a small request, parsing and encoding included, in microseconds."""

    async def echo(job_id: str) -> str:
        """Return the argument."""
        return job_id

    async def run() -> float:
        dispatcher = Dispatcher()
        dispatcher.register("get_job_status", echo)
        message = request("get_job_status", ["0f4d9c9e-3a53-4c8e-8f4c-0d4f7e1b2a3c"])
        best = float("inf")
        for _ in range(5):
            began = time.perf_counter()
            for _ in range(count):
                await dispatcher.answer(message)
            best = min(best, (time.perf_counter() - began) / count)
        return best * 1e6

    return uvloop.run(run())


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="duration of each measurement (default: %(default)s)"
    )
    seconds: float = parser.parse_args(argv).seconds

    took_us = dispatch_us(int(20_000 * min(1.0, seconds)) or 1000)
    print(f"dispatch of a small request: {took_us:.1f} us")
    record("dispatch of a small request", took_us, "us", more_is_better=False)
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        with deployed(Path(folder), actors=f"port = {port}\n{ACTORS}") as deployment:
            deployment.port = port
            uvloop.run(measure(deployment, seconds))
    return 0


async def measure(deployment: Deployment, seconds: float) -> None:
    """Measure a deployment and print the figures."""
    exchange, close = await over_unix(deployment)
    job_id = (await exchange(request("create_job", job())))["result"]
    close()
    messages = {
        "get_job_status": request("get_job_status", [job_id]),
        "run_job": request("run_job", {"job": job()}),
    }
    print(f"\n{'requests/s':<16}{'transport':<12}" + "".join(f"{clients:>10} clients" for clients in CLIENTS)
        + f"{'raw PING':>18}{'ratio':>8}")  # fmt: skip
    for name, message in messages.items():
        for transport in TRANSPORTS:
            raw = await asyncio.to_thread(ping_pong, deployment, seconds / 2)
            rates = [await rate(deployment, transport, clients, message, seconds) for clients in CLIENTS]
            figures = "".join(f"{r:>18,.0f}" for r in rates)
            print(f"{name:<16}{transport:<12}{figures}{raw:>18,.0f}{rates[-1] / raw:>8.2f}")
            record(f"{name}, {transport}, {CLIENTS[-1]} clients", rates[-1], "requests/s", more_is_better=True)
            record(f"{name}, {transport}, / raw PING", rates[-1] / raw, "", more_is_better=True)
    before, most, took_s = await waiting(deployment)
    least_s = WAITERS * 0.05 / 16
    print(f"\n{WAITERS} simultaneous run_job of 0.05 s each, on 16 lanes: {took_s:.1f} s (at least {least_s:.1f} s)")
    print(f"connections to the store, including those of the actor: {before} before, at most {most} while they wait")


if __name__ == "__main__":
    sys.exit(main())
