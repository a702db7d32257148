"""Functions that every object has: its fields as functions, `validate`, `json`, and the values of enumerations.

`object_family.py` adds them. Each returns a new map, because a script's map is a copy here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from hero_engine.errors import FunctionError, OverloadDeclined
from hero_engine.host.definition import Family
from hero_engine.languages.oschema.errors import ObjectMalformed
from hero_engine.languages.oschema.models import ObjectTypes

#: The entries of an object's map that are not fields. No schema can have a field of such a name.
TYPE_ENTRY: Final = "_type"
VERSION_ENTRY: Final = "_version"


def offer(family: Family, function: Callable[..., Any], text: str, *names: str) -> None:
    # A bound method takes no documentation of its own, and each name needs one.
    def offered(*arguments: Any) -> Any:
        return function(*arguments)

    offered.__doc__ = text
    offered.__wrapped__ = function  # type: ignore[attr-defined]  # its signature and hints are those of the function
    offered.__annotations__ = dict(function.__annotations__)
    for name in names:
        family.function(name, blocks=True)(offered)


def checked(types: ObjectTypes, type_name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Check the fields of a script's map.

    Raises:
        FunctionError: They do not fit the type.
    """
    fields = {name: value for name, value in given.items() if name not in ("sid", TYPE_ENTRY, VERSION_ENTRY)}
    try:
        return types.check(type_name, fields)
    except ObjectMalformed as e:
        raise FunctionError(str(e)) from e


def _type_of(types: ObjectTypes, given: dict[str, Any]) -> str:
    if TYPE_ENTRY not in given:
        # Another map, whose functions may have the same names.
        raise OverloadDeclined
    name = given[TYPE_ENTRY]
    if not isinstance(name, str) or name not in types.names:
        known = ", ".join(f"new_{one}()" for one in types.names)
        raise FunctionError(f"this map is no object; objects are made by {known}")
    return name


def add_common(family: Family, types: ObjectTypes) -> None:
    def validate(object: dict[str, Any]) -> bool:  # the name that scripts read
        checked(types, _type_of(types, object), object)
        return True

    def to_json(object: dict[str, Any]) -> str:  # as above
        fields = checked(types, _type_of(types, object), object)
        return orjson.dumps({"sid": object.get("sid", ""), **fields}).decode()

    def to_str(value: str) -> str:
        return value

    offer(
        family, validate, "Check an object against its type: true, or an error that names each wrong field.", "validate"
    )
    offer(family, to_json, "An object as JSON.", "json")
    offer(family, to_str, "The text of a value of an enumeration.", "to_str")


def add_enumeration(family: Family, name: str, values: tuple[str, ...]) -> None:
    def from_str(text: str) -> str:
        if text not in values:
            raise FunctionError(f"Invalid {name} value: {text:.80}; it is one of {', '.join(values)}")
        return text

    def all_values() -> list[str]:
        return list(values)

    def is_valid(text: str) -> bool:
        return text in values

    offer(family, from_str, f"Check a value of {name}.", f"{name}_from_str")
    offer(family, all_values, f"All values of {name}.", f"{name}_values")
    offer(family, is_valid, f"Whether a text is a value of {name}.", f"{name}_is_valid")


def add_setters(family: Family, types: ObjectTypes) -> None:
    """Offer each field as a function: `new_note().title("x").tag("project", "y")`."""
    names: dict[str, list[str]] = {}
    parts: dict[str, str] = {}
    for type_name in types.names:
        for field in types.fields(type_name):
            names.setdefault(field.name, []).append(type_name)
            if types.is_map(field) or types.is_list(field):
                parts.setdefault(_singular(field.name), field.name)
    for name in names:
        if name != "sid":
            offer(family, _setter(types, name), f"Set the field {name} of an object and return the object.", name)
    for part, name in parts.items():
        if part not in names:
            text = f"Add to the field {name} of an object and return the object: a value, or a name and a value."
            offer(family, _adder(types, name, part), text, part)


def _setter(types: ObjectTypes, field: str) -> Callable[..., Any]:
    def set_field(object: dict[str, Any], value: Any) -> dict[str, Any]:  # the name that scripts read
        type_name = _type_of(types, object)
        if all(one.name != field for one in types.fields(type_name)):
            raise FunctionError(f"a {type_name} has no field {field}")
        return {**object, field: value}

    return set_field


_NOTHING: Final = object()


def _adder(types: ObjectTypes, field: str, name: str) -> Callable[..., Any]:
    def add(object: dict[str, Any], key: Any, value: Any = _NOTHING) -> dict[str, Any]:  # as above
        type_name = _type_of(types, object)
        shape = next((one for one in types.fields(type_name) if one.name == field), None)
        now = object.get(field)
        if shape is not None and types.is_list(shape) and value is _NOTHING:
            return {**object, field: [*(now if isinstance(now, list) else []), key]}
        if shape is not None and types.is_map(shape) and isinstance(key, str) and value is not _NOTHING:
            return {**object, field: {**(now if isinstance(now, dict) else {}), key: value}}
        raise FunctionError(f"{name}() does not fit the fields of a {type_name}")

    return add


def _singular(name: str) -> str:
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name.removesuffix("s")
