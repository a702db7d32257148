"""Builds the objects that travel as results from records that have attributes of the same names. Pure."""

from __future__ import annotations

from typing import Any, TypeVar, cast

S = TypeVar("S")


def view_of(shape: type[S], source: object, **other: Any) -> S:
    """Build an object of a shape.

    Args:
        shape: A TypedDict.
        source: Has an attribute for each field of the shape that is not among the others.
        other: Fields that are not simply an attribute of the source.
    """
    fields = {name: other[name] if name in other else getattr(source, name) for name in shape.__annotations__}
    return cast(S, fields)
