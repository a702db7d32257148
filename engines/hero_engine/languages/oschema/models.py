"""Checks objects with the types of a schema, by validators of pydantic that are made from it. Pure.

The functions for scripts, the RPC and `heroctl osis import` check every object here before it is stored. Invariant: an
object that passes is JSON and has exactly the fields of its type. Nothing is made, and pydantic is not imported, before
the first object of a schema comes. The validators are made of pydantic-core's parts: classes would be slower to make,
and their attributes would clash with the names of fields, such as `copy`.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from hero_engine.languages.oschema.errors import ObjectMalformed
from hero_engine.languages.oschema.resolve import target
from hero_engine.languages.oschema.schema import (
    INTEGER_RANGES,
    TIME_NAMES,
    ListType,
    LiteralType,
    MapType,
    NamedType,
    OSchema,
    PrimitiveType,
    RecordType,
    SchemaField,
    TupleType,
    TypeDefinition,
    TypeExpression,
    UnionType,
)

if TYPE_CHECKING:
    from pydantic_core import CoreSchema, SchemaValidator, ValidationError

_MAX_PROBLEMS: Final = 10
#: Levels of lists and objects within an object.
MAX_DEPTH: Final = 100
_WANTED: Final = {
    "string_type": "must be text", "int_type": "must be a whole number", "float_type": "must be a number",
    "bool_type": "must be true or false", "list_type": "must be a list", "dict_type": "must be an object",
    "tuple_type": "must be a list", "finite_number": "must be a finite number", "too_short": "has too few values",
    "too_long": "has too many values",
}  # fmt: skip
_SHOWN: Final = {str: "text", bool: "true or false", int: "a whole number", float: "a number", list: "a list",
                 dict: "an object", type(None): "nothing"}  # fmt: skip


class ObjectTypes:
    """The types of one schema. Threads may share it.

    Args:
        schema: The schema.
    """

    def __init__(self, schema: OSchema) -> None:
        self.schema = schema
        self._roots = schema.roots
        self._validators: dict[str, SchemaValidator] = {}

    @property
    def names(self) -> list[str]:
        """The types whose objects are stored, as functions spell them."""
        return list(self._roots)

    def indexed(self, type_name: str) -> tuple[str, ...]:
        """The fields of a type that `find` looks into."""
        return tuple(one.name for one in self.fields(type_name) if one.indexed)

    def fields(self, type_name: str) -> tuple[SchemaField, ...]:
        """The fields of a type.

        Raises:
            ObjectMalformed: There is no such type.
        """
        kind = self._definition(type_name).type
        assert isinstance(kind, RecordType)
        return kind.fields

    def is_map(self, field: SchemaField) -> bool:
        """Whether a field holds names and values."""
        return isinstance(target(field.type, self.schema.definitions), MapType)

    def is_list(self, field: SchemaField) -> bool:
        """Whether a field holds a list."""
        return isinstance(target(field.type, self.schema.definitions), ListType)

    def new(self, type_name: str) -> dict[str, Any]:
        """Make the fields of a new object: the defaults of its type. Optional fields without one are left out."""
        made: dict[str, Any] = self._default(self._definition(type_name).type)
        return made

    def check(self, type_name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Check an object.

        Args:
            type_name: Its type.
            fields: Its fields, without `sid`. Those that are missing get their defaults.

        Returns:
            The fields as they are stored: times in UTC, empty optional fields left out.

        Raises:
            ObjectMalformed: The object does not fit its type; names each wrong field.
        """
        from pydantic_core import ValidationError

        definition = self._definition(type_name)
        check_depth(type_name, fields)
        try:
            checked: dict[str, Any] = self._validator(definition).validate_python(dict(fields))
        except ValidationError as e:
            raise ObjectMalformed(type_name, _problems(e, [one.name for one in self.fields(type_name)])) from None
        return checked

    def _definition(self, type_name: str) -> TypeDefinition:
        try:
            return self._roots[type_name]
        except KeyError:
            known = ", ".join(self._roots) or "none"
            raise ObjectMalformed(type_name, (f"there is no type '{type_name:.80}'; the types are {known}",)) from None

    # -- defaults ------------------------------------------------------------------------------------------------------

    def _default(self, kind: TypeExpression) -> Any:
        kind = target(kind, self.schema.definitions)
        match kind:
            case RecordType(fields=fields):
                return {
                    one.name: self._default(one.type) if one.default is None else one.default
                    for one in fields
                    if one.name != "sid" and (one.default is not None or not one.optional)
                }
            case LiteralType(value=value):
                return value
            case UnionType(variants=variants):
                return self._default(variants[0])
            case ListType():
                return []
            case TupleType(items=items):
                return [self._default(one) for one in items]
            case PrimitiveType(name=name):
                return _default_of(name)
        return {}

    # -- validators ----------------------------------------------------------------------------------------------------

    def _validator(self, definition: TypeDefinition) -> SchemaValidator:
        found = self._validators.get(definition.name)
        if found is None:
            from pydantic_core import SchemaValidator, core_schema

            parts: dict[str, CoreSchema] = {}
            whole = self._part(definition.type, parts, root=True)
            whole = core_schema.definitions_schema(whole, list(parts.values()))
            found = self._validators[definition.name] = SchemaValidator(whole)
        return found

    def _part(self, kind: TypeExpression, parts: dict[str, CoreSchema], *, root: bool = False) -> CoreSchema:
        """Translate a type.

        Args:
            kind: The type.
            parts: Receives the objects that it names; they may contain themselves in a list.
            root: The type is the stored object itself, whose `sid` is kept apart.
        """
        from pydantic_core import core_schema as core

        match kind:
            case NamedType(name=name):
                named = self.schema.definitions[name].type
                if not isinstance(named, RecordType):
                    return self._part(named, parts)
                if name not in parts:
                    parts[name] = core.any_schema()  # while its own fields are translated
                    parts[name] = {**self._part(named, parts), "ref": name}
                return core.definition_reference_schema(name)
            case RecordType(fields=fields):
                members = {one.name: self._member(one, parts) for one in fields if not (root and one.name == "sid")}
                record = core.typed_dict_schema(members, extra_behavior="forbid", strict=True)
                if any(one.optional for one in fields):
                    return core.no_info_after_validator_function(_without_nothing, record)
                return record
            case LiteralType(value=value):
                return _one_of([value])
            case UnionType(variants=variants):
                values = [one.value for one in variants if isinstance(one, LiteralType)]
                if len(values) == len(variants):
                    return _one_of(values)
                choices = core.union_schema([self._part(one, parts) for one in variants])
                return core.custom_error_schema(
                    choices, "no_variant", custom_error_message="fits none of the types that are allowed"
                )
            case ListType(item=item):
                return core.list_schema(self._part(item, parts), strict=True)
            case MapType(key=key, value=value):
                keys: CoreSchema = core.str_schema(strict=True)
                if key != "str":
                    keys = core.no_info_after_validator_function(_key_check(*INTEGER_RANGES[key]), keys)
                return core.dict_schema(keys, self._part(value, parts), strict=True)
            case TupleType(items=items):
                places = core.tuple_schema([self._part(one, parts) for one in items], strict=False)
                return core.no_info_after_validator_function(list, places)
            case PrimitiveType(name=name):
                return _primitive(name)

    def _member(self, one: SchemaField, parts: dict[str, CoreSchema]) -> Any:
        from pydantic_core import core_schema as core

        part = self._part(one.type, parts)
        if one.optional:
            part = core.nullable_schema(part)
        if one.default is not None:
            part = core.with_default_schema(part, default=one.default)
        elif not one.optional:
            part = core.with_default_schema(part, default_factory=lambda: self._default(one.type))
        return core.typed_dict_field(part, required=False)


def check_depth(type_name: str, fields: object) -> None:
    """Refuse what is nested too deeply, before anything walks through it recursively.

    Args:
        type_name: For the error.
        fields: The object.

    Raises:
        ObjectMalformed: It has more than `MAX_DEPTH` levels.
    """
    level: list[object] = [fields]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ObjectMalformed(type_name, (f"it has more than {MAX_DEPTH} levels of lists and objects",))


def time_text(value: object) -> str:
    """Write a time as it is stored: ISO 8601 in UTC.

    Args:
        value: ISO 8601, or seconds since 1970.

    Raises:
        ValueError: It is neither, or has no time zone.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        try:
            return _utc(datetime.fromtimestamp(value, UTC))
        except (OverflowError, ValueError, OSError):
            raise ValueError("is not a time between the years 1 and 9999") from None
    if isinstance(value, str) and len(value) <= 40:
        try:
            parsed = datetime.fromisoformat(value)
            return _utc(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            pass
    raise ValueError('must be a time: text such as "2026-11-29T08:00:00Z" (UTC if it names no zone), or seconds')


def _utc(moment: datetime) -> str:
    text = moment.astimezone(UTC).isoformat()
    return text.removesuffix("+00:00") + "Z"


def _default_of(primitive: str) -> Any:
    if primitive in TIME_NAMES:
        return _utc(datetime.now(UTC).replace(microsecond=0))
    if primitive in INTEGER_RANGES:
        return 0
    return {"bool": False, "f32": 0.0, "f64": 0.0, "any": None}.get(primitive, "")


def _without_nothing(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _primitive(name: str) -> CoreSchema:
    from pydantic_core import core_schema as core

    if name in INTEGER_RANGES:
        return core.no_info_after_validator_function(_range_check(*INTEGER_RANGES[name]), core.int_schema(strict=True))
    if name in TIME_NAMES:
        return core.no_info_plain_validator_function(_custom(time_text))
    if name == "any":
        return core.no_info_plain_validator_function(_custom(_json))
    if name == "bool":
        return core.bool_schema(strict=True)
    if name in ("f32", "f64"):
        return core.float_schema(strict=True, allow_inf_nan=False)
    return core.str_schema(strict=True)


def _one_of(values: list[Any]) -> CoreSchema:
    from pydantic_core import core_schema as core

    allowed = {(type(value), value) for value in values}
    shown = ", ".join(json.dumps(value) for value in values)

    def check(value: Any) -> Any:
        if (type(value), value) in allowed if isinstance(value, str | int | float) else False:
            return value
        raise ValueError(f"must be one of {shown:.400}")

    return core.no_info_plain_validator_function(_custom(check))


def _custom(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let a check report its problem in its own words."""

    def checked(value: Any) -> Any:
        from pydantic_core import PydanticCustomError

        try:
            return check(value)
        except ValueError as e:
            raise PydanticCustomError("own", "{text}", {"text": str(e)}) from None

    return checked


def _range_check(least: int, most: int) -> Callable[[int], int]:
    def check(number: int) -> int:
        if not least <= number <= most:
            raise ValueError(f"out of range [{least}, {most}]")
        return number

    return _custom(check)


def _key_check(least: int, most: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not re.fullmatch("0|-?[1-9][0-9]{0,18}", text) or not least <= int(text) <= most:
            raise ValueError(f"its name must be a whole number in [{least}, {most}]")
        return text

    return _custom(check)


def _json(value: Any) -> Any:
    """Refuse what JSON cannot hold; `check_depth` has bounded the depth."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError("must be a finite number")
        return value
    if isinstance(value, list):
        return [_json(one) for one in value]
    if isinstance(value, dict):
        return {str(name): _json(one) for name, one in value.items()}
    raise ValueError(f"holds a {type(value).__name__}, which cannot be stored")


def _problems(error: ValidationError, names: list[str]) -> tuple[str, ...]:
    problems: list[str] = []
    found = error.errors(include_url=False)
    for one in found[:_MAX_PROBLEMS]:
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in one["loc"]).removeprefix(".")
        if one["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(one["loc"][-1]), names, 1)
            problems.append(f"Field '{place:.200}' is unknown" + (f"; did you mean '{near[0]}'?" if near else ""))
            continue
        text = _WANTED.get(one["type"], one["msg"])
        if one["type"] in _WANTED and one["type"].endswith("_type"):
            text += f", not {_SHOWN.get(type(one['input']), type(one['input']).__name__)}"
        problems.append(f"Field '{place:.200}' {text}")
    if len(found) > _MAX_PROBLEMS:
        problems.append(f"and {len(found) - _MAX_PROBLEMS} more problems")
    return tuple(problems)
