"""Results of engines, as the two texts of a job."""

from __future__ import annotations

import json
from collections import OrderedDict
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hero_engine.engine import Done, Failed
from hero_engine.output import float_text, present_value

NO_SURROGATES = st.characters(exclude_categories=["Cs"])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(NO_SURROGATES),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(NO_SURROGATES, max_size=4), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(JSON_VALUES)
def test_typed_value_can_be_read_back(value: object) -> None:
    done = present_value(value)

    assert isinstance(done, Done)
    if isinstance(value, str):
        assert done == Done(value, None)
    elif value is None:
        assert done == Done("", None)
    else:
        assert json.loads(str(done.output_json)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "0.0"),
        (1e-5, "0.00001"),
        (1e12, "1000000000000.0"),
        (1e14, "1e14"),
        (1.5e300, "1.5e300"),
        (1e-14, "1e-14"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (float("nan"), "NaN"),
    ],
)
def test_float_is_written_in_rhais_form(value: float, text: str) -> None:
    assert float_text(value) == text


@pytest.mark.parametrize(
    ("value", "output", "output_json"),
    [
        (Decimal("12345678901234567890.10"), "12345678901234567890.10", "12345678901234567890.10"),
        ([Decimal("0.10")], "[0.10]", "[0.10]"),
        (b"\x00\xff", "[0,255]", "[0,255]"),
        ((1, 2), "[1,2]", "[1,2]"),
        (range(3), "[0,1,2]", "[0,1,2]"),
        (OrderedDict(b=1, a=2), '{"b":1,"a":2}', '{"b":1,"a":2}'),
        (Ellipsis, "Ellipsis", '"Ellipsis"'),
    ],
)
def test_other_types_have_a_defined_output(value: object, output: str, output_json: str) -> None:
    assert present_value(value) == Done(output, output_json)


@pytest.mark.parametrize("value", [[2**70], ["\ud800"], {"\ud800": 1}])
def test_value_that_json_cannot_represent_is_a_failure(value: object) -> None:
    assert isinstance(present_value(value), Failed)
