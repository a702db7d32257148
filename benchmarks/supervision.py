"""What one supervisor costs and how fast it is: memory, idle time, starts, replacements, and answers under trouble.

    .venv/bin/python benchmarks/supervision.py              half a minute
    .venv/bin/python benchmarks/supervision.py --idle-s 30

Whole deployments with the embedded store. Prints the supervisor's resident memory and share of a core when idle with
ten actors; the time from its start until four actors are ready; from a kill -9 of an actor until the next one is ready,
and until its job runs anew elsewhere; and the latencies of control requests while a child ignores TERM.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import psutil

from hero_job.model.job import ScriptType
from tests.supervisor.supervisor_process import SupervisorProcess

BASE = '[rpc]\nunix_socket = "hero.ipc"\n'
FOUR = BASE + '[[actors]]\ntype = "osis"\n[[actors]]\ntype = "sal"\ncount = 3\nlanes = 4\n'
TEN = BASE + '[[actors]]\ntype = "osis"\n[[actors]]\ntype = "sal"\ncount = 9\nlanes = 4\n'
DEAF = [sys.executable, "-I", "-S", "-c", "import signal, time; signal.signal(15, 1); time.sleep(600)"]
STUBBORN = FOUR + f'[[actors]]\ntype = "sal"\nname = "deaf"\nshutdown_s = 60\ncommand = {json.dumps(DEAF)}\n'


def started(folder: str, config: str) -> SupervisorProcess:
    return SupervisorProcess(Path(folder), config)


def measure_start(runs: int) -> None:
    times = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            supervisor = started(folder, FOUR)
            supervisor.wait_ready()
            times.append(time.monotonic() - began)
            supervisor.clean_up()
    print(f"start until four actors are ready: {sorted(times)[len(times) // 2]:.2f} s (median of {runs})")


def measure_idle(idle_s: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        supervisor = started(folder, TEN)
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
    ready, again = [], []
    with tempfile.TemporaryDirectory() as folder:
        supervisor = started(folder, FOUR)
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
            # Healthy again, so that the next end is a first one.
            time.sleep(6)
        supervisor.clean_up()
    print(f"killed actor: its job runs anew after {max(again):.3f} s, the next one is ready after {max(ready):.3f} s")


async def ask(path: Path, methods: tuple[str, ...], count: int) -> list[float]:
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


def measure_control(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        supervisor = started(folder, STUBBORN)
        supervisor.wait_ready()
        supervisor.descendants()
        # Asked to stop, it drains for a minute and hears nothing.
        asyncio.run(stop_slot(supervisor.folder / "hero.ipc", "deaf-1"))
        times = sorted(asyncio.run(ask(supervisor.folder / "hero.ipc", ("health", "list_actors"), count)))
        p99 = times[int(len(times) * 0.99)]
        print(f"control requests while a child ignores TERM: p50 {times[len(times) // 2] * 1e3:.1f} ms, "
              f"p99 {p99 * 1e3:.1f} ms, max {times[-1] * 1e3:.1f} ms")  # fmt: skip
        supervisor.signal(signal.SIGTERM)
        supervisor.signal(signal.SIGINT)
        supervisor.clean_up()


async def stop_slot(path: Path, slot: str) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    request = {"jsonrpc": "2.0", "id": 1, "method": "stop_actor", "params": [slot]}
    writer.write(json.dumps(request).encode())
    answer = json.loads(await reader.readline())
    assert "result" in answer, answer
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle-s", type=float, default=10.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--requests", type=int, default=500)
    options = parser.parse_args()
    measure_start(options.runs)
    measure_idle(options.idle_s)
    measure_replacement(options.runs)
    measure_control(options.requests)


if __name__ == "__main__":
    main()
