"""Measures what idle actors cost: memory, processor time, and the time until all of them are ready.

    .venv/bin/python -m benchmarks.idle_actors                150 OSIS actors, about a minute
    .venv/bin/python -m benchmarks.idle_actors --actors 20 --executed

It runs one supervisor with an embedded store and so many OSIS actors, which get no jobs. Memory is the proportional set
size (PSS): pages that processes share count for each of them in part. Processor time is that of a window in which
nothing happens. The time of `python -c pass` in the same run says how fast the machine is.

Source: proc_pid_smaps(5), smaps_rollup.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import redis

from benchmarks.figures.machine import describe_machine
from benchmarks.figures.record import record
from tests.eventually import eventually
from tests.supervisor.supervisor_process import SupervisorProcess

CONFIG = """
[supervisor]
fork_from = %d
[rpc]
unix_socket = "hero.ipc"
[[actors]]
type = "osis"
by_context = true
count = %d
"""
#: After the last actor is ready, in seconds: its first refresh, and whatever else happens once.
SETTLE_S = 3.0
READY_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory of one process, in bytes: all pages by their share, and those that it has alone."""

    proportional: int
    private: int


def main() -> None:
    """Start the actors, measure them, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--actors", type=int, default=150, help="number of actors (default: %(default)s)")
    parser.add_argument("--executed", action="store_true", help="without the fork server")
    parser.add_argument("--idle-s", type=float, default=10.0, help="seconds of the idle window (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # Compiled modules are kept, as in an installation, whatever this shell's settings say.
        compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": f"{folder}/compiled"}
        compile_all(compiled)
        config = CONFIG % (0 if options.executed else 16, options.actors)
        supervisor = SupervisorProcess(Path(folder), config, environ=compiled)
        try:
            measure(supervisor, options.actors, options.idle_s)
        finally:
            supervisor.clean_up()


def measure(supervisor: SupervisorProcess, actors: int, idle_s: float) -> None:
    """Measure one deployment from its start, and print the figures."""
    began_mono = time.monotonic()
    eventually(lambda: supervisor.log_text().count('"child.ready"') >= actors, within_s=READY_S, what="all are ready")
    ready_s = time.monotonic() - began_mono
    pids = actor_pids(supervisor)
    started_s = processor_time_s([psutil.Process(pid) for pid in pids]) / actors
    bare_s = bare_python_s()
    with redis.Redis.from_url(supervisor.url) as client:
        print("; ".join(f"{what} {value}" for what, value in describe_machine(client).items()))
    print(f"{actors} actors ready after {ready_s:.1f} s; python -c pass takes {bare_s * 1000:.0f} ms of processor time")
    record(f"{actors} actors until ready", ready_s, "s", more_is_better=False)
    record("start of an actor, as a multiple of Python", started_s / bare_s, "", more_is_better=False)
    print(f"processor time of an actor until then: {started_s * 1000:.0f} ms, {started_s / bare_s:.1f} times that")
    time.sleep(SETTLE_S)
    others = [process.pid for process in supervisor.descendants() if process.pid not in pids]
    print_memory("an actor", pids)
    print_memory("the supervisor", [supervisor.process.pid])
    for pid in others:
        print_memory(" ".join(psutil.Process(pid).cmdline()[-3:-1]) or "the store", [pid])
    groups = {
        "the supervisor": [psutil.Process(supervisor.process.pid)],
        "all actors": [psutil.Process(pid) for pid in pids],
        "the store and the fork server": [psutil.Process(pid) for pid in others],
    }
    before = {name: (processor_time_s(group), switches(group)) for name, group in groups.items()}
    window_mono = time.monotonic()
    time.sleep(idle_s)
    took_s = time.monotonic() - window_mono
    for name, group in groups.items():
        used_s = processor_time_s(group) - before[name][0]
        woken = (switches(group) - before[name][1]) / took_s / actors
        print(f"idle, {name}: {used_s / took_s:.2%} of a core, {woken:.1f} wake-ups for each actor and second")
        record(f"idle, {name}", used_s / took_s * 100, "% of a core", more_is_better=False)


def print_memory(what: str, pids: list[int]) -> None:
    """Print the memory of processes of one kind."""
    memory = [memory_of(pid) for pid in pids]
    proportional = statistics.median(each.proportional for each in memory) / 1e6
    private = statistics.median(each.private for each in memory) / 1e6
    record(f"memory of {what}", proportional, "MB", more_is_better=False)
    print(f"memory of {what}: {proportional:.1f} MB proportional, {private:.1f} MB private")


def compile_all(environ: dict[str, str]) -> None:
    """Import all that an actor and a supervisor import, so that it is compiled."""
    for program in (["hero_actor", "--help"], ["hero_supervisor.cli", "--version"]):
        command = [sys.executable, "-P", "-m", *program]
        subprocess.run(command, env={**os.environ, **environ}, stdout=subprocess.DEVNULL, check=True)


def actor_pids(supervisor: SupervisorProcess) -> list[int]:
    """List the processes of the actors."""
    return [int(event["child_pid"]) for event in supervisor.events("child.started")]


def memory_of(pid: int) -> Memory:
    """Read the memory of a process."""
    fields = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, value = line.partition(":")
        fields[name] = int(value.split()[0]) * 1024
    return Memory(proportional=fields["Pss"], private=fields["Private_Clean"] + fields["Private_Dirty"])


def processor_time_s(group: list[psutil.Process]) -> float:
    """Return the user and system time of processes, in seconds."""
    times = [process.cpu_times() for process in group]
    return sum(each.user + each.system for each in times)


def switches(group: list[psutil.Process]) -> int:
    """Return how often the threads of processes have gone to sleep."""
    total = 0
    for process in group:
        for thread in Path(f"/proc/{process.pid}/task").iterdir():
            lines = (thread / "status").read_text().splitlines()
            total += int(next(line for line in lines if line.startswith("voluntary_ctxt_switches")).split()[1])
    return total


def bare_python_s() -> float:
    """Return the processor time that Python needs to start and end, in seconds; the least of five."""
    times = []
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", "pass"])
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
        times.append(used.ru_utime + used.ru_stime)
    return min(times)


if __name__ == "__main__":
    main()
