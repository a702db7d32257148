"""Measures rolling restarts under load: whether jobs fail, and how long commands take while an actor is stuck.

    .venv/bin/python -m benchmarks.rolling                 50 restarts of all actors
    .venv/bin/python -m benchmarks.rolling --rolls 3       a small run

It runs a service with the embedded store, one OSIS actor (whose old process drains first) and two SAL actors (whose new
process starts first). Producers submit one job of some milliseconds after the other, and every roll replaces all three
processes. It prints how the jobs ended, how often each was run, the longest time from a submission to its result, and
how long commands take while one actor is stopped by SIGSTOP and ignores all other signals.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.figures.report import percentile
from hero_job import JobBuilder, ScriptType
from hero_supervisor import SupervisorBuilder
from hero_supervisor.rpc.unix.client import call
from tests.deployment import Deployment, deployed

ACTORS = '[[actors]]\ntype = "osis"\n[[actors]]\ntype = "sal"\nlanes = 4\ncount = 2\n'
SCRIPT = "sleep(0.01); 40 + 2"


class Producer(threading.Thread):
    """Runs one job after the other until told to end.

    Attributes:
        outputs: Output or failure -> number of jobs.
        attempts: Number of runs of a job -> number of jobs.
        longest_gap_s: Longest time from a submission to its result, in seconds.
    """

    def __init__(self, url: str, script_type: ScriptType, ended: threading.Event) -> None:
        super().__init__(name=f"producer-{script_type}")
        self.outputs: Counter[str] = Counter()
        self.attempts: Counter[int] = Counter()
        self.longest_gap_s = 0.0
        self._url = url
        self._type = script_type
        self._ended = ended

    def run(self) -> None:
        """Run jobs."""
        with SupervisorBuilder().redis_url(self._url).build() as supervisor:
            while not self._ended.is_set():
                began = time.monotonic()
                base = JobBuilder().caller_id("bench").context_id("bench").script_type(self._type)
                job = base.script(SCRIPT).timeout(30).build()
                try:
                    self.outputs[supervisor.run_job_and_await_result(job)] += 1
                except Exception as e:  # any failure counts
                    self.outputs[f"failed: {e}"] += 1
                self.longest_gap_s = max(self.longest_gap_s, time.monotonic() - began)
                self.attempts[supervisor.get_job(job.id).attempt] += 1


def ask(deployment: Deployment, method: str, *params: object) -> Any:
    """Call an RPC method; return its result or its error."""
    answer = call(str(deployment.socket), method, list(params), 300.0)
    return answer["result"] if "result" in answer else answer["error"]


def roll(deployment: Deployment, rolls: int) -> None:
    """Replace all actors again and again under load, and print the figures."""
    ended = threading.Event()
    types = [ScriptType.OSIS, *[ScriptType.SAL] * 4]
    producers = [Producer(deployment.url, script_type, ended) for script_type in types]
    for producer in producers:
        producer.start()
    took_s = []
    for _ in range(rolls):
        began = time.monotonic()
        answer = ask(deployment, "restart_actor", "*")
        took_s.append(time.monotonic() - began)
        if answer.get("replaced") != ["osis-1", "sal-1", "sal-2"]:
            print(f"unexpected answer: {answer}")
    ended.set()
    for producer in producers:
        producer.join()
    outputs = sum((producer.outputs for producer in producers), Counter[str]())
    attempts = sum((producer.attempts for producer in producers), Counter[int]())
    print(
        f"{rolls} rolling restarts of 3 actors, median {statistics.median(took_s):.2f} s (longest {max(took_s):.2f} s)"
    )
    print(f"jobs by output: {dict(outputs)}; by number of runs: {dict(attempts)}")
    for script_type in (ScriptType.OSIS, ScriptType.SAL):
        gap_s = max(p.longest_gap_s for p, t in zip(producers, types, strict=True) if t is script_type)
        print(f"longest time from a submission to its result, {script_type}: {gap_s:.2f} s")


def measure_commands(deployment: Deployment, commands: int) -> None:
    """Call commands while one actor is stuck, and print their latencies."""
    (stuck,) = ask(deployment, "get_actor", "sal-1")["slots"]
    os.kill(stuck["pid"], signal.SIGSTOP)
    took_ms: list[float] = []
    try:
        ask(deployment, "stop_actor", "sal-1")
        for number in range(commands):
            method, name = (("stop_actor", "sal-2"), ("start_actor", "sal-2"), ("get_actor", "osis"))[number % 3]
            began = time.monotonic()
            ask(deployment, method, name)
            took_ms.append((time.monotonic() - began) * 1000)
    finally:
        os.kill(stuck["pid"], signal.SIGKILL)
    figures = f"median {statistics.median(took_ms):.2f} ms, p99 {percentile(took_ms, 0.99):.2f} ms"
    print(f"{commands} commands while one actor is stuck: {figures}, longest {max(took_ms):.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rolls", type=int, default=50, help="rolling restarts (default: %(default)s)")
    parser.add_argument("--commands", type=int, default=600, help="commands (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, deployed(Path(folder), actors=ACTORS) as deployment:
        roll(deployment, options.rolls)
        measure_commands(deployment, options.commands)


if __name__ == "__main__":
    main()
