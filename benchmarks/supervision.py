"""Measures one supervisor: memory, idle load, start, replacement of actors, and requests while a child is stuck.

    .venv/bin/python -m benchmarks.supervision              half a minute
    .venv/bin/python -m benchmarks.supervision --idle-s 30

It runs deployments with the embedded store. It prints the supervisor's resident memory and its share of a core while
it is idle with ten actors; the time from its start until four actors are ready; the times from the SIGKILL of an actor
until the next one is ready and until its job runs again; and the latencies of requests while a child ignores SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.figures.report import percentile
from hero_job.model.job import ScriptType
from tests.supervisor.supervisor_process import SupervisorProcess

BASE = '[rpc]\nunix_socket = "hero.ipc"\n'
FOUR = BASE + '[[actors]]\ntype = "osis"\n[[actors]]\ntype = "sal"\ncount = 3\nlanes = 4\n'
TEN = BASE + '[[actors]]\ntype = "osis"\n[[actors]]\ntype = "sal"\ncount = 9\nlanes = 4\n'
DEAF = [sys.executable, "-I", "-S", "-c", "import signal, time; signal.signal(15, 1); time.sleep(600)"]
STUBBORN = FOUR + f'[[actors]]\ntype = "sal"\nname = "deaf"\nshutdown_s = 60\ncommand = {json.dumps(DEAF)}\n'


def measure_start(runs: int) -> None:
    """Measure the time until four actors are ready."""
    times = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            supervisor = SupervisorProcess(Path(folder), FOUR)
            supervisor.wait_ready()
            times.append(time.monotonic() - began)
            supervisor.clean_up()
    print(f"start until four actors are ready: {statistics.median(times):.2f} s (median of {runs})")


def measure_idle(idle_s: float) -> None:
    """Measure memory and processor time of an idle supervisor with ten actors."""
    with tempfile.TemporaryDirectory() as folder:
        supervisor = SupervisorProcess(Path(folder), TEN)
        supervisor.wait_ready()
        process = psutil.Process(supervisor.process.pid)
        time.sleep(2)
        before, began = process.cpu_times(), time.monotonic()
        time.sleep(idle_s)
        after, elapsed_s = process.cpu_times(), time.monotonic() - began
        share = (after.user + after.system - before.user - before.system) / elapsed_s
        print(f"supervisor with ten idle actors: {process.memory_info().rss / 1e6:.1f} MB, {share:.2%} of a core")
        supervisor.clean_up()


def measure_replacement(runs: int) -> None:
    """Kill actors that run a job; measure when the job runs again and when the next actor is ready."""
    ready: list[float] = []
    again: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        supervisor = SupervisorProcess(Path(folder), FOUR)
        supervisor.wait_ready()
        for _ in range(runs):
            job_id = supervisor.submit("sleep(2); 1", ScriptType.SAL, timeout=60)
            supervisor.wait_status(job_id, "started")
            owner = str(supervisor.record(job_id).owner).partition("/")[0]
            start = supervisor.events("child.started", incarnation=owner)[-1]
            count = len(supervisor.events("child.ready", child=start["child"]))
            killed = time.monotonic()
            os.kill(int(start["child_pid"]), signal.SIGKILL)
            while supervisor.record(job_id).attempt != 2:
                time.sleep(0.001)
            again.append(time.monotonic() - killed)
            supervisor.wait_event("child.ready", child=start["child"], count=count + 1)
            ready.append(time.monotonic() - killed)
            supervisor.reply(job_id)
            # Long enough that the supervisor counts the next end as the first one.
            time.sleep(6)
        supervisor.clean_up()
    print(f"killed actor: its job runs again after {max(again):.3f} s, the next one is ready after {max(ready):.3f} s")


async def ask(path: Path, methods: tuple[str, ...], count: int) -> list[float]:
    """Make requests one after the other; return their latencies, in seconds."""
    reader, writer = await asyncio.open_unix_connection(path)
    times = []
    for number in range(count):
        began = time.monotonic()
        writer.write(b'{"jsonrpc":"2.0","id":1,"method":"%s"}' % methods[number % len(methods)].encode())
        answer = json.loads(await reader.readline())
        assert "result" in answer, answer
        times.append(time.monotonic() - began)
        await asyncio.sleep(0.005)
    writer.close()
    return times


def measure_requests(count: int) -> None:
    """Measure requests while a child ignores SIGTERM."""
    with tempfile.TemporaryDirectory() as folder:
        supervisor = SupervisorProcess(Path(folder), STUBBORN)
        supervisor.wait_ready()
        supervisor.descendants()
        # Asked to stop, it ignores SIGTERM and stays for its minute.
        asyncio.run(stop_slot(supervisor.folder / "hero.ipc", "deaf-1"))
        times = asyncio.run(ask(supervisor.folder / "hero.ipc", ("health", "list_actors"), count))
        p50, p99 = (percentile(times, share) * 1000 for share in (0.5, 0.99))
        figures = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {max(times) * 1000:.1f} ms"
        print(f"requests while a child ignores SIGTERM: {figures}")
        supervisor.signal(signal.SIGTERM)
        supervisor.signal(signal.SIGINT)
        supervisor.clean_up()


async def stop_slot(path: Path, slot: str) -> None:
    """Ask the supervisor to stop the actor in a slot."""
    reader, writer = await asyncio.open_unix_connection(path)
    request = {"jsonrpc": "2.0", "id": 1, "method": "stop_actor", "params": [slot]}
    writer.write(json.dumps(request).encode())
    answer = json.loads(await reader.readline())
    assert "result" in answer, answer
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--idle-s", type=float, default=10.0, help="seconds of the idle measurement (default: %(default)s)"
    )
    parser.add_argument("--runs", type=int, default=3, help="repetitions (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=500, help="number of requests (default: %(default)s)")
    options = parser.parse_args()
    measure_start(options.runs)
    measure_idle(options.idle_s)
    measure_replacement(options.runs)
    measure_requests(options.requests)


if __name__ == "__main__":
    main()
