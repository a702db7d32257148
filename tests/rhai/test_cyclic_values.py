"""A value that contains itself is refused where it would cross between Rhai and Python, and harms nothing."""

from __future__ import annotations

from typing import Any

import pytest

import rhai

#: A map with a closure that captures it, a closure that captures itself, and these deeper in a value.
CYCLES = [
    "let a = #{}; a.me = || a; a",
    "let f = (); let g = || f; f = g; g",
    "let a = #{}; a.me = || a; [1, #{b: a}]",
    "let a = #{}; let b = #{}; a.b = || b; b.a = || a; a",
]
DEEP = "the value is nested deeper than 500 levels"


@pytest.fixture
def engine() -> rhai.Engine:
    return rhai.Engine(limits=rhai.Limits(timeout_s=600, memory_bytes=64 << 20))


@pytest.mark.parametrize("script", CYCLES)
def test_result_that_contains_itself_is_a_conversion_error(engine: rhai.Engine, script: str) -> None:
    with pytest.raises(rhai.RhaiConversionError) as caught:
        engine.eval(script)
    assert caught.value.message == DEEP
    assert engine.eval("40 + 2") == 42


@pytest.mark.parametrize("script", CYCLES)
def test_argument_that_contains_itself_is_refused_and_the_script_can_catch_it(engine: rhai.Engine, script: str) -> None:
    taken: list[Any] = []
    engine.register("take", taken.append)
    statements, _, value = script.rpartition("; ")
    source = f'{statements}; let said = "taken"; try {{ take({value}); }} catch {{ said = "refused"; }} said'
    assert engine.eval(source) == "refused"
    assert taken == []


def test_script_can_print_write_and_throw_such_a_value(engine: rhai.Engine) -> None:
    run = rhai.Run()
    assert "shared" in engine.eval("let a = #{n: 1}; a.me = || a; print(a); a.to_json()", run=run)
    assert run.output.startswith("#{")
    with pytest.raises(rhai.RhaiRuntimeError) as caught:
        engine.eval("let a = #{}; a.me = || a; throw a")
    assert caught.value.kind == "ErrorRuntime"


def test_value_of_python_that_contains_itself_is_refused_with_the_path(engine: rhai.Engine) -> None:
    items: list[Any] = []
    items.append(items)
    mapping: dict[str, Any] = {}
    mapping["a"] = mapping
    engine.register("give", lambda: items)
    with pytest.raises(rhai.RhaiConversionError, match=r"constant x\[0\]\[0\]"):
        engine.eval("x", constants={"x": items})
    with pytest.raises(rhai.RhaiConversionError, match=r'constant x\["a"\]\["a"\]'):
        engine.eval("x", constants={"x": mapping})
    with pytest.raises(rhai.RhaiConversionError, match=r"\[0\]\[0\]"):
        engine.eval("give()")
