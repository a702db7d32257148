"""A call of a client whose operation is imported when somebody first asks for the call.

Most programs submit jobs and wait for them. So they, and most commands of `heroctl`, do not pay for the lists, the
explanations and the history, whose types take longer to import than a submission.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

S = TypeVar("S")
P = ParamSpec("P")
T = TypeVar("T")


class Later(Generic[S, P, T]):
    """Stands in a class for a method until somebody looks at it; then the method takes its place.

    Args:
        make: Makes the method.
    """

    def __init__(self, make: Callable[[], Callable[Concatenate[S, P], T]]) -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner = owner
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[Concatenate[S, P], T]: ...

    @overload
    def __get__(self, instance: S, owner: type) -> Callable[P, T]: ...

    def __get__(self, instance: Any, owner: type) -> Any:
        made = self._make()
        setattr(self._owner, self._name, made)
        # Not by name: a class that overrides the method asks for this one by `super()`.
        return made if instance is None else MethodType(made, instance)
