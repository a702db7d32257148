"""Converts parameters to dataclasses and back: a field gets the parameter of the same name. Pure.

Source: HeroScript specification, section 5, Struct mapping.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from datetime import UTC, datetime
from typing import Any, TypeVar

from hero_engine.languages.heroscript.params.params import Params
from hero_engine.languages.heroscript.playbook.export import export_one_line
from hero_engine.languages.heroscript.text.errors import ParamError

T = TypeVar("T")

# The value of a field without a default if its parameter is missing.
_ZERO: dict[Any, Any] = {str: "", int: 0, float: 0.0, bool: False}


def decode_params(params: Params, kind: type[T]) -> T:
    """Make an object of a dataclass.

    Args:
        params: The parameters.
        kind: A dataclass. Its fields are str, int, float, bool, datetime, lists of str, int or bool, or dataclasses,
            which are parsed from the parameter's value as a block of its own.

    Returns:
        The object. A field whose parameter is missing has its default, or else the zero value of its type.

    Raises:
        ParamError: A value does not fit its field.
        TypeError: `kind` is not a dataclass, or has a field of another type. This is a mistake of the program.
    """
    if not dataclasses.is_dataclass(kind):
        raise TypeError(f"{kind.__name__} is not a dataclass")
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        if not field.init:
            continue
        hint = _without_none(hints[field.name])
        if params.exists(field.name):
            values[field.name] = _read(params, field.name, hint)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            values[field.name] = _zero(hint, hints[field.name])
    return typing.cast(T, kind(**values))


def encode_params(value: object) -> Params:
    """Convert an object of a dataclass to parameters: the inverse of `decode_params`.

    Args:
        value: The object. Empty texts, empty lists and None are not written.

    Raises:
        TypeError: It is not an object of a dataclass.
    """
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{value!r} is not an object of a dataclass")
    params = Params()
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if item is None or item in ("", []):
            continue
        params.set(field.name, _write(item))
    return params


def _read(params: Params, key: str, hint: Any) -> Any:
    if hint is str:
        return params.get(key)
    if hint is bool:
        return params.get_default_true(key)
    if hint is int:
        # Python's int stands for both int and u32 of the reference, so it accepts everything that fits 64 bits.
        numbers = params.get_list_i64(key)
        if len(numbers) != 1:
            raise ParamError(f"Parameter {key} is not one integer", place=params.place_of(key), text=params.get(key))
        return numbers[0]
    if hint is float:
        return params.get_float(key)
    if hint is datetime:
        return datetime.fromtimestamp(params.get_time(key), UTC)
    if typing.get_origin(hint) is list:
        (item,) = typing.get_args(hint)
        getter = {str: params.get_list, int: params.get_list_i64, bool: params.get_list_bool}.get(item)
        if getter is not None:
            return getter(key)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return decode_params(params.get_params(key), hint)
    raise TypeError(f"a field of type {hint} cannot be filled from params: {key}")


def _write(item: Any) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, datetime):
        return item.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(item, list):
        texts = [_write(part) for part in item]
        return ",".join(f'"{text}"' if " " in text else text for text in texts)
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        return export_one_line(encode_params(item))
    return str(item)


def _zero(hint: Any, declared: Any) -> Any:
    if declared is not hint:
        return None
    if typing.get_origin(hint) is list:
        return []
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return decode_params(Params(), hint)
    return datetime.fromtimestamp(0, UTC) if hint is datetime else _ZERO.get(hint)


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        rest = [part for part in typing.get_args(hint) if part is not type(None)]
        return rest[0] if len(rest) == 1 else hint
    return hint
