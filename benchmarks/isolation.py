"""Measures `isolation = "process"`: its cost for each job, and what a hostile neighbour takes from the other lanes.

    .venv/bin/python -m benchmarks.isolation             about two minutes
    .venv/bin/python -m benchmarks.isolation --rounds 1  a quick run
    .venv/bin/python -m benchmarks.isolation --realtime  on a machine that does other work, as root

It uses the engines as an actor does, one thread per lane, without a store. What is compared is measured in turn in the
same run. For the cost the best of many short windows counts, because other load only makes a window worse; for the
neighbours, the median of the ratios of two windows that follow each other.

Cost: the same short script in the engine in threads, and in a kept child process.

Neighbour: one lane runs short scripts, and its jobs are counted while another lane runs hostile ones one after another.
The comparison is the same lane beside a process outside of the actor that only computes: that takes what the kernel's
scheduler would give to any neighbour, so the ratio shows what the neighbour takes beyond its share of the cores.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures.crashing import CRASH
from hero_engine.engine import Done, Engine, Limits, Script
from hero_engine.isolated import IsolatedEngine, IsolationSettings
from hero_engine.registry import load_engine

SHORT = "let total = 0; for n in 0..100 { total += n; } total"
RUNS = 50
WINDOWS = 40
LANE_S = 0.5
AIM_MS = 0.3
AIM_SHARE = 0.9
#: What the hostile lane runs, over and over.
HOSTILE = {
    "computes": "loop {}",
    "prints": 'loop { print("xxxxxxxxxxxxxxxxxxxx") }',
    "takes memory": "let all = []; loop { all.push(blob(1000000)); }",
    "crashes": CRASH,
}
LIMITS = Limits(timeout_s=1.0, memory_bytes=256 << 20)


class Discard:
    """The log of a lane: keeps the last lines, as the actor's does."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=1000)

    def line(self, _level: str, text: str) -> None:
        self._lines.extend(text.split("\n"))

    def progress(self, done: float, total: float, text: str) -> None:
        """Ignore it."""


def run(engine: Engine, source: str) -> object:
    return engine.run(Script(source=source), constants={}, limits=LIMITS, run=engine.new_run(), log=Discard())


def best_ms(engine: Engine) -> float:
    """Measure the time of one short job in the best of many windows, in milliseconds."""
    windows: list[float] = []
    for _ in range(WINDOWS):
        began = time.perf_counter()
        for _ in range(RUNS):
            assert isinstance(run(engine, SHORT), Done)
        windows.append((time.perf_counter() - began) / RUNS * 1000)
    return min(windows)


def jobs_per_s(engine: Engine) -> float:
    """Measure how many short jobs one lane runs in a second."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < LANE_S:
        run(engine, SHORT)
        count += 1
    return count / (time.perf_counter() - began)


def neighbour_rates(engine: Engine, source: str) -> tuple[float, float]:
    """Measure the jobs per second of a lane beside a process outside, then beside a hostile lane."""
    with computing_process():
        fair = jobs_per_s(engine)
    with hostile_lane(engine, source):
        return fair, jobs_per_s(engine)


@contextmanager
def hostile_lane(engine: Engine, source: str) -> Iterator[None]:
    """Run a hostile script over and over in another lane during a `with` block."""
    ended = threading.Event()

    def loop() -> None:
        while not ended.is_set():
            run(engine, source)

    lane = threading.Thread(target=loop)
    lane.start()
    try:
        time.sleep(0.3)
        yield
    finally:
        ended.set()
        lane.join()


@contextmanager
def computing_process() -> Iterator[None]:
    """Run a process that only computes, outside of the actor, during a `with` block."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            time.sleep(0.3)
            yield
        finally:
            process.kill()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all measurements (default: %(default)s)")
    parser.add_argument(
        "--realtime",
        action="store_true",
        help="run at real-time priority, so that other work of a busy machine does not come between; needs root",
    )
    arguments = parser.parse_args(argv)
    rounds: int = arguments.rounds
    if arguments.realtime:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}")
    # The template imports an engine of this folder.
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    settings = IsolationSettings()
    threads, kept = load_engine("rhai"), IsolatedEngine("rhai", settings)
    neighbours = IsolatedEngine("benchmarks.figures.crashing:CrashingEngine", settings)
    for engine in (threads, kept, neighbours):
        run(engine, SHORT)

    best = {
        name: min(best_ms(engine) for _ in range(rounds)) for name, engine in (("thread", threads), ("child", kept))
    }
    print(f"a short job in a thread: {best['thread']:.3f} ms; in a kept child: {best['child']:.3f} ms")
    extra_ms = best["child"] - best["thread"]
    print(f"beyond a thread: {extra_ms:.3f} ms, aim {AIM_MS:g}: {'reached' if extra_ms <= AIM_MS else 'NOT reached'}")

    for name, source in HOSTILE.items():
        pairs = [neighbour_rates(neighbours, source) for _ in range(rounds * 2)]
        share = statistics.median(beside / fair for fair, beside in pairs)
        fair, beside = (statistics.median(rates) for rates in zip(*pairs, strict=True))
        reached = "reached" if share >= AIM_SHARE else "NOT reached"
        print(f"a neighbour that {name}: {beside:.0f} of {fair:.0f} jobs per second; share {share:.2f}: {reached}")
    kept.close()
    neighbours.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
