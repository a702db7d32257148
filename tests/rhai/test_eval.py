"""Compiling and evaluating scripts: the cache, constants, threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import rhai
from tests.rhai.bounds import GUARD_S


def test_a_script_is_evaluated_to_its_last_expression(engine: rhai.Engine) -> None:
    assert engine.eval("let x = 40; x + 2") == 42


def test_a_compiled_script_can_be_evaluated_many_times(engine: rhai.Engine) -> None:
    script = engine.compile("let n = 0; n += 1; n", name="count.rhai")

    assert [engine.eval(script) for _ in range(3)] == [1, 1, 1]
    assert (script.name, script.source) == ("count.rhai", "let n = 0; n += 1; n")


def test_a_script_that_another_engine_compiled_runs_under_the_limits_of_this_one() -> None:
    script = rhai.Engine().compile("let n = 0; loop { n += 1; }")

    with pytest.raises(rhai.RhaiLimitError):
        rhai.Engine(limits=rhai.Limits(operations=1000)).eval(script)


def test_a_source_in_the_cache_is_not_compiled_again() -> None:
    engine = rhai.Engine(cached_scripts=4)
    for source in ("1", "2", "1", "1"):
        engine.eval(source)

    assert engine.cache_info() == rhai.CacheInfo(hits=2, misses=2, size=2, capacity=4)


def test_the_cache_stays_bounded() -> None:
    engine = rhai.Engine(cached_scripts=8)
    for number in range(100):
        assert engine.eval(f"{number} + 1") == number + 1

    assert engine.cache_info().size <= 8
    engine.clear_cache()
    assert engine.cache_info().size == 0


def test_an_object_that_is_not_a_script_is_refused(engine: rhai.Engine) -> None:
    bad: Any = b"40 + 2"
    with pytest.raises(TypeError, match="bytes"):
        engine.eval(bad)


@pytest.mark.parametrize(
    "script",
    [
        "NAME",
        "fn f() { NAME } f()",
        "fn f() { g() } fn g() { NAME } f()",
        "let f = || NAME; f.call()",
        "let x = 1; let f = |y| NAME + x - y; f.call(1)",
        "[1].map(|x| NAME)[0]",
        "switch 1 { 1 => NAME }",
        'eval("NAME")',
    ],
)
def test_constants_are_visible_everywhere_in_a_script(engine: rhai.Engine, script: str) -> None:
    assert engine.eval(script, constants={"NAME": 7}) == 7


@pytest.mark.parametrize("script", ["NAME = 2", "NAME += 1", "fn f() { NAME = 2; } f()"])
def test_constants_cannot_be_assigned(engine: rhai.Engine, script: str) -> None:
    with pytest.raises(rhai.RhaiRuntimeError) as caught:
        engine.eval(script, constants={"NAME": 1})

    assert caught.value.kind == "ErrorAssignmentToConstant"


@pytest.mark.parametrize("script", ["LIST.push(4)", "LIST[0] = 9", "MAP.key = 1"])
def test_the_contents_of_a_constant_cannot_be_changed(engine: rhai.Engine, script: str) -> None:
    constants = {"LIST": [1, 2, 3], "MAP": {"key": 0}}
    with pytest.raises(rhai.RhaiRuntimeError):
        engine.eval(script, constants=constants)

    assert engine.eval("LIST + [MAP.key]", constants=constants) == [1, 2, 3, 0]


def test_constants_belong_to_one_evaluation(engine: rhai.Engine) -> None:
    assert engine.eval("NAME", constants={"NAME": 1}) == 1
    assert engine.eval("NAME", constants={"NAME": 2}) == 2
    with pytest.raises(rhai.RhaiRuntimeError):
        engine.eval("NAME")


def test_a_script_may_shadow_a_constant(engine: rhai.Engine) -> None:
    assert engine.eval("let NAME = 5; NAME", constants={"NAME": 1}) == 5


def test_the_error_names_the_constant_that_cannot_be_converted(engine: rhai.Engine) -> None:
    with pytest.raises(rhai.RhaiConversionError, match=r'constant NAME\["x"\]\[1\]'):
        engine.eval("1", constants={"NAME": {"x": [1, 1j]}})


def test_many_threads_share_one_engine_and_one_script(engine: rhai.Engine, threads: ThreadPoolExecutor) -> None:
    script = engine.compile('let s = ""; for i in 0..200 { s += `${i}-${NAME}`; } s.len')
    gate = threading.Barrier(8)

    def work(name: str) -> list[Any]:
        gate.wait(GUARD_S)
        return [engine.eval(script, constants={"NAME": name}) for _ in range(20)]

    futures = [threads.submit(work, "x" * n) for n in range(1, 9)]

    for n, future in enumerate(futures, start=1):
        assert set(future.result(GUARD_S)) == {200 * n + 690}


def test_the_interpreter_lock_is_free_while_a_script_runs(engine: rhai.Engine, threads: ThreadPoolExecutor) -> None:
    run = rhai.Run()
    future = threads.submit(engine.eval, "loop {}", run=run)

    # If the script held the lock, this thread could not cancel it.
    run.cancel()
    with pytest.raises(rhai.RhaiCancelledError):
        future.result(GUARD_S)


def test_a_callback_may_evaluate_another_script(engine: rhai.Engine) -> None:
    inner: list[Any] = []

    def on_print(text: str, at: rhai.Position) -> None:
        inner.append(engine.eval(f"{text} + 1", limits=rhai.Limits(operations=100)))

    assert engine.eval('print("41"); sleep(0.001); 7', on_print=on_print) == 7
    assert inner == [42]
