"""Measures the speed of the wheel `rhai-py`, against the Rhai crate alone and beside bindings of other languages.

Prints a table of what is measured and what is required, then the same tasks with the other bindings (the peers). The
native program is built from `engines/rhai-py/native` with the release profile of the wheel. The peers
get their own environment below `.bench/`, which this script creates.

Usage: `python benchmarks/rhai_binding.py [--quick] [--no-peers]`. The exit status is 1 if a requirement is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rhai

ROOT = Path(__file__).resolve().parents[1]
CRATE = ROOT / "engines" / "rhai-py"
BENCH = ROOT / ".bench"
PEER_PROGRAM = Path(__file__).with_name("rhai_peers.py")
PEERS = ("lupa", "quickjs", "starlark-pyo3")

SCRIPTS = {
    "fib(28)": "fn fib(n) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } } fib(28)",
    "1M loop": "let x = 1_000_000; while x > 0 { x -= 1; } x",
    "primes": """
        const MAX = 200_000;
        let sieve = [];
        sieve.pad(MAX + 1, true);
        let total = 0;
        for p in 2..=MAX {
            if !sieve[p] { continue; }
            total += 1;
            let i = 2 * p;
            while i <= MAX { sieve[i] = false; i += p; }
        }
        total""",
    "matrix product": """
        fn matrix(n) {
            let m = [];
            for i in 0..n {
                let row = [];
                for j in 0..n { row.push((i - j) * (i + j) / n); }
                m.push(row);
            }
            m
        }
        fn product(a, b, n) {
            let c = [];
            for i in 0..n {
                let row = [];
                for j in 0..n {
                    let s = 0;
                    for k in 0..n { s += a[i][k] * b[k][j]; }
                    row.push(s);
                }
                c.push(row);
            }
            c
        }
        const N = 60;
        let p = product(matrix(N), matrix(N), N);
        p[N / 2][N / 2]""",
}


def best_us(function: Callable[[], Any], count: int = 1, repeat: int = 5) -> float:
    """The time of one call in microseconds: the best of `repeat` averages over `count` calls."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        for _ in range(count):
            function()
        times.append((time.perf_counter() - start) / count)
    return min(times) * 1e6


class Native:
    """The Rhai crate alone, through the program `engines/rhai-py/native`."""

    def __init__(self) -> None:
        build = ["cargo", "build", "--quiet", "--locked", "--release", "--package", "native"]
        subprocess.run(build, cwd=CRATE, check=True)
        target = Path(os.environ.get("CARGO_TARGET_DIR", CRATE / "target"))
        self.program = target / "release" / "native"

    def time_us(self, script: str, count: int) -> float:
        """The best time of one evaluation in microseconds, of `count` evaluations."""
        with tempfile.NamedTemporaryFile("w", suffix=".rhai") as file:
            file.write(script)
            file.flush()
            done = subprocess.run(
                [self.program, "--time", str(count), file.name], check=True, capture_output=True, text=True
            )
        return float(done.stdout)


def ratio(engine: rhai.Engine, native: Native, script: str, limits: rhai.Limits, repeat: int) -> float:
    """Time through the package divided by time with the crate alone.

    Takes the best of alternating runs, because a busy machine slows down both.
    """
    program = engine.compile(script)
    ours, theirs = float("inf"), float("inf")
    for _ in range(repeat):
        theirs = min(theirs, native.time_us(script, 2))
        ours = min(ours, best_us(lambda: engine.eval(program, limits=limits), 1, 2))
    return ours / theirs


def callback_us(engine: rhai.Engine) -> float:
    """The time of one call from a script into Python and back, in microseconds."""
    engine.register("f", lambda x: x)
    count = 100_000
    loop = engine.compile(f"let i = 0; while i < {count} {{ i += 1; }}")
    calls = engine.compile(f"let i = 0; while i < {count} {{ f(i); i += 1; }}")
    return (best_us(lambda: engine.eval(calls)) - best_us(lambda: engine.eval(loop))) / count


def two_threads(engine: rhai.Engine, repeat: int) -> float:
    """How much more work two threads do than one, in the same time."""
    script = engine.compile(SCRIPTS["fib(28)"])

    def both() -> None:
        threads = [threading.Thread(target=lambda: engine.eval(script)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return max(2 * best_us(lambda: engine.eval(script), 1, 2) / best_us(both, 1, 2) for _ in range(repeat))


def timeout_late_ms(engine: rhai.Engine) -> float:
    """How long after its timeout a script ends at worst, in milliseconds."""
    worst = 0.0
    for script in ("loop {}", "sleep(60)", "let a = []; a.pad(100_000, 1); loop { let b = a; }"):
        start = time.perf_counter()
        try:
            engine.eval(script, limits=rhai.Limits(timeout_s=0.1))
        except rhai.RhaiTimeoutError:
            worst = max(worst, time.perf_counter() - start - 0.1)
    return worst * 1e3


def cancel_late_ms(engine: rhai.Engine) -> float:
    """How long after `cancel` a script ends at worst, in milliseconds."""
    worst = 0.0
    for script in ("loop {}", "sleep(60)"):
        run, at = rhai.Run(), [0.0]

        def cancel(run: rhai.Run = run, at: list[float] = at) -> None:
            at[0] = time.perf_counter()
            run.cancel()

        timer = threading.Timer(0.1, cancel)
        timer.start()
        try:
            engine.eval(script, run=run)
        except rhai.RhaiCancelledError:
            worst = max(worst, time.perf_counter() - at[0])
        timer.join()
    return worst * 1e3


def growth_kib(engine: rhai.Engine, count: int) -> float:
    """How much the resident memory grows over `count` evaluations, in KiB."""
    script = engine.compile("let a = [1, `${NAME}`, #{x: 2}]; a.len()")
    constants = {"NAME": "a constant that is longer than what is kept inline"}

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4

    for _ in range(10_000):
        engine.eval(script, constants=constants)
    before = resident()
    for _ in range(count):
        engine.eval(script, constants=constants)
    return resident() - before


def peers() -> dict[str, dict[str, float]]:
    """Run `rhai_peers.py` in its environment; returns its measurements."""
    folder = BENCH / "rhai-peers"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    for peer in PEERS:
        # A peer without a wheel for this Python is left out of the table.
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--only-binary=:all:", peer], check=False)
    done = subprocess.run([python, PEER_PROGRAM], check=True, capture_output=True, text=True)
    found: dict[str, dict[str, float]] = json.loads(done.stdout)
    return found


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="measure with fewer repetitions")
    options.add_argument("--no-peers", action="store_true", help="do not measure the other bindings")
    chosen = options.parse_args()
    repeat = 2 if chosen.quick else 5
    engine, native = rhai.Engine(), Native()
    plain = rhai.Limits(timeout_s=60, operations=10**12)
    budget = plain.replace(memory_bytes=256 << 20)

    one_plus_one = engine.compile("1 + 1")
    above = best_us(lambda: engine.eval(one_plus_one), 50_000) - native.time_us("1 + 1", 50_000)
    rows = [("cached 1 + 1, above the native evaluation", f"{above:.2f} us", "<= 5 us", above <= 5)]
    callback = callback_us(engine)
    rows.append(("call into Python and back", f"{callback:.2f} us", "<= 1.5 us", callback <= 1.5))
    for name, script in SCRIPTS.items():
        for label, limits, most in (("", plain, 1.15), (", memory budget on", budget, 1.3)):
            value = ratio(engine, native, script, limits, repeat)
            rows.append((f"{name} against native{label}", f"{value:.2f}x", f"<= {most}x", value <= most))
    threads = two_threads(engine, repeat)
    rows.append(("two threads against one", f"{threads:.2f}x", ">= 1.8x", threads >= 1.8))
    for name, late in (("timeout", timeout_late_ms(engine)), ("cancel", cancel_late_ms(engine))):
        rows.append((f"{name} takes effect after", f"{late:.1f} ms", "<= 10 ms", late <= 10))
    count = 100_000 if chosen.quick else 1_000_000
    grown = growth_kib(engine, count)
    rows.append((f"growth over {count:,} evaluations", f"{grown:.0f} KiB", "none (<= 256)", grown <= 256))

    print(
        f"rhai-py {rhai.__version__}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores, {platform.machine()}\n"
    )
    print(f"{'':48} {'measured':>12} {'required':>14}")
    for name, measured, required, met in rows:
        print(f"{name:48} {measured:>12} {required:>14} {'' if met else '  MISSED'}")

    if not chosen.no_peers:
        print(f"\n{'us':16} {'1+1 from source':>16} {'call to Python':>16} {'fib(28)':>12} {'1M loop':>12}")
        fib, loop = engine.compile(SCRIPTS["fib(28)"]), engine.compile(SCRIPTS["1M loop"])
        table = {
            "rhai-py": {
                "eval": best_us(lambda: engine.eval("1+1"), 20_000),
                "call": callback,
                "fib": best_us(lambda: engine.eval(fib), 1, 3),
                "loop": best_us(lambda: engine.eval(loop), 1, 3),
            },
            **peers(),
        }
        for name, row in table.items():
            cells = [f"{row[key]:.2f}" if key in row else "-" for key in ("eval", "call", "fib", "loop")]
            print(f"{name:16} {cells[0]:>16} {cells[1]:>16} {cells[2]:>12} {cells[3]:>12}")
    return 0 if all(met for *_, met in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
