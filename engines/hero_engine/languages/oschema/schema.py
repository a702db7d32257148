"""What a schema says, as data: types, fields, enumerations. Pure.

The parser makes it; `models.py` checks objects with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

#: Whole numbers by their type: the smallest and the largest value.
INTEGER_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    **{f"u{bits}": (0, (1 << bits) - 1) for bits in (8, 16, 32)},
    **{f"i{bits}": (-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (8, 16, 32, 64)},
    # A script's numbers have 64 bits with a sign.
    "u64": (0, (1 << 63) - 1),
}
TIME_NAMES: Final = frozenset({"time", "otime"})
PRIMITIVES: Final = frozenset({"str", "bool", "f32", "f64", "sid", "any"}) | TIME_NAMES | INTEGER_RANGES.keys()
MAP_KEYS: Final = frozenset({"str"}) | INTEGER_RANGES.keys()

Value: TypeAlias = "str | int | float | bool"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrimitiveType:
    """A type of the language itself: `str`, `u8`, `time` ..."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteralType:
    """One value, as in `"high"`."""

    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedType:
    """A type that the schema defines elsewhere."""

    name: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListType:
    """`[T]`."""

    item: TypeExpression


@dataclass(frozen=True, slots=True, kw_only=True)
class MapType:
    """`{K: V}`; the keys are texts, or whole numbers written as texts."""

    key: str
    value: TypeExpression


@dataclass(frozen=True, slots=True, kw_only=True)
class TupleType:
    """`(A, B)`: a list with one type per place."""

    items: tuple[TypeExpression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnionType:
    """`A | B`; with texts only it is an enumeration."""

    variants: tuple[TypeExpression, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The values of an enumeration of texts; empty if it is something else."""
        values = [variant.value for variant in self.variants if isinstance(variant, LiteralType)]
        texts = tuple(value for value in values if isinstance(value, str))
        return texts if len(texts) == len(self.variants) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaField:
    """One field of an object.

    Attributes:
        name: Its name.
        type: What it holds.
        optional: It may be missing.
        default: Its value in a new object; None for the default of the type.
        indexed: `find` looks into it.
        comment: What the schema says about it.
        line: From 1.
        column: From 1.
    """

    name: str
    type: TypeExpression
    optional: bool
    default: Value | None
    indexed: bool
    comment: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordType:
    """`{ name: type ... }`: an object with fields."""

    fields: tuple[SchemaField, ...]


TypeExpression: TypeAlias = (
    PrimitiveType | LiteralType | NamedType | ListType | MapType | TupleType | UnionType | RecordType
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeDefinition:
    """`Name = type`.

    Attributes:
        name: As written.
        type: What it stands for.
        base: The primitive type of an enumeration of numbers (`Name: u8 = 1 | 2`); "" without one.
        root: Its objects are stored: it has a `sid`, or `[rootobject]` above it.
        comment: What the schema says about it.
        file: Name of the file.
        line: From 1.
        column: From 1.
    """

    name: str
    type: TypeExpression
    base: str = ""
    root: bool = False
    comment: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    @property
    def snake_name(self) -> str:
        """The name as functions spell it: `blog_post` for `BlogPost`."""
        return snake(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaWarning:
    """Something in a schema that has no effect here."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file or 'schema'}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OSchema:
    """A schema whose names have all been found.

    Attributes:
        definitions: By name, in the order of the files.
        warnings: What has no effect.
    """

    definitions: Mapping[str, TypeDefinition] = field(default_factory=dict)
    warnings: tuple[SchemaWarning, ...] = ()

    @property
    def roots(self) -> dict[str, TypeDefinition]:
        """The types whose objects are stored, by the name that functions spell."""
        return {one.snake_name: one for one in self.definitions.values() if one.root}

    @property
    def enumerations(self) -> dict[str, tuple[str, ...]]:
        """The values of each enumeration of texts, by the name that functions spell."""
        return {
            one.snake_name: one.type.texts
            for one in self.definitions.values()
            if isinstance(one.type, UnionType) and one.type.texts
        }


def snake(name: str) -> str:
    """Spell a name in lower case, with underscores between its words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
