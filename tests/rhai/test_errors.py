"""Errors of scripts: class, kind, place, calls, and how they print."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import rhai


@pytest.mark.parametrize(
    ("script", "kind", "line", "column"),
    [
        ("let x = 1;\n  y + 1", "ErrorVariableNotFound", 2, 3),
        ("foo(1)", "ErrorFunctionNotFound", 1, 1),
        ("1 / 0", "ErrorArithmetic", 1, 3),
        ("let a = [1];\na[5]", "ErrorArrayBounds", 2, 3),
        ('let s = "x"; s[7]', "ErrorStringBounds", 1, 16),
        ("fn f() { const X = 1; X.y = 2 } f()", "ErrorDotExpr", 1, 25),
        ("throw 5", "ErrorRuntime", 1, 1),
        ("let x = 5; for i in x { }", "ErrorFor", 1, 21),
        ("let x = #{}; x.a.b.c", "ErrorDotExpr", 1, 18),
        ('import "nothing" as n;', "ErrorModuleNotFound", 1, 8),
        ("fn f() { this } f()", "ErrorUnboundThis", 1, 10),
    ],
)
def test_the_error_of_a_script_says_what_failed_and_where(
    engine: rhai.Engine, script: str, kind: str, line: int, column: int
) -> None:
    with pytest.raises(rhai.RhaiError) as caught:
        engine.eval(script)

    error = caught.value
    assert (error.kind, error.line, error.column) == (kind, line, column)
    assert error.source_line == script.splitlines()[line - 1]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("let x = ", "UnexpectedEOF"),
        ("let x 5", "MissingToken"),
        ("fn f { }", "FnMissingParams"),
        ("break", "LoopBreak"),
        ('"open', "BadInput"),
        ("let let = 1", "VariableExpected"),
        ("const X = 1; X = 2", "AssignmentToConstant"),
    ],
)
def test_a_parse_error_has_its_kind_and_source(engine: rhai.Engine, script: str, kind: str) -> None:
    with pytest.raises(rhai.RhaiParseError) as caught:
        engine.compile(script, name="bad.rhai")

    assert caught.value.kind == kind
    assert caught.value.line == 1
    assert caught.value.source == "bad.rhai"


def test_an_error_lists_the_calls_that_led_to_it(engine: rhai.Engine) -> None:
    script = engine.compile("fn inner(x) { x / 0 }\nfn outer() { inner(1) }\nouter();", name="calls.rhai")
    with pytest.raises(rhai.RhaiRuntimeError) as caught:
        engine.eval(script)

    error = caught.value
    assert error.function == "inner"
    assert error.source == "calls.rhai"
    assert error.frames == (
        rhai.Frame("outer", "calls.rhai", 3, 1),
        rhai.Frame("inner", "calls.rhai", 2, 14),
    )


def test_an_error_prints_the_line_like_a_compiler(engine: rhai.Engine) -> None:
    script = engine.compile("fn f() {\n\tlet a = nope + 1;\n}\nf()", name="job.rhai")
    with pytest.raises(rhai.RhaiRuntimeError) as caught:
        engine.eval(script)

    assert str(caught.value) == (
        "Variable not found: nope\n"
        " --> job.rhai:2:10\n"
        "  |\n"
        "2 | \tlet a = nope + 1;\n"
        "  | \t        ^\n"
        " in call of f at job.rhai:4:1"
    )


@pytest.mark.parametrize(
    ("script", "value"),
    [("throw 42", 42), ('throw #{code: 7, why: "x"}', {"code": 7, "why": "x"}), ("throw", None)],
)
def test_the_error_has_the_value_that_the_script_threw(engine: rhai.Engine, script: str, value: Any) -> None:
    with pytest.raises(rhai.RhaiRuntimeError) as caught:
        engine.eval(script)

    assert caught.value.value == value
    assert caught.value.kind == "ErrorRuntime"


def test_a_script_may_exit_with_a_value_from_anywhere(engine: rhai.Engine) -> None:
    assert engine.eval("fn f() { exit(7) } f(); 1") == 7


def test_errors_can_be_pickled(engine: rhai.Engine) -> None:
    with pytest.raises(rhai.RhaiRuntimeError) as caught:
        engine.eval("fn f() { throw 42 } f()")

    back = pickle.loads(pickle.dumps(caught.value))
    assert type(back) is rhai.RhaiRuntimeError
    assert vars(back) == vars(caught.value)
    assert str(back) == str(caught.value)


def test_every_error_is_a_rhai_error_with_every_attribute() -> None:
    for name in ("Parse", "Runtime", "Limit", "Timeout", "Cancelled", "Module", "Conversion", "Internal"):
        error = getattr(rhai, f"Rhai{name}Error")("text", kind="Kind")
        assert isinstance(error, rhai.RhaiError)
        assert (error.message, error.kind, error.line, error.frames, error.value) == ("text", "Kind", None, (), None)


def test_a_timeout_says_where_the_script_was(engine: rhai.Engine) -> None:
    with pytest.raises(rhai.RhaiTimeoutError) as caught:
        engine.eval("let x = 1;\nsleep(100);", limits=rhai.Limits(timeout_s=0.01))

    assert caught.value.line == 2
    assert caught.value.message == "the script ran past its timeout"
