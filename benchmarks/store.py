"""Measures the memory of a queued job, and that a turn takes the same time for a short and for a long queue.

    .venv/bin/python -m benchmarks.store              about a minute
    .venv/bin/python -m benchmarks.store --jobs 2000  a small run

Memory: no-op jobs with caller and context of 66 characters are created and queued, once with the settings of the
embedded store and once with the server's defaults. Time: turns of one job each are made in rounds that alternate
between a queue of a thousand ids and one of a million.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.figures.record import record
from hero_job import JobBuilder, JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.operations.actor_operations import ActorEntry, ActorOperations, Settlement
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.valkey_server import ValkeyServer

#: Settings with which hero_supervisor.store.embedded starts its server.
EMBEDDED = ("--hash-max-listpack-value", "1024")


def used_bytes(store: Store) -> int:
    """Return the server's memory, in bytes."""
    text = store.run(Op(("INFO", "memory"), str))
    return int(text.partition("used_memory:")[2].split()[0])


def queue_jobs(store: Store, operations: Operations, count: int) -> None:
    """Create and start no-op jobs."""
    base = JobBuilder().caller_id("a" * 66).context_id("b" * 66).script_type(ScriptType.OSIS).script("40 + 2")
    for start in range(0, count, 500):
        jobs = [base.build() for _ in range(start, min(start + 500, count))]
        store.run_many([operations.create(job, start=True) for job in jobs])


def bytes_per_job(settings: tuple[str, ...], count: int) -> float:
    """Measure the memory of a queued job on a server with these settings, in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        server = ValkeyServer(Path(folder), *settings).start()
        try:
            with Store(server.unix_url) as store:
                operations = Operations()
                queue_jobs(store, operations, 100)
                store.run(Op(("XTRIM", operations.keys.events, "MAXLEN", 0), int))
                before = used_bytes(store)
                queue_jobs(store, operations, count)
                store.run(Op(("XTRIM", operations.keys.events, "MAXLEN", 0), int))
                return (used_bytes(store) - before) / count
        finally:
            server.stop()


def turn_times_us(lengths: tuple[int, ...], rounds: int, turns: int) -> dict[int, list[float]]:
    """Measure turns of one job for some lengths of the queue, in microseconds per turn and round."""
    with tempfile.TemporaryDirectory() as folder:
        server = ValkeyServer(Path(folder), "--appendonly", "no").start()
        try:
            with Store(server.unix_url) as store:
                lanes = {}
                for length in lengths:
                    namespace = f"q{length}"
                    operations = Operations(namespace)
                    entry = ActorEntry(
                        incarnation="i", name="i", script_type=ScriptType.OSIS, host="h", pid=1, lanes=1, engine="e",
                        engine_version="1",
                    )  # fmt: skip
                    claims = ActorOperations(entry, namespace, lease_s=3600)
                    store.run(claims.join())
                    queue_jobs(store, operations, rounds * turns + 10)
                    # Ids without a job, behind the real ones, make the queue long without a million hashes.
                    for start in range(0, length, 10_000):
                        ids = [f"filler-{n}" for n in range(start, min(start + 10_000, length))]
                        store.run(Op(("RPUSH", operations.keys.work("osis"), *ids), int))
                    lanes[length] = claims
                found: dict[int, list[float]] = {length: [] for length in lengths}
                for _ in range(rounds):
                    for length, claims in lanes.items():
                        settlements: list[Settlement] = []
                        began = time.perf_counter()
                        for _ in range(turns):
                            jobs = store.run(claims.turn(0, settlements, 1)).jobs
                            settlements = [Settlement(j.id, j.attempt, JobStatus.FINISHED, "42") for j in jobs]
                        found[length].append((time.perf_counter() - began) / turns * 1e6)
                        store.run(claims.turn(0, settlements, 0))
                return found
        finally:
            server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--jobs", type=int, default=20_000, help="number of queued jobs for the memory (default: %(default)s)"
    )
    parser.add_argument("--long", type=int, default=1_000_000, help="length of the long queue (default: %(default)s)")
    options = parser.parse_args()
    for settings, name in ((EMBEDDED, "embedded store's settings"), ((), "server's defaults")):
        taken = bytes_per_job(settings, options.jobs)
        print(f"memory per queued job, {name + ':':<26} {taken:.0f} bytes")
        record(f"memory per queued job, {name}", taken, "bytes", more_is_better=False)
    times = turn_times_us((1000, options.long), rounds=10, turns=200)
    for length, values in times.items():
        median = statistics.median(values)
        print(f"turn of one job, {length:>9} ids queued: best {min(values):.1f} us, median {median:.1f} us")
        record(f"turn of one job, {length:,} ids queued", median, "us", more_is_better=False)


if __name__ == "__main__":
    main()
