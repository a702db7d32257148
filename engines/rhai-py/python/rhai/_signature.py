"""Reads from the signature and annotations of a Python callable which arguments it accepts.

`Engine.register` calls `describe` once per callable, never while a script runs. Invariant: a parameter without an
annotation, or with one that has no meaning for a script, accepts anything.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable
from decimal import Decimal
from typing import Any

Accepts = str | Callable[[Any], Any]

_SIMPLE = {int: "int", float: "float", str: "str", bool: "bool"}
_NAMES = {int: "int", float: "float", str: "String", bool: "bool", bytes: "Blob", list: "Array", dict: "Map"}
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def describe(name: str, function: Callable[..., Any]) -> tuple[int, int | None, list[Accepts], str, str]:
    """Describe a callable for the native module, which checks the arguments of each call.

    Args:
        name: The name by which scripts call it.
        function: The callable.

    Returns:
        The fewest arguments; the most arguments (`None`: any number); what each parameter accepts (the name of a type,
        or a function that converts the argument); the declaration for editors; the docstring.

    Raises:
        TypeError: The callable has a keyword-only parameter without a default, which a script cannot pass.
    """
    try:
        signature = inspect.signature(function)
    except ValueError:
        # Some functions written in C have no signature.
        return 0, None, [], f"{name}(...)", ""
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # noqa: BLE001 - resolving an annotation may raise anything; such a parameter accepts anything
        hints = {}
    least, most = 0, 0
    accepts: list[Accepts] = []
    shown: list[str] = []
    variadic = False
    for parameter in signature.parameters.values():
        hint = hints.get(parameter.name, parameter.annotation)
        if parameter.kind in _POSITIONAL:
            most += 1
            least += parameter.default is inspect.Parameter.empty
            accepts.append(_accepted(hint))
            shown.append(f"{parameter.name}: {_NAMES.get(hint, '?')}")
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            variadic = True
        elif parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is inspect.Parameter.empty:
            msg = f"{name}: a script cannot pass the keyword-only parameter {parameter.name}; give it a default"
            raise TypeError(msg)
    returned = _NAMES.get(hints.get("return", inspect.Signature.empty), "?")
    declaration = f"{name}({', '.join(shown)}) -> {returned}"
    return least, None if variadic else most, accepts, declaration, inspect.getdoc(function) or ""


def _accepted(hint: Any) -> Accepts:
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    if hint is Decimal:
        return _decimal
    if hint in (bytes, list, dict):
        return _instance_of(hint)
    if hint is tuple:
        return lambda value: tuple(_instance_of(list)(value))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return lambda value: hint(**_instance_of(dict)(value))
    validate = getattr(hint, "model_validate", None)
    if validate is not None:
        return typing.cast("Callable[[Any], Any]", validate)
    return "any"


def _decimal(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if type(value) is int:
        return Decimal(value)
    msg = f"must be a decimal, not {type(value).__name__}"
    raise TypeError(msg)


def _instance_of(wanted: type[Any]) -> Callable[[Any], Any]:
    def admit(value: Any) -> Any:
        if isinstance(value, wanted):
            return value
        msg = f"must be {wanted.__name__}, not {type(value).__name__}"
        raise TypeError(msg)

    return admit
