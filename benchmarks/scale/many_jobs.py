"""One store with very many open jobs, or very large results: memory, rates, lists, and the start after a stop."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures.processes import until
from benchmarks.scale.finding import Finding, timed
from benchmarks.stalls import create, join, pinging
from hero_job import JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.operations.actor_operations import Settlement
from hero_job.operations.operations import Operations
from hero_job.operations.overview.backlog import backlog
from hero_job.operations.overview.lists import list_jobs
from hero_job.protocol.op import Op, as_is
from tests.valkey_server import ValkeyServer

OPEN_JOBS = 1_000_000
RESULT_BYTES = 1_000_000
RESULTS = 10_000
#: Jobs of one part of the measurement of a rate.
PART = 5_000
SERVER = ("--appendfsync", "everysec", "--hash-max-listpack-value", "1024")


def open_jobs(folder: Path, scale: float) -> Iterator[Finding]:
    """Queue a million jobs, and see what gets slower.

    Args:
        folder: For the server.
        scale: Share of the full number of jobs.
    """
    count = max(10 * PART // 100, int(OPEN_JOBS * scale))
    part = min(PART, count // 10)
    server = ValkeyServer(folder, *SERVER).start()
    try:
        with Store(server.unix_url) as store:
            operations = Operations("scale")
            actor = join(store, "scale", 1)
            empty_bytes = used_bytes(store)

            def turns() -> None:
                held = list(store.run(actor.turn(0, [], 64)).jobs)
                for _ in range(part // 64):
                    settled = [Settlement(job.id, job.attempt, JobStatus.FINISHED, "42") for job in held]
                    held = list(store.run(actor.turn(0, settled, 64)).jobs)
                store.run(actor.release(0, held))

            first_s = timed(lambda: create(store, operations, part))
            first_turns_s = timed(turns)
            create(store, operations, count - 2 * part)
            last_s = timed(lambda: create(store, operations, part))
            turns_s = timed(turns)
            yield Finding(what="open jobs", value=count, unit="jobs")
            yield Finding(what="memory of a job", value=(used_bytes(store) - empty_bytes) / count, unit="bytes")
            yield Finding(what="creating the last ones, as a multiple of the first", value=last_s / first_s, unit="")
            yield Finding(what="claims and settlements, the same", value=turns_s / first_turns_s, unit="")
            page_s = timed(lambda: store.drive(list_jobs(operations)))
            yield Finding(what="a page of 100 jobs", value=page_s * 1000, unit="ms")
            yield Finding(
                what="all that waits, counted", value=timed(lambda: store.drive(backlog(operations))) * 1000, unit="ms"
            )
            yield from rewritten_and_restarted(server, store)
    finally:
        server.stop()


def results(folder: Path, scale: float) -> Iterator[Finding]:
    """Settle jobs with results of a megabyte each.

    Args:
        folder: For the server.
        scale: Share of ten gigabytes.
    """
    count = max(4, int(RESULTS * scale))
    result = '"' + os.urandom(RESULT_BYTES // 2).hex() + '"'
    server = ValkeyServer(folder, *SERVER).start()
    try:
        with Store(server.unix_url) as store:
            operations = Operations("scale")
            actor = join(store, "scale", 1)
            create(store, operations, count)
            before_bytes = used_bytes(store)

            def settle() -> None:
                for _ in range(count):
                    (held,) = store.run(actor.turn(0, [], 1)).jobs
                    store.run(actor.turn(0, [Settlement(held.id, held.attempt, JobStatus.FINISHED, result)], 0))

            with pinging(server.unix_url) as longest:
                took_s = timed(settle)
            yield Finding(what="results", value=count * RESULT_BYTES / 1e9, unit="GB")
            yield Finding(what="written", value=count * RESULT_BYTES / 1e6 / took_s, unit="MB/s", more_is_better=True)
            yield Finding(what="longest PING meanwhile", value=longest[0], unit="ms")
            used = (used_bytes(store) - before_bytes) / count / RESULT_BYTES
            yield Finding(what="memory, as a multiple of the results", value=used, unit="")
            page_s = timed(lambda: store.drive(list_jobs(operations)))
            yield Finding(what="a page of 100 jobs", value=page_s * 1000, unit="ms")
            assert store.run(operations.admin.queue_length(ScriptType.OSIS)) == 0
            yield from rewritten_and_restarted(server, store)
    finally:
        server.stop()


def rewritten_and_restarted(server: ValkeyServer, store: Store) -> Iterator[Finding]:
    """Let the server write its file anew, stop it, and wait until it has read everything again."""

    def rewrite() -> None:
        store.run(Op(("BGREWRITEAOF",), as_is))
        until(lambda: is_rewritten(information(store, "persistence")), limit_s=3600, every_s=0.01, what="it is written")

    with pinging(server.unix_url) as longest:
        took_s = timed(rewrite)
    assert "aof_last_bgrewrite_status:ok" in information(store, "persistence")
    fork_us = int(information(store, "stats").split("latest_fork_usec:")[1].split()[0])
    yield Finding(what="its file is written anew", value=took_s, unit="s")
    yield Finding(what="... of which the store answers nobody (fork)", value=fork_us / 1000, unit="ms")
    yield Finding(what="... longest PING meanwhile", value=longest[0], unit="ms")
    server.kill()
    yield Finding(what="a killed store answers again after", value=timed(server.start), unit="s")


def is_rewritten(persistence: str) -> bool:
    """Whether no rewrite of the file runs or is about to."""
    return "aof_rewrite_in_progress:0" in persistence and "aof_rewrite_scheduled:0" in persistence


def information(store: Store, section: str) -> str:
    """Return a section of INFO."""
    return str(store.run(Op(("INFO", section), str)))


def used_bytes(store: Store) -> int:
    """Return the memory that the server's data takes."""
    return int(information(store, "memory").split("used_memory:")[1].split()[0])
