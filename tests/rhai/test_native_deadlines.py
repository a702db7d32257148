"""The deadline holds within each built-in function, however large its arguments are.

The functions come from the engine itself, so one that a new version brings is tested as well. CPU time never exceeds
elapsed time, so the CPU time of a run beyond its timeout is time that the deadline was missed by, and a busy machine
makes it smaller. It is compared with the CPU time that a fixed script takes on the same machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

import rhai
from tests.rhai.bounds import GUARD_S
from tests.rhai.operators import names_in, slowest_statements

pytestmark = pytest.mark.timeout(20 * GUARD_S)

#: Arguments by type. `strings` holds one long text many times, which a comparison reads each time.
ARGUMENTS = {
    "string": ("text", "other"),
    "array": ("strings", "strings"),
    "map": ("texts", "texts"),
    "blob": ("bytes", "bytes"),
    "dynamic": ("text", "other"),
    "i64": ("1000", "1000"),
    "f64": ("2.5", "2.5"),
    "decimal": ('parse_decimal("79.5")', 'parse_decimal("1.000001")'),
    "char": ("'q'", "'q'"),
    "bool": ("true", "true"),
    "()": ("()", "()"),
    "function": ("|a, b| 1", "|a, b| 1"),
    "range": ("0..900_000", "0..900_000"),
    "inclusive range": ("0..=900_000", "0..=900_000"),
    "timestamp": ("timestamp()", "timestamp()"),
}
LARGE = {"string", "array", "map", "blob"}
#: What these do with a large argument is to end the run, to wait, or to stop nothing.
LEFT_OUT = {"sleep", "exit", "print", "debug"}

SETUP = """
let text = "ab"; text.pad(4_000_000, "ab"); let other = text + "y"; text += "x";
let strings = []; strings.pad(100_000, text); strings.push(other);
let texts = #{}; for i in 0..2_000 { texts[`${i}`] = text; }
let bytes = blob(4_000_000, 97);
"""

CHILD = textwrap.dedent("""
    import json, sys, time
    import rhai

    calls = json.load(sys.stdin)
    engine = rhai.Engine(cached_scripts=0)
    limits = rhai.Limits(memory_bytes=256 << 20)

    def cpu(script, **more):
        start, run = time.thread_time(), rhai.Run()
        try:
            engine.eval(script, limits=limits.replace(**more), run=run)
        except rhai.RhaiError:
            pass
        return time.thread_time() - start

    unit = min(cpu("let i = 0; while i < 300_000 { i += 1 }") for _ in range(3))
    made, missed = {}, {}
    for setup, call in calls:
        if setup not in made:
            made[setup] = min(cpu(setup) for _ in range(2))
        # The deadline comes when the call has begun, on a machine that is not busy; otherwise it comes earlier.
        timeout_s = 3 * made[setup] + 0.01
        missed[call] = cpu(f"{setup} loop {{ try {{ {call}; }} catch {{ }} }}", timeout_s=timeout_s) - timeout_s
    print(json.dumps([unit, missed]))
""")


def _call(name: str, types: list[str]) -> str | None:
    """A call of a function with large arguments, or `None` if it takes none."""
    if name in LEFT_OUT or not LARGE.intersection(types) or any(kind not in ARGUMENTS for kind in types):
        return None
    arguments = [ARGUMENTS[kind][0 if index == 0 else 1] for index, kind in enumerate(types)]
    if name.startswith("get$") and len(arguments) == 1:
        return f"{arguments[0]}.{name.removeprefix('get$')}"
    if name.isidentifier():
        return f"{name}({', '.join(arguments)})"
    if (len(arguments) == 2 and "$" not in name and not name.endswith("=")) or name in {"==", "!=", "<=", ">="}:
        return f"{arguments[0]} {name} {arguments[1]}"
    return None


def late(calls: list[tuple[str, str]]) -> dict[str, float]:
    """The calls, each after its setup, that miss the deadline clearly.

    By how much, in units of 10 ms on a machine where an operation takes 30 ns.
    """
    child = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        timeout=18 * GUARD_S,
        check=False,
    )

    assert child.returncode == 0, child.stderr
    unit, missed = json.loads(child.stdout)
    return {call: by / unit for call, by in missed.items() if by > 12 * unit}


#: Larger values than those of `SETUP`, because the operators of the crate are faster than functions.
OPERANDS = {
    "text": 'let text = ""; text.pad(24_000_000, "ab");',
    "bytes": "let bytes = blob(24_000_000, 97);",
    "items": "let items = []; items.pad(1_500_000, 1);",
    "table": "let table = #{}; for i in 0..60_000 { table[`${i}`] = i }",
}


def test_no_operator_or_statement_misses_the_deadline() -> None:
    calls = [call for call in slowest_statements() if "fn " not in call]

    assert late([("".join(OPERANDS[name] for name in names_in(call)), call) for call in calls]) == {}


def test_no_function_misses_the_deadline() -> None:
    calls = {call for name, types in rhai.builtin_functions() if (call := _call(name, types))}
    assert {"strings.len", "contains(strings, other)", "sort(strings)", "text == other"} <= calls
    assert len(calls) > 100

    assert late([(SETUP, call) for call in sorted(calls)]) == {}
