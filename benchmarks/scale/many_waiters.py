"""Ten thousand calls that wait for their jobs: what they cost a supervisor, and how soon all have their answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import psutil
import uvloop

from benchmarks.figures.processes import until
from benchmarks.scale.finding import Finding
from hero_job import JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.operations.actor_operations import ActorEntry, ActorOperations, Settlement
from hero_job.protocol.op import Op
from tests.deployment import Deployment, deployed
from tests.supervisor.rpc.transports import job, request

WAITERS = 10_000
CONNECTIONS = 1000
CONFIG = f'unix_max_connections = {CONNECTIONS + 50}\n[[actors]]\ntype = "osis"\n'
#: Calls of one connection that wait together.
EACH = WAITERS // CONNECTIONS


def measure(folder: Path, scale: float) -> Iterator[Finding]:
    """Let calls wait, end all their jobs, and wait for the answers.

    Args:
        folder: For the deployment.
        scale: Share of the full number of connections.
    """
    connections = max(2, int(CONNECTIONS * scale))
    with deployed(folder, actors=CONFIG) as deployment:
        yield from uvloop.run(_measure(deployment, connections))


async def _measure(deployment: Deployment, connections: int) -> list[Finding]:
    supervisor = psutil.Process(deployment.pid)
    idle_bytes = supervisor.memory_info().rss
    opened = [await asyncio.open_unix_connection(str(deployment.socket), limit=1 << 24) for _ in range(connections)]
    calls = connections * EACH
    began = time.perf_counter()
    # Jobs of a type that no actor serves: they wait until this benchmark ends them, as their actor.
    waits = job(script="1", script_type="V", timeout=3600)
    for _, writer in opened:
        writer.write(b"".join(request("run_job", {"job": waits}, n) for n in range(EACH)))
    with Store(deployment.url) as store:
        actor = ActorOperations(
            ActorEntry(incarnation="i", name="i", script_type=ScriptType.V, host="h", pid=1, lanes=1, engine="v",
                       engine_version="1"),
            lease_s=3600,
        )  # fmt: skip
        store.run(actor.join())

        def waiting() -> int:
            return int(store.run(Op(("LLEN", actor.queues[0]), int)))

        def all_wait() -> None:
            until(lambda: waiting() >= calls, limit_s=600, every_s=0.05, what="all calls wait")

        await asyncio.to_thread(all_wait)
        accepted_s = time.perf_counter() - began
        listed = str(store.run(Op(("CLIENT", "LIST"), str))).splitlines()
        waiting_bytes = supervisor.memory_info().rss
        before = sum(supervisor.cpu_times()[:2])
        await asyncio.sleep(3)
        idle_share = (sum(supervisor.cpu_times()[:2]) - before) / 3

        def end_all() -> None:
            settled: list[Settlement] = []
            while jobs := (turn := store.run(actor.turn(0, settled, 64))).jobs:
                assert not turn.refused, turn
                settled = [Settlement(each.id, each.attempt, JobStatus.FINISHED, "42") for each in jobs]

        began = time.perf_counter()
        ending = asyncio.create_task(asyncio.to_thread(end_all))
        for reader, writer in opened:
            for _ in range(EACH):
                answer = orjson.loads(await reader.readline())
                assert "error" not in answer, answer
            writer.close()
        answered_s = time.perf_counter() - began
        await ending
    return [
        Finding(what="waiting calls", value=calls, unit="calls"),
        Finding(what="connections of clients", value=connections, unit=""),
        Finding(what="connections to the store, all together", value=len(listed), unit=""),
        Finding(what="calls that are accepted", value=calls / accepted_s, unit="calls/s", more_is_better=True),
        Finding(what="memory of the supervisor for a call", value=(waiting_bytes - idle_bytes) / calls, unit="bytes"),
        Finding(what="the supervisor, while all wait", value=100 * idle_share, unit="% of a core"),
        Finding(what="all have their answers after", value=answered_s, unit="s"),
    ]
