"""Measures what `wait_replicas` costs: submitting and running jobs, with and without the confirmation of one replica.

    .venv/bin/python -m benchmarks.wait_replicas              about half a minute
    .venv/bin/python -m benchmarks.wait_replicas --jobs 200   a small run

A primary with `appendfsync everysec` and one replica run on this machine, so the figures hold the work of the replica
and no network. Rounds with and without it alternate.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from hero_job import JobBuilder, JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.operations.actor_operations import ActorEntry, ActorOperations, Settlement
from hero_job.operations.operations import Operations
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer

ROUNDS = 5


def seconds(url: str, jobs: int, namespace: str) -> Iterator[float]:
    """Yield the seconds of one submission, and of one turn that settles a job and claims the next."""
    base = JobBuilder().caller_id("a" * 66).context_id("b" * 66).script_type(ScriptType.OSIS).script("40 + 2")
    operations = Operations(namespace)
    entry = ActorEntry(
        incarnation="i", name="i", script_type=ScriptType.OSIS, host="h", pid=1, lanes=1, engine="e", engine_version="1"
    )
    actor = ActorOperations(entry, namespace, lease_s=600)
    with Store(url) as store:
        store.run(actor.join())
        made = [base.build() for _ in range(jobs)]
        began = time.perf_counter()
        for job in made:
            store.run(operations.create(job, start=True))
        yield (time.perf_counter() - began) / jobs
        began, settled = time.perf_counter(), list[Settlement]()
        for _ in range(jobs):
            (job_,) = store.run(actor.turn(0, settled, 1)).jobs
            settled = [Settlement(job_id=job_.id, attempt=job_.attempt, status=JobStatus.FINISHED, output="42")]
        yield (time.perf_counter() - began) / jobs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    jobs = parser.parse_args().jobs
    with tempfile.TemporaryDirectory() as folder:
        servers = []
        for name in ("primary", "replica"):
            (Path(folder) / name).mkdir()
            servers.append(ValkeyServer(Path(folder) / name).start())
            servers[-1].command("CONFIG", "SET", "appendfsync", "everysec")
        primary, replica = servers
        try:
            replica.command("REPLICAOF", "127.0.0.1", primary.port)
            eventually(lambda: "master_link_status:up" in str(replica.command("INFO", "replication")))
            eventually(lambda: primary.command("WAIT", 1, 1000) == 1)
            taken: dict[int, list[list[float]]] = {0: [], 1: []}
            for number in range(ROUNDS):
                for replicas, rounds in taken.items():
                    url = f"{primary.url}?wait_replicas={replicas}"
                    rounds.append(list(seconds(url, jobs, f"b{number}{replicas}")))
        finally:
            for server in servers:
                server.stop()
    for replicas, rounds in taken.items():
        submit, turn = (statistics.median(column) * 1e6 for column in zip(*rounds, strict=True))
        print(f"wait_replicas {replicas}: submit {submit:.0f} us, settle and claim {turn:.0f} us (median of {ROUNDS})")


if __name__ == "__main__":
    main()
