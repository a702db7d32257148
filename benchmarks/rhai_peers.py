"""Measures the tasks of `rhai_binding.py` with bindings of other languages.

`rhai_binding.py` runs this program in an environment that has the bindings. It prints one JSON object: microseconds by
binding and task. A binding that is not installed is left out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

CALLS = 100_000


def best_us(function: Callable[[], Any], count: int = 1, repeat: int = 5) -> float:
    """The time of one call in microseconds: the best of `repeat` averages over `count` calls."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        for _ in range(count):
            function()
        times.append((time.perf_counter() - start) / count)
    return min(times) * 1e6


def measure_lupa() -> dict[str, float]:
    import lupa

    lua = lupa.LuaRuntime()
    call = lua.eval(f"function(f) for i = 1, {CALLS} do f(i) end end")
    recursion = "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end return fib(28)"
    fib = lua.eval(f"function() {recursion} end")
    loop = lua.eval("function() local x = 1000000 while x > 0 do x = x - 1 end return x end")
    return {
        "eval": best_us(lambda: lua.eval("1+1"), 20_000),
        "call": best_us(lambda: call(lambda x: x)) / CALLS,
        "fib": best_us(fib),
        "loop": best_us(loop),
    }


def measure_quickjs() -> dict[str, float]:
    import quickjs

    context = quickjs.Context()
    context.add_callable("f", lambda x: x)
    fib = "(function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) })(28)"
    return {
        "eval": best_us(lambda: context.eval("1+1"), 20_000),
        "call": best_us(lambda: context.eval(f"for (let i = 0; i < {CALLS}; i++) f(i)")) / CALLS,
        "fib": best_us(lambda: context.eval(fib)),
        "loop": best_us(lambda: context.eval("{ let x = 1000000; while (x > 0) x -= 1; }")),
    }


def measure_starlark() -> dict[str, float]:
    import starlark

    names = starlark.Globals.standard()

    def run(source: str) -> Any:
        module = starlark.Module()
        module.add_callable("f", lambda x: x)
        return starlark.eval(module, starlark.parse("bench.star", source), names)

    # Starlark has neither recursion (for `fib`) nor `while`.
    return {
        "eval": best_us(lambda: run("1+1"), 5_000),
        "call": best_us(lambda: run(f"def g():\n  for i in range({CALLS}):\n    f(i)\ng()")) / CALLS,
        "loop": best_us(lambda: run("def g():\n  x = 0\n  for i in range(1000000):\n    x += 1\ng()")),
    }


def main() -> None:
    measured = {}
    tasks = {"lupa": measure_lupa, "quickjs": measure_quickjs, "starlark-pyo3": measure_starlark}
    for name, measure in tasks.items():
        try:
            measured[name] = measure()
        except ImportError:
            continue
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
