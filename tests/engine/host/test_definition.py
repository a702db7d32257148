"""What a definition of a function says to scripts, and which definitions are refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict

import pytest

from hero_engine.host.call import Call
from hero_engine.host.definition import Family, FunctionMalformed


class Size(TypedDict):
    """A map with known entries."""

    width: int


@pytest.mark.parametrize(
    ("hint", "shown", "takes", "refuses"),
    [
        (int, "int", [1], ["1", 1.0]),
        (float, "float", [1, 1.0], ["1"]),
        (str | None, "string | ()", ["x", None], [1]),
        (Any, "any", [1, "x", None, []], []),
        (object, "any", [1, "x"], []),
        (int | Any, "int | any", [1, "x"], []),
        (Literal["a", "b"], '"a" | "b"', ["a", "other text"], [1]),
        (Sequence[str], "array", [["x"]], [{}]),
        (tuple[int, ...], "array", [[1]], [1]),
        (Mapping[str, int], "map", [{}], [[]]),
        (Size, "map", [{}], [[]]),
        (Callable[[int], int], "function", [print, 1], []),
    ],
)
def test_hint_decides_what_scripts_may_pass_and_what_they_are_told(
    hint: Any, shown: str, takes: list[object], refuses: list[object]
) -> None:
    def function(value: Any, call: Call, more: int = 0) -> Any:
        """Do something."""

    function.__annotations__["value"] = hint
    function.__annotations__["return"] = hint
    family = Family("f", "A family.")
    family.function()(function)

    (defined,) = family.functions
    assert defined.signature == f"function(value: {shown}, more?: int) -> {shown}"
    assert (defined.takes_call, defined.least) == (1, 1)
    classes = defined.parameters[0].classes
    assert all(classes is None or type(value) in classes for value in takes)
    assert classes is None or all(type(value) not in classes for value in refuses)


def undocumented(value: int) -> None:
    pass


def without_hint(value) -> None:  # type: ignore[no-untyped-def]
    """Lack a hint."""


def by_keyword(*, value: int) -> None:
    """Take a keyword."""


def any_number(*values: int) -> None:
    """Take any number of arguments."""


def another_call(call: int) -> None:
    """Use the name of the call for something else."""


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (undocumented, "it needs a docstring"),
        (without_hint, "the parameter value needs a type hint"),
        (by_keyword, "by position only, not value"),
        (any_number, "by position only, not values"),
        (another_call, "the parameter call is the run's Call"),
    ],
)
def test_function_that_no_script_can_call_is_refused(function: Callable[..., Any], complaint: str) -> None:
    with pytest.raises(FunctionMalformed, match=complaint):
        Family("f", "A family.").function()(function)


def test_handle_offers_its_public_methods_and_shows_no_address() -> None:
    family = Family("f", "A family.")

    @family.handle
    class Query:
        def _inside(self) -> None:
            pass

        def and_(self, other: Query) -> Query:
            """Join two.

            Example:
                a.and(b)
            """
            return self

    (method,) = family.functions
    assert (method.signature, method.example) == ("and(self: Query, other: Query) -> Query", "a.and(b)")
    assert repr(Query()) == "<Query>"


def test_handle_keeps_a_text_of_its_own_and_may_be_no_dataclass() -> None:
    family = Family("f", "A family.")

    @family.handle
    class Shown:
        def __repr__(self) -> str:
            return "shown"

    assert repr(Shown()) == "shown"
    with pytest.raises(FunctionMalformed, match="reaches a script as a map"):
        family.handle(dataclasses.make_dataclass("Point", ["x"]))
