"""Runs many jobs through two actors, to see whether keys or memory are left over afterwards.

    .venv/bin/python -m benchmarks.soak --jobs 1000000     about a minute and a half
    .venv/bin/python -m benchmarks.soak --jobs 20000       a small run

It runs one OSIS and one SAL actor on a server in memory. Results are kept for a second, so that everything is free
again at the end. It prints the number of keys, the server's memory, and the actors' resident memory and its growth per
100,000 jobs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from hero_job import JobBuilder, ScriptType
from hero_job.client.store import Store
from hero_job.model.retention import Retention
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.valkey_server import ValkeyServer

RETENTION = Retention(reply_ttl_s=1, result_ttl_s=1, failure_ttl_s=1)
SCRIPT_TYPES = (ScriptType.OSIS, ScriptType.SAL)
#: Jobs that are created in one round trip.
STEP = 500
#: Most jobs that wait in a queue.
MOST_QUEUED = 20_000
#: After this many jobs an actor holds all the memory that it needs.
WARM_UP_JOBS = 100_000


def keys_and_memory(store: Store) -> tuple[int, int]:
    """Return the number of keys and the server's memory in bytes."""
    keys = store.run(Op(("DBSIZE",), int))
    memory = int(store.run(Op(("INFO", "memory"), str)).partition("used_memory:")[2].split()[0])
    return keys, memory


def start_actor(script_type: ScriptType, url: str) -> subprocess.Popen[bytes]:
    """Start an actor that keeps results for a second."""
    retention = [flag for kind in ("result", "failure", "reply") for flag in (f"--{kind}-ttl-s", "1")]
    command = [sys.executable, "-m", "hero_actor", "--type", script_type.suffix, "--redis-url", url]
    return subprocess.Popen([*command, *retention, "--log-level", "warning"])


def run_jobs(store: Store, jobs: int, actors: list[psutil.Process]) -> list[int]:
    """Run jobs, in turns of both script types; return the actors' resident bytes after the warm-up."""
    operations = Operations(retention=RETENTION)
    warm: list[int] = []
    for done in range(0, jobs, STEP):
        script_type = SCRIPT_TYPES[done // STEP % 2]
        builder = JobBuilder().caller_id("a" * 66).context_id("b" * 66).script_type(script_type).script("40 + 2")
        store.run_many([operations.create(builder.build(), start=True) for _ in range(STEP)])
        while store.run(operations.admin.queue_length(script_type)) > MOST_QUEUED:
            time.sleep(0.01)
        if not warm and done + STEP >= min(WARM_UP_JOBS, jobs // 2):
            warm = [actor.memory_info().rss for actor in actors]
    while any(store.run(operations.admin.queue_length(script_type)) for script_type in SCRIPT_TYPES):
        time.sleep(0.05)
    return warm


def measure(server: ValkeyServer, jobs: int) -> None:
    """Run the jobs and print the figures."""
    started = [start_actor(script_type, server.unix_url) for script_type in SCRIPT_TYPES]
    try:
        with Store(server.unix_url) as store:
            actors = [psutil.Process(actor.pid) for actor in started]
            began_mono = time.monotonic()
            warm = run_jobs(store, jobs, actors)
            took_s = time.monotonic() - began_mono
            deadline_mono = time.monotonic() + 60
            while keys_and_memory(store)[0] > 20 and time.monotonic() < deadline_mono:
                time.sleep(0.5)
            keys, memory = keys_and_memory(store)
            print(f"{jobs} jobs in {took_s:.1f} s: {jobs / took_s:.0f} jobs per second through both actors")
            print(f"keys at the end: {keys}; server's memory: {memory / 1e6:.1f} MB")
            for script_type, actor, before in zip(SCRIPT_TYPES, actors, warm, strict=True):
                after = actor.memory_info().rss
                growth_mb = (after - before) / 1e6 / max(1, (jobs - WARM_UP_JOBS) / 100_000)
                sizes = f"{before / 1e6:.1f} MB after the warm-up, {after / 1e6:.1f} MB at the end"
                print(f"{script_type.value} actor: {sizes}, {growth_mb:+.3f} MB per 100,000 jobs")
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000, help="number of jobs (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = ValkeyServer(Path(folder), "--appendonly", "no", "--hash-max-listpack-value", "1024").start()
        try:
            measure(server, options.jobs)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
