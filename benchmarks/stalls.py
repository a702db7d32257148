"""Measures for how long the store answers nobody while much happens in it: the longest scripts of the system.

    .venv/bin/python -m benchmarks.stalls               many minutes and some gigabytes
    .venv/bin/python -m benchmarks.stalls --scale 0.02  a small run
    .venv/bin/python -m benchmarks.stalls --realtime    server and PING before all other work of the machine, as root

At full scale: a job with 100,000 dependents ends, an actor that holds 10,000 jobs is recovered, a queue of 1,000,000
jobs is purged, and 100,000 delayed jobs are due in the same moment. A second process sends PING without a pause. For
each case this prints the longest time that a PING took, the longest that one took while the store had nothing else to
do (what the machine itself adds), how long the longest fork held up the server (it writes its file anew as the file
grows), and, from the server's own statistics, the calls of scripts, the commands and the time of an average call.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.figures.record import record
from hero_job import Job, JobBuilder, JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.operations.actor_operations import ActorEntry, ActorOperations, Recoveries, Settlement
from hero_job.operations.batches import purge_queue
from hero_job.operations.flow import chunks
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from tests.valkey_server import ValkeyServer

SERVER = ("--appendfsync", "everysec", "--hash-max-listpack-value", "1024")
SIZES = {"dependents": 100_000, "recovery": 10_000, "purge": 1_000_000, "delayed": 100_000}
LANES = 1000
IDLE_S = 1.0
REALTIME = os.SCHED_RR | os.SCHED_RESET_ON_FORK


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """What one case did to the others.

    Attributes:
        name: The case.
        jobs: How many jobs it moved.
        longest_ms: Longest time that a PING took meanwhile.
        idle_ms: The same while the store had nothing else to do.
        fork_ms: How long the last fork took, without which no file is written anew; 0 if there was none.
        calls: Calls of scripts.
        commands_per_call: Commands that an average call ran.
        call_ms: How long an average call took the server.
        took_s: How long all took.
    """

    name: str
    jobs: int
    longest_ms: float
    idle_ms: float
    fork_ms: float
    calls: int
    commands_per_call: float
    call_ms: float
    took_s: float

    def line(self) -> str:
        """Return the line of the table."""
        return (
            f"{self.name:<12}{self.jobs:>10,}{self.longest_ms:>12.1f}{self.idle_ms:>10.1f}{self.fork_ms:>10.1f}{self.calls:>10,}"
            f"{self.commands_per_call:>16,.0f}{self.call_ms:>10.2f}{self.took_s:>9.1f}"
        )


def prefer(pid: int) -> None:
    """Give a process real-time priority, without the processes that it forks.

    Raises:
        PermissionError: This is not root.
    """
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setscheduler(int(thread.name), REALTIME, os.sched_param(10))


def ping(url: str, pipe: Connection, realtime: bool) -> None:
    """Send PING without a pause until told to end; the longest time that one took goes into the pipe, in seconds."""
    if realtime:
        prefer(os.getpid())
    with Store(url) as store:
        question: Op[str] = Op(("PING",), as_is)
        store.run(question)
        pipe.send(0.0)
        longest = 0.0
        while not pipe.poll():
            began = time.perf_counter()
            store.run(question)
            longest = max(longest, time.perf_counter() - began)
        pipe.send(longest)


@contextlib.contextmanager
def pinging(url: str, realtime: bool = False) -> Iterator[list[float]]:
    """Have another process send PING; at the end the list has the longest time that one took, in ms."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=ping, args=(url, theirs, realtime))
    process.start()
    ours.recv()
    longest: list[float] = []
    try:
        yield longest
    finally:
        ours.send(None)
        longest.append(ours.recv() * 1000)
        process.join()


def script_calls(store: Store) -> tuple[int, int, int]:
    """Return the calls of scripts since the statistics were reset, their commands, and their time in microseconds."""
    calls = commands = took_us = 0
    for line in str(store.run(Op(("INFO", "commandstats"), str))).splitlines():
        name, _, rest = line.partition(":calls=")
        if not rest or name in {"cmdstat_ping", "cmdstat_info", "cmdstat_config|resetstat"}:
            continue
        count, took = int(rest.split(",")[0]), int(rest.split(",")[1].removeprefix("usec="))
        if name in {"cmdstat_evalsha", "cmdstat_eval"}:
            calls, took_us = calls + count, took_us + took
        else:
            commands += count
    return calls, commands, took_us


def number_in(store: Store, section: str, name: str) -> int:
    """Return a number from a section of INFO."""
    text = str(store.run(Op(("INFO", section), str)))
    return int(text.split(f"\n{name}:")[1].split(maxsplit=1)[0])


def measure(server: ValkeyServer, store: Store, name: str, jobs: int, run: Callable[[], None]) -> Stall:
    """Run a case that is prepared, beside the process that sends PING."""
    realtime = os.sched_getscheduler(number_in(store, "server", "process_id")) == REALTIME
    with pinging(server.unix_url, realtime) as idle:
        time.sleep(IDLE_S)
    store.run(Op(("CONFIG", "RESETSTAT"), as_is))
    with pinging(server.unix_url, realtime) as longest:
        began = time.perf_counter()
        run()
        took_s = time.perf_counter() - began
    calls, commands, took_us = script_calls(store)
    return Stall(
        name=name, jobs=jobs, longest_ms=longest[0], idle_ms=idle[0],
        fork_ms=number_in(store, "stats", "latest_fork_usec") / 1000, calls=calls,
        commands_per_call=commands / max(calls, 1), call_ms=took_us / max(calls, 1) / 1000, took_s=took_s,
    )  # fmt: skip


def plain_job() -> Job:
    """Return a no-op job."""
    return JobBuilder().caller_id("caller").context_id("context").script_type(ScriptType.OSIS).script("1").build()


def create(store: Store, operations: Operations, count: int, prerequisite: str | None = None, delay: float = 0) -> None:
    """Create and start jobs."""
    base = JobBuilder().caller_id("caller").context_id("context").script_type(ScriptType.OSIS).script("1")
    if prerequisite is not None:
        base = base.prerequisites((prerequisite,))
    if delay:
        base = base.delay(delay)
    for few in chunks(range(count)):
        store.run_many([operations.create(base.build(), start=True) for _ in few])


def join(store: Store, namespace: str, lanes: int) -> ActorOperations:
    """Add an actor to the registry."""
    entry = ActorEntry(
        incarnation="i", name="i", script_type=ScriptType.OSIS, host="h", pid=1, lanes=lanes, engine="e",
        engine_version="1",
    )  # fmt: skip
    actor = ActorOperations(entry, namespace, lease_s=3600)
    store.run(actor.join())
    return actor


def promote_all(store: Store, operations: Operations) -> None:
    """Ask what is due, as a supervisor does, until nothing is left."""
    while store.run(operations.admin.promote())[0]:
        pass


def dependents(server: ValkeyServer, store: Store, count: int) -> Stall:
    """A job with many dependents ends."""
    operations, actor = Operations("dependents"), join(store, "dependents", 1)
    first = store.run(operations.create(plain_job(), start=True))
    create(store, operations, count, prerequisite=first)
    (held,) = store.run(actor.turn(0, [], 1)).jobs

    def run() -> None:
        store.run(actor.turn(0, [Settlement(held.id, held.attempt, JobStatus.FINISHED, "42")], 0))
        promote_all(store, operations)

    stall = measure(server, store, "dependents", count, run)
    assert store.run(operations.admin.queue_length(ScriptType.OSIS)) == count
    return stall


def recovery(server: ValkeyServer, store: Store, count: int) -> Stall:
    """An actor that holds many jobs dies."""
    operations, actor = Operations("recovery"), join(store, "recovery", LANES)
    create(store, operations, count)
    for lane in range(LANES):
        store.run(actor.turn(lane, [], -(-count // LANES)))
    recoveries = Recoveries("recovery")

    def run() -> None:
        while store.run(recoveries.recover("i", proven_dead=True)).more:
            pass

    stall = measure(server, store, "recovery", count, run)
    assert store.run(operations.admin.queue_length(ScriptType.OSIS)) == count
    return stall


def purge(server: ValkeyServer, store: Store, count: int) -> Stall:
    """A long queue is purged."""
    operations = Operations("purge")
    create(store, operations, count)

    def run() -> None:
        assert store.drive(purge_queue(operations, ScriptType.OSIS)) == count

    return measure(server, store, "purge", count, run)


def delayed(server: ValkeyServer, store: Store, count: int) -> Stall:
    """Many delayed jobs are due in the same moment."""
    operations = Operations("delayed")
    create(store, operations, count, delay=36_000)
    key = operations.keys.scheduled
    ids = store.run(Op(("ZRANGE", key, 0, -1), list))
    for few in chunks(ids):
        store.run(Op(("ZADD", key, *(part for job_id in few for part in (1, job_id))), as_is))
    stall = measure(server, store, "delayed", count, lambda: promote_all(store, operations))
    assert store.run(operations.admin.queue_length(ScriptType.OSIS)) == count
    return stall


CASES = {"dependents": dependents, "recovery": recovery, "purge": purge, "delayed": delayed}


def measure_all(scale: float, names: Sequence[str] = tuple(CASES), realtime: bool = False) -> list[Stall]:
    """Measure the cases, each on a server of its own.

    Args:
        scale: Share of the full number of jobs.
        names: Of the cases.
        realtime: Give server and PING real-time priority.
    """
    found = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            server = ValkeyServer(Path(folder), *SERVER).start()
            try:
                with Store(server.unix_url) as store:
                    if realtime:
                        prefer(number_in(store, "server", "process_id"))
                    found.append(CASES[name](server, store, max(10, int(SIZES[name] * scale))))
            finally:
                server.stop()
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size (default: %(default)s)")
    parser.add_argument("--case", action="append", choices=tuple(CASES), help="only this case; may be repeated")
    parser.add_argument(
        "--realtime",
        action="store_true",
        help="give server and PING real-time priority, so that other work does not come between; needs root",
    )
    options = parser.parse_args(argv)
    print(f"{'case':<12}{'jobs':>10}{'longest ms':>12}{'idle ms':>10}{'fork ms':>10}{'calls':>10}{'commands/call':>16}"
          f"{'ms/call':>10}{'s':>9}")  # fmt: skip
    for stall in measure_all(options.scale, options.case or tuple(CASES), options.realtime):
        print(stall.line())
        record(f"{stall.name}: an average call", stall.call_ms, "ms", more_is_better=False)
        record(f"{stall.name}: commands of an average call", stall.commands_per_call, "", more_is_better=False)
        record(f"{stall.name}: longest PING", stall.longest_ms, "ms", more_is_better=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
