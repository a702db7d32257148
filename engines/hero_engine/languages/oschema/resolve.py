"""Puts the definitions of all files together and finds every name that they use. Pure.

Invariant: what `read_schema` returns can be turned into models: each name is defined once, and each object can be made
without its optional parts.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from hero_engine.languages.oschema.errors import SchemaError
from hero_engine.languages.oschema.parser import SchemaParser
from hero_engine.languages.oschema.schema import (
    INTEGER_RANGES,
    PRIMITIVES,
    TIME_NAMES,
    ListType,
    LiteralType,
    MapType,
    NamedType,
    OSchema,
    PrimitiveType,
    RecordType,
    SchemaField,
    SchemaWarning,
    TupleType,
    TypeDefinition,
    TypeExpression,
    UnionType,
    Value,
)

_MAX_DEFINITIONS = 1000


def read_schema(files: Mapping[str, str]) -> OSchema:
    """Read the files of a schema.

    Args:
        files: Name -> text, in the order in which they are read.

    Returns:
        The schema.

    Raises:
        SchemaError: One of them cannot be used; the error names file, line and column.
    """
    definitions: dict[str, TypeDefinition] = {}
    spelled: dict[str, TypeDefinition] = {}
    warnings: list[SchemaWarning] = []
    for file, source in files.items():
        parser = SchemaParser(source, file)
        for one in parser.definitions():
            before = definitions.get(one.name) or spelled.get(one.snake_name)
            if before is not None:
                place = f"{before.file or 'schema'}:{before.line}"
                raise SchemaError(one.file, one.line, one.column, f"'{before.name}' is defined already, in {place}")
            definitions[one.name] = spelled[one.snake_name] = one
        warnings += parser.warnings
    if len(definitions) > _MAX_DEFINITIONS:
        raise SchemaError(next(iter(files)), 0, 0, f"the schema has more than {_MAX_DEFINITIONS} types")
    schema = OSchema(definitions=definitions, warnings=tuple(warnings))
    for one in definitions.values():
        _check_definition(one, definitions)
    for one in definitions.values():
        _check_finite(one, definitions)
    return schema


def target(expression: TypeExpression, definitions: Mapping[str, TypeDefinition]) -> TypeExpression:
    """Follow names to what they stand for."""
    while isinstance(expression, NamedType):
        expression = definitions[expression.name].type
    return expression


def _parts(expression: TypeExpression) -> Iterator[TypeExpression]:
    """List the types that a type is made of, itself first."""
    yield expression
    match expression:
        case ListType(item=item):
            yield from _parts(item)
        case MapType(value=value):
            yield from _parts(value)
        case TupleType(items=items) | UnionType(variants=items):
            for one in items:
                yield from _parts(one)
        case RecordType(fields=fields):
            for field in fields:
                yield from _parts(field.type)


def _check_definition(one: TypeDefinition, definitions: Mapping[str, TypeDefinition]) -> None:
    for part in _parts(one.type):
        if isinstance(part, NamedType) and part.name not in definitions:
            near = difflib.get_close_matches(part.name, [*definitions, *PRIMITIVES], 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise SchemaError(one.file, part.line, part.column, f"the type '{part.name}' is not defined{hint}")
    names: set[str] = set()
    expression: TypeExpression = one.type
    while isinstance(expression, NamedType):
        if expression.name in names:
            raise SchemaError(one.file, one.line, one.column, f"'{one.name}' stands for itself")
        names.add(expression.name)
        expression = definitions[expression.name].type
    if one.base and not all(
        fits(PrimitiveType(name=one.base), part.value)
        for part in (expression.variants if isinstance(expression, UnionType) else (expression,))
        if isinstance(part, LiteralType)
    ):
        raise SchemaError(one.file, one.line, one.column, f"a value of '{one.name}' is not {one.base}")
    for part in _parts(one.type):
        if isinstance(part, RecordType):
            for field in part.fields:
                _check_field(one, field, definitions, is_root=one.root and part is one.type)


def _check_field(
    one: TypeDefinition, field: SchemaField, definitions: Mapping[str, TypeDefinition], *, is_root: bool
) -> None:
    kind = target(field.type, definitions)
    if field.default is not None and not _takes(kind, field.default, definitions):
        raise SchemaError(one.file, field.line, field.column, f"the default of '{field.name}' does not fit its type")
    if is_root and field.name == "sid":
        if not (isinstance(kind, PrimitiveType) and kind.name in ("str", "sid")):
            raise SchemaError(one.file, field.line, field.column, "'sid' must be str")
        if field.indexed:
            raise SchemaError(one.file, field.line, field.column, "'sid' needs no index; get finds it")


def _takes(kind: TypeExpression, value: Value, definitions: Mapping[str, TypeDefinition]) -> bool:
    if isinstance(kind, UnionType):
        return any(_takes(target(one, definitions), value, definitions) for one in kind.variants)
    return fits(kind, value)


def fits(kind: TypeExpression, value: Value) -> bool:
    """Whether a value that the schema spells out fits a type."""
    if isinstance(kind, LiteralType):
        return type(kind.value) is type(value) and kind.value == value
    if not isinstance(kind, PrimitiveType):
        return False
    if kind.name in INTEGER_RANGES:
        least, most = INTEGER_RANGES[kind.name]
        return type(value) is int and least <= value <= most
    if kind.name in ("f32", "f64"):
        return type(value) in (int, float)
    if kind.name == "bool":
        return type(value) is bool
    return kind.name == "any" or (type(value) is str and kind.name not in TIME_NAMES)


def _check_finite(one: TypeDefinition, definitions: Mapping[str, TypeDefinition]) -> None:
    """Refuse a type whose objects must contain an object of the same type, which never ends."""
    pending = [one.name]
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        for needed in _needed(definitions[name].type):
            if needed == one.name:
                reason = f"'{one.name}' contains itself; make one of the fields between optional, or a list"
                raise SchemaError(one.file, one.line, one.column, reason)
            if needed not in seen:
                seen.add(needed)
                pending.append(needed)


def _needed(expression: TypeExpression) -> Iterator[str]:
    """The named types of which an object of this type always contains one."""
    match expression:
        case NamedType(name=name):
            yield name
        case TupleType(items=items):
            for item in items:
                yield from _needed(item)
        case UnionType(variants=variants):
            # A new object gets the first one.
            yield from _needed(variants[0])
        case RecordType(fields=fields):
            for field in fields:
                if not field.optional:
                    yield from _needed(field.type)
