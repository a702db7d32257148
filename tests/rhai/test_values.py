"""Conversion of values, from Python to scripts and back."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import math
import types
import typing
from decimal import Decimal
from typing import Any

import pytest

import rhai

ROUND_TRIPS: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**63 - 1,
    -(2**63),
    0.0,
    1.5,
    math.inf,
    Decimal("0.10"),
    Decimal("79228162514264337593543950335"),
    Decimal("-1.0000000000000000000000000001"),
    "",
    "text",
    "gr\u00fc\u00dfe \U0001f980\0end",
    b"",
    bytes(range(256)),
    [],
    [1, [2, [3, "x", None]]],
    {},
    {"a": 1, "": {"b": [True, b"x"]}},
]


@pytest.mark.parametrize("value", ROUND_TRIPS, ids=repr)
def test_a_value_survives_the_round_trip(engine: rhai.Engine, value: Any) -> None:
    back = engine.eval("V", constants={"V": value})

    assert back == value
    assert type(back) is type(value)


def test_nan_survives_the_round_trip(engine: rhai.Engine) -> None:
    assert math.isnan(engine.eval("V", constants={"V": math.nan}))


@pytest.mark.parametrize(
    ("value", "type_of"),
    [
        (None, "()"),
        (True, "bool"),
        (1, "i64"),
        (1.0, "f64"),
        (Decimal(1), "decimal"),
        ("a", "string"),
        (b"a", "blob"),
        ([1], "array"),
        ((1,), "array"),
        ({"a": 1}, "map"),
        (bytearray(b"a"), "blob"),
        (types.MappingProxyType({"a": 1}), "map"),
        (collections.OrderedDict(a=1), "map"),
    ],
)
def test_a_python_value_has_the_matching_type_in_a_script(engine: rhai.Engine, value: Any, type_of: str) -> None:
    assert engine.eval("type_of(V)", constants={"V": value}) == type_of


@pytest.mark.parametrize(
    ("script", "value"),
    [
        ("'x'", "x"),
        ("()", None),
        ("[1, 2.5, 'c', \"s\", #{a: [()]}]", [1, 2.5, "c", "s", {"a": [None]}]),
        ("#{b: 1, a: 2}", {"a": 2, "b": 1}),
        ("blob(3, 7)", b"\x07\x07\x07"),
        ('parse_decimal("1.10")', Decimal("1.10")),
        ("let x = 1; let f = || x += 1; f.call(); [x]", [2]),
        ("let x", None),
    ],
)
def test_a_result_becomes_the_matching_python_value(engine: rhai.Engine, script: str, value: Any) -> None:
    assert engine.eval(script) == value


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (2**63, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        (Decimal("79228162514264337593543950336"), "96 bits"),
        (Decimal("1.00000000000000000000000000001"), "96 bits"),
        (Decimal("NaN"), "96 bits"),
        (Decimal("Infinity"), "96 bits"),
        ("\ud800", "surrogate"),
        ({1: 2}, "not a string"),
        ({"\udc00": 2}, "surrogate"),
        (datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "datetime"),
        (datetime.timedelta(1), "timedelta"),
        (1j, "complex"),
        ({1, 2}, "set"),
    ],
)
def test_a_value_without_a_counterpart_is_refused(engine: rhai.Engine, value: Any, says: str) -> None:
    with pytest.raises(rhai.RhaiConversionError, match=says) as caught:
        engine.eval("1", constants={"V": value})

    assert isinstance(caught.value, ValueError)


def test_a_decimal_with_an_exponent_is_converted_exactly(engine: rhai.Engine) -> None:
    assert engine.eval("V", constants={"V": Decimal("1E+3")}) == 1000
    assert engine.eval("V", constants={"V": Decimal("2E-8")}) == Decimal("0.00000002")


def test_an_object_passes_through_unchanged(engine: rhai.Engine) -> None:
    value = object()
    script = "let list = [V]; fn same(x) { x } `${type_of(same(V))} ${V == list[0]}`"

    assert engine.eval("let list = [V]; list[0]", constants={"V": value}) is value
    assert engine.eval(script, constants={"V": value}) == "object true"


@dataclasses.dataclass
class Point:
    x: int
    label: str


class Model:
    """A class with the attributes by which the conversion recognises pydantic models."""

    model_fields: typing.ClassVar[dict[str, Any]] = {}

    def model_dump(self) -> dict[str, Any]:
        return {"a": [1]}


def test_dataclasses_and_models_become_maps(engine: rhai.Engine) -> None:
    assert engine.eval("V.x + V.label.len", constants={"V": Point(40, "ab")}) == 42
    assert engine.eval("V", constants={"V": [Model()]}) == [{"a": [1]}]


def test_ranges_stay_ranges(engine: rhai.Engine) -> None:
    assert engine.eval("[0..3, 1..=3]") == [range(3), range(1, 4)]
    assert engine.eval("let n = 0; for i in V { n += i } n", constants={"V": range(5)}) == 10
    assert engine.eval("V", constants={"V": range(0, 10, 3)}) == [0, 3, 6, 9]


def test_a_timestamp_can_go_back_into_a_script(engine: rhai.Engine) -> None:
    moment = engine.eval("timestamp()")

    assert isinstance(moment, rhai.Timestamp)
    assert moment.elapsed_s >= 0
    assert engine.eval("V.elapsed >= 0.0", constants={"V": moment})


def test_a_list_that_holds_itself_is_refused(engine: rhai.Engine) -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(rhai.RhaiConversionError, match="deeper than"):
        engine.eval("V", constants={"V": loop})


def test_a_result_nested_too_deeply_is_refused(engine: rhai.Engine) -> None:
    with pytest.raises(rhai.RhaiConversionError, match="deeper than"):
        engine.eval("let a = 1; for i in 0..600 { a = [a] } a")


def test_a_result_nested_deeply_is_converted(engine: rhai.Engine) -> None:
    value, depth = engine.eval("let a = 1; for i in 0..400 { a = [a] } a"), 0
    while isinstance(value, list):
        value, depth = value[0], depth + 1

    assert (value, depth) == (1, 400)
