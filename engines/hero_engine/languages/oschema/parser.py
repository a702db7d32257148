"""Reads the schema language: one file into its definitions. Pure.

`resolve.py` puts the files together and finds the names. Invariant: a text either parses or raises a `SchemaError` with
its place; no text makes the parser recurse or run for long.

Source: the README of the crate herolib-osis 0.3.13, and its example schemas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

from hero_engine.languages.oschema.errors import SchemaError
from hero_engine.languages.oschema.schema import (
    MAP_KEYS,
    PRIMITIVES,
    ListType,
    LiteralType,
    MapType,
    NamedType,
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
from hero_engine.languages.oschema.tokens import SchemaToken, TokenKind, read_tokens

_MAX_DEPTH: Final = 32
_BOOLS: Final = {"true": True, "false": False}


class SchemaParser:
    """Reads one file.

    Args:
        source: The text.
        file: Its name, for errors.

    Raises:
        SchemaError: A character is not part of the language.
    """

    def __init__(self, source: str, file: str = "") -> None:
        self._file = file
        self._tokens = read_tokens(source, file)
        self._at = 0
        self._depth = 0
        self.warnings: list[SchemaWarning] = []

    def definitions(self) -> list[TypeDefinition]:
        """Read the whole file.

        Raises:
            SchemaError: It does not follow the language.
        """
        found: list[TypeDefinition] = []
        while self._token.kind is not TokenKind.END:
            if self._token.text == "service" and self._next.kind is TokenKind.NAME:
                self._service()
            elif self._token.text == "include" and self._next.kind is TokenKind.TEXT:
                # Every file of the folder is read anyway.
                self._take()
                self._take()
            else:
                found.append(self._definition())
        return found

    # -- tokens --------------------------------------------------------------------------------------------------------

    @property
    def _token(self) -> SchemaToken:
        return self._tokens[self._at]

    @property
    def _next(self) -> SchemaToken:
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def _take(self) -> SchemaToken:
        token = self._token
        if token.kind is not TokenKind.END:
            self._at += 1
        return token

    def _is_mark(self, text: str) -> bool:
        return self._token.kind is TokenKind.MARK and self._token.text == text

    def _skip(self, mark: str) -> bool:
        """Take a mark if it is there."""
        if self._is_mark(mark):
            self._take()
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._skip(mark):
            self._fail(f"expected '{mark}', not {self._token.shown}")

    def _name(self, what: str) -> SchemaToken:
        if self._token.kind is not TokenKind.NAME:
            self._fail(f"expected {what}, not {self._token.shown}")
        return self._take()

    def _fail(self, reason: str, token: SchemaToken | None = None) -> NoReturn:
        token = token or self._token
        raise SchemaError(self._file, token.line, token.column, reason)

    # -- definitions ---------------------------------------------------------------------------------------------------

    def _definition(self) -> TypeDefinition:
        name = self._name("the name of a type")
        if name.text in PRIMITIVES:
            self._fail(f"'{name.text}' is a type of the language; choose another name", name)
        base = ""
        if self._skip(":"):
            token = self._name("a type of the language")
            base = token.text
            if base not in PRIMITIVES:
                self._fail(f"'{base}' is no type of the language; these are {_listed(PRIMITIVES)}", token)
        self._expect("=")
        parsed = self._type()
        if base and not (
            isinstance(parsed, LiteralType)
            or (isinstance(parsed, UnionType) and all(isinstance(one, LiteralType) for one in parsed.variants))
        ):
            self._fail(f"'{name.text}: {base} =' must be followed by values, such as 1 | 2 | 3", name)
        marked = any("[rootobject]" in comment for comment in name.above)
        return TypeDefinition(
            name=name.text,
            type=parsed,
            base=base,
            root=isinstance(parsed, RecordType) and (marked or any(one.name == "sid" for one in parsed.fields)),
            comment=name.above[-1].replace("[rootobject]", "").strip() if name.above else "",
            file=self._file,
            line=name.line,
            column=name.column,
        )

    def _service(self) -> None:
        """Read over a service: its methods are code of the Rust system."""
        start = self._take()
        name = self._take()
        self.warnings.append(
            SchemaWarning(
                file=self._file,
                line=start.line,
                text=f"service {name.text} has no effect here; write its methods as scripts",
            )
        )
        self._expect("{")
        while not self._skip("}"):
            member = self._name("a property or a method")
            if self._skip(":"):
                if self._take().kind not in (TokenKind.TEXT, TokenKind.NUMBER):
                    self._fail(f"expected the value of '{member.text}'")
                continue
            self._expect("(")
            while not self._skip(")"):
                self._name("the name of a parameter")
                self._skip("?")
                self._expect(":")
                self._type()
                if not self._is_mark(")"):
                    self._expect(",")
            if self._skip("->"):
                self._type()
            if self._token.text == "error" and self._next.text == ":":
                self._take()
                self._take()
                self._type()

    # -- types ---------------------------------------------------------------------------------------------------------

    def _type(self) -> TypeExpression:
        if self._depth >= _MAX_DEPTH:
            self._fail(f"types are nested more than {_MAX_DEPTH} levels deep")
        self._depth += 1
        variants = [self._variant()]
        while self._skip("|"):
            variants.append(self._variant())
        self._depth -= 1
        return variants[0] if len(variants) == 1 else UnionType(variants=tuple(variants))

    def _variant(self) -> TypeExpression:
        token = self._token
        if token.kind is TokenKind.NAME and token.text not in _BOOLS:
            self._take()
            if token.text in PRIMITIVES:
                return PrimitiveType(name=token.text)
            return NamedType(name=token.text, line=token.line, column=token.column)
        if token.kind is TokenKind.MARK and token.text in "{[(":
            self._take()
            read: dict[str, Callable[[], TypeExpression]] = {"{": self._record, "[": self._list, "(": self._tuple}
            return read[token.text]()
        return LiteralType(value=self._value("a type"))

    def _value(self, what: str) -> Value:
        token = self._token
        if token.kind is TokenKind.TEXT:
            return self._take().text
        if token.kind is TokenKind.NUMBER:
            text = self._take().text
            if len(text) > 40:
                self._fail("a number may have 40 digits", token)
            return float(text) if "." in text else int(text)
        if token.text not in _BOOLS:
            self._fail(f"expected {what}, not {token.shown}")
        return _BOOLS[self._take().text]

    def _list(self) -> ListType:
        item = self._type()
        self._expect("]")
        return ListType(item=item)

    def _tuple(self) -> TupleType:
        items: list[TypeExpression] = []
        while not self._skip(")"):
            if self._token.kind is TokenKind.NAME and self._next.text == ":":
                self._take()
                self._take()
            items.append(self._type())
            if not self._is_mark(")"):
                self._expect(",")
        return TupleType(items=tuple(items))

    def _record(self) -> TypeExpression:
        first = self._token
        fields: list[SchemaField] = []
        while not self._skip("}"):
            name = self._name("the name of a field, or '}'")
            optional = self._skip("?")
            self._expect(":")
            parsed = self._type()
            if not fields and not optional and name.text in MAP_KEYS and self._skip("}"):
                # An object whose only field is named like a type would look the same.
                return MapType(key=name.text, value=parsed)
            fields.append(self._field(name, optional, parsed))
            self._skip(",")
        seen: set[str] = set()
        for one in fields:
            if one.name in seen:
                raise SchemaError(self._file, one.line, one.column, f"the field '{one.name}' is there twice")
            seen.add(one.name)
        if len(fields) > 1000:
            self._fail("an object may have 1000 fields", first)
        return RecordType(fields=tuple(fields))

    def _field(self, name: SchemaToken, optional: bool, parsed: TypeExpression) -> SchemaField:
        if name.text.startswith("_"):
            self._fail("names of fields do not begin with '_'; those belong to the runtime", name)
        default = self._value("a value") if self._skip("=") else None
        indexed = False
        while self._skip("@"):
            token = self._name("index")
            if token.text != "index":
                self._fail(f"'@{token.text}' is unknown; only @index is known", token)
            indexed = True
        last = self._tokens[self._at - 1]
        if self._is_mark(","):
            last = self._token
        comments = [*name.above, last.behind]
        return SchemaField(
            name=name.text,
            type=parsed,
            optional=optional,
            default=default,
            indexed=indexed or any("[index]" in comment for comment in comments),
            comment=last.behind.replace("[index]", "").strip(),
            line=name.line,
            column=name.column,
        )


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
