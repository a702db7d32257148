"""Objects are checked with their types, field by field."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hero_engine.languages.oschema.errors import ObjectMalformed
from hero_engine.languages.oschema.models import MAX_DEPTH, ObjectTypes
from hero_engine.languages.oschema.resolve import read_schema
from tests.engine.languages.oschema.schemas import FIELDS, written

TYPES = ObjectTypes(
    read_schema(
        {
            "": """
    Level: u8 = 1 | 2 | 3
    Thing = {
        sid: str
        title: str @index
        level: Level
        small: i8 = 5
        ratio: f32
        on: bool
        at: time
        tags: [str]
        counts: {str: u16}
        rows: {u8: str}
        kids: [Thing]
        pair: (str, i64)
        either: str | [i64]
        state: "new" | "old"
        free: any
        place?: { street: str }
        copy?: str
    }
    """
        }
    )
)


def test_a_new_object_has_the_defaults_of_its_type() -> None:
    made = TYPES.new("thing")

    assert made.pop("at").endswith("Z")
    assert made == {
        "title": "", "level": 1, "small": 5, "ratio": 0.0, "on": False, "tags": [], "counts": {}, "rows": {},
        "kids": [], "pair": ["", 0], "either": "", "state": "new", "free": None,
    }  # fmt: skip
    assert TYPES.check("thing", made)["small"] == 5


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"small": 128}, "Field 'small' out of range [-128, 127]"),
        ({"counts": {"a": -1}}, "Field 'counts.a' out of range [0, 65535]"),
        ({"level": 4}, "Field 'level' must be one of 1, 2, 3"),
        ({"level": True}, "Field 'level' must be one of 1, 2, 3"),
        ({"state": "gone"}, 'Field \'state\' must be one of "new", "old"'),
        ({"title": 1}, "Field 'title' must be text, not a whole number"),
        ({"title": None}, "Field 'title' must be text, not nothing"),
        ({"on": 1}, "Field 'on' must be true or false, not a whole number"),
        ({"small": 1.5}, "Field 'small' must be a whole number, not a number"),
        ({"small": "1"}, "Field 'small' must be a whole number, not text"),
        ({"ratio": float("nan")}, "Field 'ratio' must be a finite number"),
        ({"tags": ["a", 1]}, "Field 'tags[1]' must be text, not a whole number"),
        ({"tags": "a"}, "Field 'tags' must be a list, not text"),
        ({"kids": [{"small": 300}]}, "Field 'kids[0].small' out of range [-128, 127]"),
        ({"pair": ["a"]}, "Field 'pair[1]'"),
        ({"rows": {"300": ""}}, "its name must be a whole number in [0, 255]"),
        ({"either": ["a"]}, "Field 'either' fits none of the types that are allowed"),
        ({"free": {"a": [float("inf")]}}, "Field 'free' must be a finite number"),
        ({"at": "yesterday"}, "Field 'at' must be a time"),
        ({"place": {"stret": ""}}, "Field 'place.stret' is unknown"),
        ({"title2": ""}, "Field 'title2' is unknown; did you mean 'title'?"),
        ({"sid": "abc"}, "Field 'sid' is unknown"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ObjectMalformed) as caught:
        TYPES.check("thing", fields)

    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("given_time", "stored"),
    [
        ("2026-11-29T10:00:00+02:00", "2026-11-29T08:00:00Z"),
        ("2026-11-29", "2026-11-29T00:00:00Z"),
        ("2026-11-29T10:00:00.5Z", "2026-11-29T10:00:00.500000Z"),
        (0, "1970-01-01T00:00:00Z"),
        (1.5, "1970-01-01T00:00:01.500000Z"),
    ],
)
def test_times_are_stored_in_utc(given_time: object, stored: str) -> None:
    assert TYPES.check("thing", {"at": given_time})["at"] == stored


def test_nothing_in_an_optional_field_means_that_it_is_missing() -> None:
    assert "place" not in TYPES.check("thing", {"place": None})
    assert TYPES.check("thing", {"copy": "x"})["copy"] == "x"


def test_depth_is_bounded_before_anything_recurses() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ObjectMalformed, match=f"more than {MAX_DEPTH} levels"):
        TYPES.check("thing", {"free": deep})
    while isinstance(deep, list):  # free it without recursion
        deep = deep.pop()


def test_an_unknown_type_is_named_with_the_known_ones() -> None:
    with pytest.raises(ObjectMalformed, match="there is no type 'thin'; the types are thing"):
        TYPES.check("thin", {})


@settings(max_examples=40)
@given(FIELDS)
def test_a_new_object_of_any_schema_fits_its_type_and_is_json(fields: dict[str, tuple[bool, str, str]]) -> None:
    types = ObjectTypes(read_schema({"": written(fields)}))

    checked = types.check("thing", types.new("thing"))

    assert types.check("thing", orjson.loads(orjson.dumps(checked))) == checked


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda one: st.lists(one) | st.dictionaries(st.text(), one),
)


@given(VALUES, st.sampled_from([one.name for one in TYPES.fields("thing") if one.name != "sid"]))
def test_no_value_breaks_the_check(value: object, field: str) -> None:
    try:
        checked = TYPES.check("thing", {field: value})
    except ObjectMalformed as e:
        assert e.problems
    else:
        again = TYPES.check("thing", checked)
        assert {name: one for name, one in again.items() if name != "kids"} == {
            name: one for name, one in checked.items() if name != "kids"
        }
