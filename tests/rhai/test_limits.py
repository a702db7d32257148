"""Limits: timeout, cancel, operations, call levels, nesting."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import rhai
from tests.rhai.bounds import GUARD_S

ENDLESS = [
    "loop {}",
    "while true {}",
    "fn f() { loop { } } f()",
    "let n = 0; for i in 0..9_000_000_000_000 { n += 1 }",
    "[1].for_each(|| { loop {} })",
    "loop { [3, 1, 2].sort(|a, b| a - b) }",
    "loop { try { throw 1 } catch { } }",
    "try { loop {} } catch { 1 }",
]
SLEEPING = [
    "sleep(1e30)",
    "sleep(3600)",
    "sleep(9_223_372_036_854_775_807)",
    "loop { sleep(0.0001) }",
    "[1].map(|x| sleep(60))",
]


@pytest.mark.parametrize("script", ENDLESS + SLEEPING)
def test_an_endless_script_ends_at_its_timeout(engine: rhai.Engine, script: str) -> None:
    started = time.monotonic()
    with pytest.raises(rhai.RhaiTimeoutError) as caught:
        engine.eval(script, limits=rhai.Limits(timeout_s=0.05))

    assert 0.05 <= time.monotonic() - started < GUARD_S
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.kind == "ErrorTerminated"


@pytest.mark.parametrize("script", ENDLESS + SLEEPING)
def test_an_endless_script_ends_when_another_thread_cancels_it(
    engine: rhai.Engine, script: str, threads: ThreadPoolExecutor
) -> None:
    run, started = rhai.Run(), threading.Event()
    future = threads.submit(engine.eval, f'print("on"); {script}', run=run, on_print=lambda text, at: started.set())
    assert started.wait(GUARD_S)

    run.cancel()
    with pytest.raises(rhai.RhaiCancelledError):
        future.result(GUARD_S)
    assert run.cancelled


def test_a_run_that_is_cancelled_before_it_starts_does_nothing(engine: rhai.Engine) -> None:
    run, printed = rhai.Run(), []
    run.cancel()
    with pytest.raises(rhai.RhaiCancelledError):
        engine.eval('print("here"); 1', run=run, on_print=lambda text, at: printed.append(text))

    assert printed == []


def test_a_run_serves_one_evaluation(engine: rhai.Engine) -> None:
    run = rhai.Run()
    assert engine.eval("1", run=run) == 1
    with pytest.raises(RuntimeError, match="one evaluation"):
        engine.eval("1", run=run)


def test_cancelling_a_run_that_has_ended_changes_nothing(engine: rhai.Engine) -> None:
    run = rhai.Run()
    assert engine.eval("1", run=run) == 1
    run.cancel()


@pytest.mark.parametrize("script", ["sleep(0)", "sleep(-1)", "sleep(0.0)", "sleep(0.001)", "sleep(-1e30)"])
def test_a_short_sleep_returns_unit(engine: rhai.Engine, script: str) -> None:
    assert engine.eval(script) is None


#: Makes a string whose buffer grows beyond a mebibyte within one operation.
GROW = '{ let text = "x"; text.pad(3_000_000, "x"); }'
#: Scripts that a thread runs one after the other. In the others, the second growth follows after more operations each.
GROWING = [[GROW, GROW, "sleep({pause_s})", GROW]]
GROWING += [[f"{GROW} sleep({{pause_s}}); let n = 0; {'n += 1; ' * number} {GROW}"] for number in range(7)]


def test_time_between_two_operations_that_grow_buffers_is_not_taken_for_slow_work(
    engine: rhai.Engine, threads: ThreadPoolExecutor
) -> None:
    def is_in_time(scripts: list[str], pause_s: float) -> bool:
        """Whether all scripts ran to their end. Only a machine that is busy may prevent that."""
        timeout_s = 1.8 * pause_s
        for script in scripts:
            run = rhai.Run()
            source = script.replace("{pause_s}", str(pause_s))
            try:
                engine.eval(source, limits=rhai.Limits(timeout_s=timeout_s), run=run)
            except rhai.RhaiTimeoutError:
                assert run.usage.elapsed_s >= timeout_s, "it was ended before its time"
                return False
        return True

    for pause_s in (1.0, 4.0, 16.0, 64.0):
        running = [threads.submit(is_in_time, scripts, pause_s) for scripts in GROWING]
        if {one.result(4 * GUARD_S) for one in running} == {True}:
            return
    pytest.fail("the machine is too busy")


def test_operations_are_counted_in_callbacks_too(engine: rhai.Engine) -> None:
    script = "let a = []; for i in 0..1000 { a.push(i) } a.map(|x| { let n = 0; for i in 0..1000 { n += i } n }).len"
    with pytest.raises(rhai.RhaiLimitError) as caught:
        engine.eval(script, limits=rhai.Limits(operations=100_000))

    assert caught.value.kind == "ErrorTooManyOperations"


def test_usage_counts_the_operations_exactly_up_to_the_limit(engine: rhai.Engine) -> None:
    run = rhai.Run()
    with pytest.raises(rhai.RhaiLimitError):
        engine.eval("loop {}", limits=rhai.Limits(operations=12_345), run=run)

    assert run.usage.operations == 12_345


def test_a_stop_that_a_callback_swallows_still_ends_the_script(engine: rhai.Engine) -> None:
    script = "let a = [1, 2, 3]; a.dedup(|x, y| { let n = 0; for i in 0..100_000 { n += 1 } true }); 5"
    with pytest.raises(rhai.RhaiLimitError):
        engine.eval(script, limits=rhai.Limits(operations=1_000))


def test_deep_recursion_of_a_script_is_a_limit_error(engine: rhai.Engine) -> None:
    with pytest.raises(rhai.RhaiLimitError) as caught:
        engine.eval("fn f(n) { f(n + 1) } f(0)")

    assert caught.value.kind == "ErrorStackOverflow"


def test_calls_may_be_nested_as_deeply_as_the_limit_says(engine: rhai.Engine) -> None:
    script = "fn f(n) { if n == 0 { 0 } else { f(n - 1) } } f(20)"
    assert engine.eval(script, limits=rhai.Limits(call_levels=22)) == 0
    with pytest.raises(rhai.RhaiLimitError):
        engine.eval(script, limits=rhai.Limits(call_levels=20))


def test_an_expression_nested_too_deeply_does_not_parse(engine: rhai.Engine) -> None:
    with pytest.raises(rhai.RhaiParseError) as caught:
        engine.compile("(" * 100_000 + "1" + ")" * 100_000)

    assert caught.value.kind == "ExprTooDeep"


@pytest.mark.parametrize(
    "bad",
    [
        {"timeout_s": 0},
        {"timeout_s": -1},
        {"timeout_s": math.nan},
        {"operations": 0},
        {"memory_bytes": 0},
        {"expr_depth": 0},
        {"string_bytes": 0},
    ],
)
def test_an_invalid_limit_is_refused_and_named(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        rhai.Limits(**bad)


def test_limits_are_values() -> None:
    limits: Any = rhai.Limits(timeout_s=2.5, operations=10)

    assert limits == rhai.Limits(operations=10, timeout_s=2.5)
    assert hash(limits) == hash(limits.replace())
    assert limits.replace(timeout_s=None) == rhai.Limits(operations=10)
    assert "timeout_s=2.5, operations=10, memory_bytes=None" in repr(limits)
    with pytest.raises(TypeError, match="seconds"):
        limits.replace(seconds=1)
    with pytest.raises(AttributeError):
        limits.timeout_s = 3


def test_an_endless_timeout_is_no_timeout(engine: rhai.Engine) -> None:
    assert engine.eval("1", limits=rhai.Limits(timeout_s=math.inf)) == 1


@pytest.mark.parametrize("script", ["loop {}", "sleep(3600)"])
def test_ctrl_c_ends_a_script_on_the_main_thread(script: str) -> None:
    # A shell that starts the tests in the background makes its children ignore SIGINT, so the child sets the handler.
    code = (
        "import rhai, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "print('on', flush=True)\n"
        f"rhai.Engine().eval({script!r})\n"
    )
    arguments = [sys.executable, "-c", code]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "on\n"
            child.send_signal(signal.SIGINT)
            _, stderr = child.communicate(timeout=GUARD_S)
        finally:
            child.kill()

    assert "KeyboardInterrupt" in stderr


def test_the_interpreter_exits_while_a_daemon_thread_runs_a_script() -> None:
    code = (
        "import rhai, threading\n"
        "on = threading.Event()\n"
        "script = 'print(1); loop {}'\n"
        "eval = lambda: rhai.Engine().eval(script, on_print=lambda text, at: on.set())\n"
        "threading.Thread(target=eval, daemon=True).start()\n"
        "on.wait()\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=GUARD_S, check=False).returncode == 0
