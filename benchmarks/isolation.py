"""Measures `isolation = "process"`: its cost for each job, and what a hostile neighbour takes from the other lanes.

    .venv/bin/python -m benchmarks.isolation             about two minutes
    .venv/bin/python -m benchmarks.isolation --rounds 1  a quick run

It uses the engines as an actor does, one thread per lane, without a store. All that is compared is measured in turn in
the same run, so that other load on the machine hits both sides.

Cost: the same short script in the engine in threads, and in a kept child process.

Neighbour: one lane runs short scripts, and its jobs are counted while another lane runs hostile ones one after another.
The comparison is the same lane beside a process outside of the actor that only computes: that takes what the kernel's
scheduler would give to any neighbour, so the ratio shows what the neighbour takes beyond its share of the cores.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from benchmarks.figures.crashing import CRASH
from benchmarks.figures.machine import describe_machine
from hero_engine.engine import Done, Engine, Limits, Script
from hero_engine.isolated import IsolatedEngine, IsolationSettings
from hero_engine.registry import load_engine

SHORT = "let total = 0; for n in 0..100 { total += n; } total"
RUNS = 2000
LANE_S = 2.0
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


def mean_ms(engine: Engine) -> float:
    """Measure the mean time of one short job, in milliseconds."""
    began = time.perf_counter()
    for _ in range(RUNS):
        assert isinstance(run(engine, SHORT), Done)
    return (time.perf_counter() - began) / RUNS * 1000


def jobs_per_s(engine: Engine) -> float:
    """Measure how many short jobs one lane runs in a second."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < LANE_S:
        run(engine, SHORT)
        count += 1
    return count / (time.perf_counter() - began)


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
    rounds: int = parser.parse_args(argv).rounds
    print(describe_machine())
    settings = IsolationSettings()
    threads, kept = load_engine("rhai"), IsolatedEngine("rhai", settings)
    neighbours = IsolatedEngine("benchmarks.figures.crashing:CrashingEngine", settings)
    for engine in (threads, kept, neighbours):
        run(engine, SHORT)

    pairs = [(mean_ms(threads), mean_ms(kept)) for _ in range(rounds)]
    extra_ms = [in_child - in_thread for in_thread, in_child in pairs]
    print(f"a short job in a thread: {statistics.median(p[0] for p in pairs):.3f} ms")
    print(f"the same in a kept child: {statistics.median(p[1] for p in pairs):.3f} ms")
    print(verdict("beyond a thread, in ms", statistics.median(extra_ms), AIM_MS, better=lambda a, b: a <= b))

    shares: dict[str, list[float]] = {name: [] for name in HOSTILE}
    rates: dict[str, list[float]] = {name: [] for name in (*HOSTILE, "outside")}
    for _ in range(rounds):
        for name, source in HOSTILE.items():
            with computing_process():
                fair = jobs_per_s(neighbours)
            with hostile_lane(neighbours, source):
                beside = jobs_per_s(neighbours)
            rates["outside"].append(fair)
            rates[name].append(beside)
            shares[name].append(beside / fair)
    print(f"jobs per second of a lane beside a process outside: {statistics.median(rates['outside']):.0f}")
    for name, values in shares.items():
        title = f"beside a neighbour that {name}: {statistics.median(rates[name]):.0f}, share"
        print(verdict(title, statistics.median(values), AIM_SHARE, better=lambda a, b: a >= b))
    kept.close()
    neighbours.close()
    return 0


def verdict(title: str, value: float, aim: float, *, better: Callable[[float, float], bool]) -> str:
    """Return the line of a figure with its aim."""
    return f"{title}: {value:.3f}, aim {aim:g}: {'reached' if better(value, aim) else 'NOT reached'}"


if __name__ == "__main__":
    sys.exit(main())
