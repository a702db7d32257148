"""Measures objects of OSIS: reading, writing and finding among 100,000 of one context, and the memory that they take.

Start a store of its own, fill it, and print a table: python -m benchmarks.objects [--objects 100000]
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.figures.record import record
from hero_job.client.store import Store
from hero_job.operations.flow import PAGE, Flow
from hero_job.operations.objects.find import find_objects, list_objects
from hero_job.operations.objects.guard import ObjectAccess
from hero_job.operations.objects.objects import Objects
from hero_job.protocol.op import Op, as_is
from hero_supervisor.store.embedded import EmbeddedStore

TYPE = "bench.task"
INDEXED = ("title", "state", "priority", "tags")
WORDS = [f"{a}{b}" for a in ("data", "user", "login", "cloud", "net", "disk", "page", "mail") for b in range(500)]


def task(chance: random.Random, number: int) -> dict[str, Any]:
    return {
        "title": " ".join([*chance.sample(WORDS, 5), f"unique{number}"]),
        "state": chance.choice(["pending", "in_progress", "done"]),
        "priority": chance.choice(["low", "medium", "high"]),
        "created": "2026-11-29T08:00:00Z",
        "tags": [f"tag{chance.randrange(50)}", f"team{chance.randrange(10)}"],
    }


def create(objects: Objects, access: ObjectAccess, number: int, fields: dict[str, Any]) -> Flow[Any]:
    return objects.put(access, TYPE, f"{number:06x}", fields, indexed=INDEXED, base=0)


def memory(store: Store) -> int:
    text: str = store.run(Op(("INFO", "memory"), as_is))
    return int(next(line.partition(":")[2] for line in text.splitlines() if line.startswith("used_memory:")))


def timed(store: Store, name: str, make: Callable[[], Flow[Any]], times: int) -> None:
    taken = []
    cpu_start = time.process_time()
    for _ in range(times):
        start = time.perf_counter()
        store.drive(make())
        taken.append((time.perf_counter() - start) * 1000)
    taken.sort()
    cpu_ms = (time.process_time() - cpu_start) * 1000 / times
    print(f"| {name} | {statistics.median(taken):.2f} | {taken[int(len(taken) * 0.99)]:.2f} | {cpu_ms:.2f} |")
    record(f"{name}, p50", statistics.median(taken), "ms", more_is_better=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=500, help="calls of each kind (default: %(default)s)")
    arguments = parser.parse_args()
    count, times = arguments.objects, arguments.times
    chance = random.Random(1)
    objects = Objects("bench")
    access = ObjectAccess(context_id="owner", caller_id="owner", job_id="bench")
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedStore(dir=Path(folder)) as embedded,
        Store(embedded.url) as store,
    ):
        before = memory(store)
        for first in range(0, count, PAGE):
            # The first round trip of a new object is its only one, so many of them can share it.
            flows = [create(objects, access, n, task(chance, n)) for n in range(first, min(first + PAGE, count))]
            store.run_many([next(flow)[0] for flow in flows])
        per_object = (memory(store) - before) / count
        print(f"{count} objects, {per_object:,.0f} bytes of memory each\n")
        record("memory of an object", per_object, "bytes", more_is_better=False)
        print("| | p50 ms | p99 ms | of it CPU here, mean ms |\n|---|---|---|---|")

        def sid() -> str:
            return f"{chance.randrange(count):06x}"

        def word() -> str:
            return chance.choice(WORDS)

        def find(query: Callable[[], str], limit: int = 100) -> Callable[[], Flow[Any]]:
            return lambda: find_objects(objects, access, TYPE, query(), indexed=INDEXED, limit=limit)

        timed(store, "get", lambda: objects.get(access, TYPE, sid()), 4 * times)
        numbers = iter(range(count, count + 2 * times))
        timed(store, "create", lambda: create(objects, access, n := next(numbers), task(chance, n)), 2 * times)
        timed(store, "replace", lambda: objects.put(access, TYPE, sid(), task(chance, 0), indexed=INDEXED), 2 * times)
        timed(store, "list, page of 100", lambda: list_objects(objects, access, TYPE, limit=100), times)
        timed(store, "find field:word (about 125 results, page of 100)", find(lambda: f"title:{word()}"), times)
        timed(store, "find word in any field (page of 100)", find(word), times)
        timed(store, "find one object by a word", find(lambda: f"title:unique{chance.randrange(count)}"), times)
        timed(store, "find state:done AND title:word", find(lambda: f"state:done AND title:{word()}"), times)
        timed(store, "find state:done (page of 100 of a third)", find(lambda: "state:done"), times)
        timed(store, 'find "two words" beside each other', find(lambda: f'"{word()} {word()}"'), times)
        timed(store, "find prefix clou*1 (page of 100)", find(lambda: f"title:{word()[:6]}*"), times)
        timed(store, "find NOT state:done (page of 100)", find(lambda: "NOT state:done"), times)


if __name__ == "__main__":
    main()
