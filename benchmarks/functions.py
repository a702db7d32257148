"""The cost of functions for scripts: one call beside a bare callback of the wheel, and a script that uses none.

    .venv/bin/python benchmarks/functions.py

A call of a pure function should cost at most 2 us more than a bare callback of the same work.
"""

from __future__ import annotations

import statistics
import time

from hero_engine.engine import Limits, Script
from hero_engine.host.families.text import path_fix
from hero_engine.rhai import RhaiEngine

CALLS = 50_000
ROUNDS = 7
LIMITS = Limits(timeout_s=600)


def seconds(engine: RhaiEngine, source: str) -> float:
    started = time.thread_time()
    engine.run(Script(source=source), constants={}, limits=LIMITS, run=engine.new_run())
    return time.thread_time() - started


def per_call_us(engine: RhaiEngine, call: str) -> list[float]:
    source = f"let i = 0; while i < {CALLS} {{ {call}; i += 1; }}"
    seconds(engine, source)
    return [seconds(engine, source) / CALLS * 1e6 for _ in range(ROUNDS)]


def main() -> None:
    engine = RhaiEngine()
    engine._engine.register("bare_path_fix", path_fix)
    loop = statistics.median(per_call_us(engine, "i + 1"))
    bare = statistics.median(per_call_us(engine, "bare_path_fix(`a/`)"))
    function = statistics.median(per_call_us(engine, "path_fix(`a/`)"))
    print(f"bare callback {bare - loop:.2f} us, function {function - loop:.2f} us: {function - bare:.2f} us more")
    plain = min(seconds(engine, "40 + 2") for _ in range(20_000))
    print(f"a run of a script without functions: {plain * 1e6:.2f} us")


if __name__ == "__main__":
    main()
