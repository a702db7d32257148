"""Python functions that scripts call, and script functions that Python calls."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import pytest

import rhai


class MineError(Exception):
    """An exception of a callback."""


def test_a_script_calls_a_function_with_as_many_arguments_as_its_signature_allows(engine: rhai.Engine) -> None:
    def add(a: int, b: int = 10) -> int:
        return a + b

    engine.register("add", add)

    assert engine.eval("[add(1), add(1, 2), 5.add(1)]") == [11, 3, 6]
    with pytest.raises(rhai.RhaiRuntimeError) as caught:
        engine.eval("add(1, 2, 3)")
    assert caught.value.kind == "ErrorFunctionNotFound"


def test_a_function_may_take_any_number_of_arguments(engine: rhai.Engine) -> None:
    engine.register("count", lambda *args: len(args))

    assert engine.eval("[count(), count(1), count(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)]") == [0, 1, 12]


def test_overloads_are_told_apart_by_annotations_and_number(engine: rhai.Engine) -> None:
    def of_int(value: int) -> str:
        return f"int {value}"

    def of_text(value: str) -> str:
        return f"str {value}"

    engine.register("show", of_int)
    engine.register("show", of_text)
    engine.register("show", lambda a, b: "two")

    assert engine.eval('[show(1), show("x"), show(1, 2)]') == ["int 1", "str x", "two"]
    with pytest.raises(rhai.RhaiRuntimeError) as caught:
        engine.eval("show(1.5)")
    assert caught.value.kind == "ErrorFunctionNotFound"


@dataclasses.dataclass
class Point:
    x: int
    y: int


def test_arguments_are_converted_by_annotation(engine: rhai.Engine) -> None:
    def types(a: float, b: Decimal, c: bytes, d: Point, e: Any) -> list[str]:
        return [type(value).__name__ for value in (a, b, c, d, e)]

    engine.register("types", types)

    assert engine.eval("types(1, 2, blob(1), #{x: 1, y: 2}, 'c')") == ["float", "Decimal", "bytes", "Point", "str"]


@pytest.mark.parametrize("script", ['half("x")', "half([])", "half(())"])
def test_an_argument_of_the_wrong_type_is_a_type_error(engine: rhai.Engine, script: str) -> None:
    def half(value: float) -> float:
        return value / 2

    engine.register("half", half)
    with pytest.raises(TypeError, match="argument 1 must be float"):
        engine.eval(script)


def test_an_exception_comes_out_as_the_same_object_with_the_frames_of_the_script(engine: rhai.Engine) -> None:
    error = MineError("boom")

    def fail() -> None:
        raise error

    engine.register("fail", fail)
    script = engine.compile("fn f() { fail() }\nf()", name="job.rhai")
    with pytest.raises(MineError) as caught:
        engine.eval(script)

    assert caught.value is error
    assert vars(error)["rhai_position"] == rhai.Position("job.rhai", 1, 10)
    assert vars(error)["rhai_frames"] == (rhai.Frame("f", "job.rhai", 2, 1),)
    assert "job.rhai:1:10" in error.__notes__[0]


def test_a_script_catches_an_exception_and_may_throw_it_again(engine: rhai.Engine) -> None:
    def fail() -> None:
        raise MineError("boom")

    engine.register("fail", fail)

    caught = "let r = (); try { fail() } catch (e) { r = [e.kind, e.message, `${e}`] } r"
    assert engine.eval(caught) == ["MineError", "boom", "MineError: boom"]
    with pytest.raises(MineError):
        engine.eval("try { fail() } catch (e) { throw e }")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_error_that_is_not_an_exception_ends_the_run_and_passes_through(
    engine: rhai.Engine, error: type[BaseException]
) -> None:
    def stop() -> None:
        raise error

    engine.register("stop", stop)
    with pytest.raises(error):
        engine.eval("try { stop() } catch { } loop { }")


def test_a_callback_can_ask_how_much_time_is_left(engine: rhai.Engine) -> None:
    left: list[float | None] = []
    engine.register("note", lambda: left.append(rhai.remaining_s()))

    engine.eval("note()", limits=rhai.Limits(timeout_s=20))
    engine.eval("note()", limits=rhai.Limits())

    assert left[0] is not None
    assert 0 < left[0] <= 20
    assert left[1] is None
    assert rhai.remaining_s() is None


def test_an_evaluation_in_a_callback_cannot_outlive_the_one_around_it(engine: rhai.Engine) -> None:
    engine.register("nested", lambda: engine.eval("loop {}", limits=rhai.Limits(timeout_s=3600)))
    with pytest.raises(rhai.RhaiTimeoutError):
        engine.eval("nested()", limits=rhai.Limits(timeout_s=0.05))


def test_a_function_in_a_module_is_called_by_its_path() -> None:
    engine = rhai.Engine(functions={"one": lambda: 1})
    engine.register_module("calc", {"twice": lambda x: 2 * x})
    engine.register("thrice", lambda x: 3 * x, module="calc")

    assert engine.eval("calc::twice(one()) + calc::thrice(2)") == 8
    with pytest.raises(rhai.RhaiRuntimeError):
        engine.eval("twice(1)")


def test_the_functions_and_closures_of_a_script_can_call_a_function(engine: rhai.Engine) -> None:
    engine.register("one", lambda: 1)

    assert engine.eval("fn f() { one() } let g = || one() + f(); g.call()") == 2


@pytest.mark.parametrize(
    ("name", "function", "error"),
    [
        ("a b", len, ValueError),
        ("", len, ValueError),
        ("1x", len, ValueError),
        ("f", 5, TypeError),
        ("f", lambda *, key: key, TypeError),
        ("f", lambda a, b, c, d, e, f, g, h, i, j, k, m, n: 0, TypeError),
    ],
)
def test_a_function_that_a_script_cannot_call_is_refused(
    engine: rhai.Engine, name: str, function: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        engine.register(name, function)


def test_a_closure_of_a_script_is_a_python_callable(engine: rhai.Engine) -> None:
    times = engine.eval("let n = 3; |x| x * n")

    assert isinstance(times, rhai.Function)
    assert [times(1), times(5)] == [3, 15]
    with pytest.raises(rhai.RhaiRuntimeError):
        times("x", "y", "z")


def test_a_function_pointer_sees_the_functions_and_constants_of_its_script(engine: rhai.Engine) -> None:
    f = engine.eval('fn g(x) { x + NAME } fn f(x) { g(x) } Fn("f")', constants={"NAME": 40})

    assert (f.name, f(2)) == ("f", 42)


def test_a_callback_may_call_the_closure_that_it_was_given(engine: rhai.Engine) -> None:
    engine.register("apply", lambda function, value: function(value))

    assert engine.eval("let k = 40; apply(|x| x + k, 2)") == 42


def test_a_python_function_may_be_a_value_of_a_script(engine: rhai.Engine) -> None:
    assert engine.eval("[1, 2].map(F)", constants={"F": lambda x: x + 1}) == [2, 3]


def test_call_runs_a_function_without_the_body_of_its_script(engine: rhai.Engine) -> None:
    run = rhai.Run()
    script = engine.compile('print("body"); fn add(a, b) { print("add"); a + b + NAME } fn none() { }')

    assert engine.call(script, "add", 1, 2, constants={"NAME": 39}, run=run) == 42
    assert run.output == "add\n"
    assert engine.call(script, "none") is None
    with pytest.raises(rhai.RhaiRuntimeError) as caught:
        engine.call(script, "add", 1)
    assert caught.value.kind == "ErrorFunctionNotFound"
    with pytest.raises(rhai.RhaiTimeoutError):
        engine.call("fn f() { loop {} }", "f", limits=rhai.Limits(timeout_s=0.02))


def test_definitions_name_each_function(engine: rhai.Engine) -> None:
    def add(a: int, b: float) -> float:
        """Add two numbers."""
        return a + b

    engine.register("add", add)

    assert "/// Add two numbers.\nfn add(a: int, b: float) -> float;\n" in engine.definitions()


def test_a_check_finds_syntax_errors_and_undefined_names(engine: rhai.Engine) -> None:
    assert engine.check("let x = 1; x + NAME", constants=["NAME"]) == []
    assert [(d.kind, d.line, d.column) for d in engine.check("let x = 1;\nx + y")] == [("VariableUndefined", 2, 5)]
    found = engine.check("let x = ;")
    assert [(d.kind, d.source_line) for d in found] == [("BadInput", "let x = ;")]


def test_a_callback_may_evaluate_the_script_that_called_it(engine: rhai.Engine) -> None:
    # The inner runs use compiled forms of their own. A closure works with each of them, no matter which run made it.
    script = engine.compile("fn add(n) { |x| x + n + next(n) } add(DEPTH)")
    made: list[Any] = []

    def next_level(depth: int) -> int:
        if depth < 10:
            made.append(engine.eval(script, constants={"DEPTH": depth + 1}))
            return int(made[-1](0))
        return 0

    engine.register("next", next_level)

    assert engine.eval(script, constants={"DEPTH": 0})(100) == 100 + sum(range(11))
    assert len(made) == 10


def test_a_closure_that_outlives_its_run_keeps_what_it_has_captured(engine: rhai.Engine) -> None:
    kept: list[Any] = []
    engine.register("keep", kept.append)
    engine.eval("let n = 40; let f = |x| { n += x; n }; keep(f); 1")
    inside = engine.eval("let n = 40; let f = |x| n + x; #{list: [f]}")["list"][0]

    assert (kept[0](1), kept[0](1), inside(2)) == (41, 42, 42)
