"""Rolling restarts under load, and commands beside a stuck actor: does any job fail, how long does a command take?

    .venv/bin/python -m benchmarks.rolling                 50 restarts of all actors
    .venv/bin/python -m benchmarks.rolling --rolls 3       a small run

One real service with the embedded store, one OSIS actor (drains first) and two SAL actors (successor first). Producers
keep jobs of some milliseconds under way; every roll replaces all three processes. Prints how every job ended, how often
one was run, the longest time without a finished job of a type, and how long commands take while one actor is stopped
by a signal and ignores all others.
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

from hero_job import JobBuilder, ScriptType
from hero_supervisor import SupervisorBuilder
from hero_supervisor.rpc.unix.client import call
from tests.deployment import Deployment, deployed

ACTORS = '[[actors]]\ntype = "osis"\n[[actors]]\ntype = "sal"\nlanes = 4\ncount = 2\n'
SCRIPT = "sleep(0.01); 40 + 2"


class Producer(threading.Thread):
    """Runs one job after the other until told to end."""

    def __init__(self, url: str, script_type: ScriptType, ended: threading.Event) -> None:
        super().__init__(name=f"producer-{script_type}")
        self.outputs: Counter[str] = Counter()
        self.attempts: Counter[int] = Counter()
        self.longest_gap_s = 0.0
        self._url = url
        self._type = script_type
        self._ended = ended

    def run(self) -> None:
        with SupervisorBuilder().redis_url(self._url).build() as supervisor:
            while not self._ended.is_set():
                began = time.monotonic()
                base = JobBuilder().caller_id("bench").context_id("bench").script_type(self._type)
                job = base.script(SCRIPT).timeout(30).build()
                try:
                    self.outputs[supervisor.run_job_and_await_result(job)] += 1
                except Exception as e:  # whatever it is, it is what is counted here
                    self.outputs[f"failed: {e}"] += 1
                self.longest_gap_s = max(self.longest_gap_s, time.monotonic() - began)
                self.attempts[supervisor.get_job(job.id).attempt] += 1


def ask(deployment: Deployment, method: str, *params: object) -> Any:
    answer = call(str(deployment.socket), method, list(params), 300.0)
    return answer["result"] if "result" in answer else answer["error"]


def roll(deployment: Deployment, rolls: int) -> None:
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
            print(f"not as it should be: {answer}")
    ended.set()
    for producer in producers:
        producer.join()
    outputs = sum((producer.outputs for producer in producers), Counter[str]())
    attempts = sum((producer.attempts for producer in producers), Counter[int]())
    print(f"{rolls} rolling restarts of 3 actors, {statistics.median(took_s):.2f} s each (longest {max(took_s):.2f} s)")
    print(f"jobs by output: {dict(outputs)}; by how often they were run: {dict(attempts)}")
    for script_type in (ScriptType.OSIS, ScriptType.SAL):
        gap_s = max(p.longest_gap_s for p, t in zip(producers, types, strict=True) if t is script_type)
        print(f"longest time from a submission to its result, {script_type}: {gap_s:.2f} s")


def command_beside_a_stuck_actor(deployment: Deployment, commands: int) -> None:
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
    took_ms.sort()
    p99 = took_ms[int(len(took_ms) * 0.99)]
    print(f"{commands} commands while one actor does not react: median {statistics.median(took_ms):.2f} ms, "
          f"p99 {p99:.2f} ms, longest {took_ms[-1]:.2f} ms")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rolls", type=int, default=50)
    parser.add_argument("--commands", type=int, default=600)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, deployed(Path(folder), actors=ACTORS) as deployment:
        roll(deployment, options.rolls)
        command_beside_a_stuck_actor(deployment, options.commands)


if __name__ == "__main__":
    main()
