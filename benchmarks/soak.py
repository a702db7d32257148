"""Many jobs through one deployment: do key count and resident memory come back?

    .venv/bin/python -m benchmarks.soak --jobs 1000000     about a minute and a half
    .venv/bin/python -m benchmarks.soak --jobs 20000       a small run

One OSIS and one SAL actor on an in-memory server; results are kept for a second, so that what was used is free again at
the end. Prints keys, the server's memory and the actors' resident memory before, at the end, and per 100,000 jobs.
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

KEEP = Retention(reply_ttl_s=1, result_ttl_s=1, failure_ttl_s=1)


def facts(store: Store) -> tuple[int, int]:
    keys = store.run(Op(("DBSIZE",), int))
    memory = int(store.run(Op(("INFO", "memory"), str)).partition("used_memory:")[2].split()[0])
    return keys, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = ValkeyServer(Path(folder), "--appendonly", "no", "--hash-max-listpack-value", "1024").start()
        actors = [
            subprocess.Popen([sys.executable, "-m", "hero_actor", "--type", t, "--redis-url", server.unix_url,
                              "--result-ttl-s", "1", "--failure-ttl-s", "1", "--reply-ttl-s", "1",
                              "--log-level", "warning"])
            for t in ("osis", "sal")
        ]  # fmt: skip
        try:
            with Store(server.unix_url) as store:
                operations = Operations(retention=KEEP)
                watched = [psutil.Process(a.pid) for a in actors]
                began = time.monotonic()
                done, step = 0, 500
                rss_warm: list[int] | None = None
                while done < options.jobs:
                    kind = ScriptType.OSIS if done // step % 2 else ScriptType.SAL
                    base = JobBuilder().caller_id("a" * 66).context_id("b" * 66).script_type(kind).script("40 + 2")
                    store.run_many([operations.create(base.build(), start=True) for _ in range(step)])
                    done += step
                    while store.run(operations.admin.queue_length(kind)) > 20_000:
                        time.sleep(0.01)
                    if rss_warm is None and done >= min(100_000, options.jobs // 2):
                        rss_warm = [p.memory_info().rss for p in watched]
                while any(store.run(operations.admin.queue_length(t)) for t in (ScriptType.OSIS, ScriptType.SAL)):
                    time.sleep(0.05)
                elapsed_s = time.monotonic() - began
                deadline = time.monotonic() + 60
                while facts(store)[0] > 20 and time.monotonic() < deadline:
                    time.sleep(0.5)
                keys, memory = facts(store)
                rss = [p.memory_info().rss for p in watched]
                print(f"{done} jobs in {elapsed_s:.1f} s: {done / elapsed_s:.0f} jobs/s through both actors")
                print(f"keys at the end: {keys}; server's memory: {memory / 1e6:.1f} MB")
                for name, warm, end in zip(("OSIS", "SAL"), rss_warm or rss, rss, strict=True):
                    slope = (end - warm) / 1e6 / max(1, (done - 100_000) / 100_000)
                    sizes = f"{warm / 1e6:.1f} MB warm, {end / 1e6:.1f} MB at the end"
                    print(f"{name} actor: {sizes}, {slope:+.3f} MB per 100,000 jobs")
        finally:
            for actor in actors:
                actor.terminate()
            for actor in actors:
                actor.wait()
            server.stop()


if __name__ == "__main__":
    main()
