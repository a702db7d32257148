"""The Rhai engine under the contract, and its own features."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hero_engine.engine import Done, Failed, Limits, Script
from hero_engine.output import float_text
from hero_engine.rhai import RhaiEngine
from tests.engine.contract import EngineContract


class TestRhai(EngineContract):
    ENGINE = "rhai"
    FORTY_TWO = "40 + 2"
    FORTY_TWO_TEXT = '"42"'
    NOTHING = "let x = 1;"
    LIST = '[1, "two", true]'
    MAP = "#{a: 1}"
    CONSTANT = "fn inner() { NAME } let outer = || inner(); outer.call()"
    ASSIGN_CONSTANT = 'NAME = "two"; NAME'
    FAILING = 'let x = 1;\nthrow "no luck";'
    INVALID = "let = 1 +;"
    ENDLESS = "loop {}"
    SLEEPING = "sleep(60)"
    SAYING = 'print("hello"); 42'
    LEAVING_TRACES = 'if is_def_var("seen") { 2 } else { let seen = 1; seen }'


RHAI = RhaiEngine()


def evaluate(source: str, **constants: object) -> Done | Failed:
    outcome = RHAI.run(Script(source=source), constants=constants, limits=Limits(timeout_s=300), run=RHAI.new_run())
    assert isinstance(outcome, Done | Failed)
    return outcome


@pytest.mark.parametrize(
    ("source", "output", "output_json"),
    [
        ("true", "true", "true"),
        ("-7", "-7", "-7"),
        ("1.0", "1.0", "1.0"),
        ("0.1 + 0.2", "0.30000000000000004", "0.30000000000000004"),
        ("'x'", "x", None),
        ('""', "", None),
        ("[]", "[]", "[]"),
        ('#{b: [1, #{c: ()}], a: "ä"}', '{"a":"ä","b":[1,{"c":null}]}', '{"a":"ä","b":[1,{"c":null}]}'),
        ('parse_decimal("1.10")', "1.10", "1.10"),
        ("blob(3, 7)", "[7,7,7]", "[7,7,7]"),
    ],
)
def test_result_as_text_and_json(source: str, output: str, output_json: str | None) -> None:
    assert evaluate(source) == Done(output, output_json)


@given(st.floats())
def test_float_is_written_as_rhai_writes_it(value: float) -> None:
    shown = evaluate("X.to_string()", X=value)
    written = float_text(value)

    assert isinstance(shown, Done)
    if shown.output != written:
        # If two shortest forms are equally near, Rust chooses one and Python the other.
        assert len(shown.output) == len(written)
        assert float(shown.output) == value
    if math.isfinite(value):
        assert float(written) == value


@example(562949953421312.2)
@example(1e13)
@example(-1e-13)
@given(st.floats())
def test_float_has_the_same_form_as_in_rhai(value: float) -> None:
    shown = evaluate("X.to_string()", X=value)

    assert isinstance(shown, Done)
    assert re.sub(r"\d", "0", shown.output) == re.sub(r"\d", "0", float_text(value))


def test_result_that_is_nested_too_deeply_for_json_is_a_failure() -> None:
    outcome = evaluate("let a = []; for i in 0..400 { a = [a]; } a")

    assert isinstance(outcome, Failed)


def test_limit_of_operations_ends_the_script() -> None:
    limits = Limits(timeout_s=300, operations=1000)

    outcome = RHAI.run(Script(source="loop {}"), constants={}, limits=limits, run=RHAI.new_run())

    assert isinstance(outcome, Failed)


def test_cache_of_limits_stays_small_when_every_job_has_another_timeout() -> None:
    for number in range(1000):
        limits = Limits(timeout_s=30 + number)
        run = RHAI.new_run()
        assert RHAI.run(Script(source="1"), constants={}, limits=limits, run=run) == Done("1", "1")
    assert len(RHAI._limits_cache) <= 256
