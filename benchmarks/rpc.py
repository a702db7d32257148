"""Measures the RPC: requests per second over each transport, the dispatcher, and the connections of waiting calls.

    .venv/bin/python -m benchmarks.rpc                about a minute
    .venv/bin/python -m benchmarks.rpc --seconds 0.3  a quick run

It runs a `hero-supervisor` with a SAL actor of 16 lanes and an OSIS actor of one, and `run_job` with each of them. Each
client has its own connection and one request at a time (`figures/rpc_load.py`). Clients and service share the machine.
So each line also has what one client of redis-py reaches with PING just before, the ratio of the figure with the most
clients to it, and the processor time of each process for one request then: compare these of two runs, not the requests
per second.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import orjson
import psutil
import redis
import uvloop

from benchmarks.figures.record import record
from benchmarks.figures.rpc_load import put_load
from hero_job.client.store import Store
from hero_job.protocol.op import Op
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from tests.deployment import Deployment, deployed
from tests.supervisor.rpc.transports import TRANSPORTS, job, request
from tests.valkey_server import free_port

CLIENTS = (1, 10, 100)
WAITERS = 1000
ACTORS = '\n[[actors]]\ntype = "sal"\nlanes = 16\n[[actors]]\ntype = "osis"\n'


def job_to_ask_for(deployment: Deployment) -> str:
    """Create a job and return its id."""
    with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rb") as lines:
        connection.connect(str(deployment.socket))
        connection.sendall(request("create_job", job()) + b"\n")
        created: str = orjson.loads(lines.readline())["result"]
    return created


def cpu_s(processes: Sequence[psutil.Process]) -> float:
    """Add up the processor time of some processes, in seconds."""
    times = [process.cpu_times() for process in processes]
    return float(sum(one.user + one.system for one in times))


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
            measure(deployment, seconds)
    return 0


def measure(deployment: Deployment, seconds: float) -> None:
    """Measure a deployment and print the figures."""
    messages = {
        "get_job_status": request("get_job_status", [job_to_ask_for(deployment)]),
        "run_job, SAL": request("run_job", {"job": job()}),
        "run_job, OSIS": request("run_job", {"job": job(script_type="OSIS")}),
    }
    parts = {
        "supervisor": [psutil.Process(deployment.pid)],
        "store": deployment.processes("valkey-server"),
        "actors": deployment.actors("sal") + deployment.actors("osis"),
    }
    columns = "".join(f"{clients:>10} clients" for clients in CLIENTS) + f"{'raw PING':>10}{'ratio':>8}"
    parts_in_turn = "".join(f"{part:>12}" for part in (*parts, "clients"))
    print(f"\n{'requests/s':<16}{'transport':<12}{columns}   us of processor time{parts_in_turn}")
    for name, message in messages.items():
        for transport in TRANSPORTS:
            address = deployment.socket if transport == "unix" else deployment.port
            raw = ping_pong(deployment, seconds / 2)
            loads = [put_load(transport, address, clients, message, seconds) for clients in CLIENTS[:-1]]
            before = {part: cpu_s(processes) for part, processes in parts.items()}
            most = put_load(transport, address, CLIENTS[-1], message, seconds)
            used = {part: cpu_s(processes) - before[part] for part, processes in parts.items()}
            used_us = {part: cpu / most.requests * 1e6 for part, cpu in {**used, "clients": most.cpu_s}.items()}
            figures = (
                "".join(f"{load.rate:>18,.0f}" for load in (*loads, most)) + f"{raw:>10,.0f}{most.rate / raw:>8.2f}"
            )
            print(f"{name:<16}{transport:<12}{figures}{'':>23}" + "".join(f"{cpu:>12,.0f}" for cpu in used_us.values()))
            what = f"{name}, {transport}"
            record(f"{what}, {CLIENTS[-1]} clients", most.rate, "requests/s", more_is_better=True)
            record(f"{what}, / raw PING", most.rate / raw, "", more_is_better=True)
            for part in ("supervisor", "store"):
                record(f"{what}, processor time of the {part}", used_us[part], "us", more_is_better=False)
    connections, at_most, took_s = uvloop.run(waiting(deployment))
    least_s = WAITERS * 0.05 / 16
    print(f"\n{WAITERS} simultaneous run_job of 0.05 s each, on 16 lanes: {took_s:.1f} s (at least {least_s:.1f} s)")
    print(f"connections to the store, the actor's included: {connections} before, at most {at_most} while they wait")


if __name__ == "__main__":
    sys.exit(main())
