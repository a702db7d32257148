"""Cuts a schema into tokens with their places. Pure.

Comments are no tokens. A comment belongs to the token before it if both are on one line, else to the token after it:
that is how `[rootobject]` above a type and `[index]` behind a field find their owners.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from hero_engine.languages.oschema.errors import SchemaError

#: Above this line is free text, for people and tools.
HEADER_END: Final = "# ===SCHEMA==="
MAX_SOURCE_CHARS: Final = 1024 * 1024

_TOKEN: Final = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<comment>\#[^\n]*)"
    r'|(?P<text>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<number>-?[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<mark>->|[=:?|,{}\[\]()@])"
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"'}


class TokenKind(StrEnum):
    """What a token is, in the words of error messages."""

    NAME = "name"
    TEXT = "text"
    NUMBER = "number"
    MARK = "mark"
    END = "the end of the file"


@dataclass(slots=True)
class SchemaToken:
    """One token.

    Attributes:
        kind: What it is.
        text: As written; a text without quotes and escapes.
        line: From 1.
        column: From 1.
        above: The comments between the token before it and itself.
        behind: The comment behind it on its line.
    """

    kind: TokenKind
    text: str
    line: int
    column: int
    above: list[str] = field(default_factory=list)
    behind: str = ""

    @property
    def shown(self) -> str:
        """The token, as an error message names it."""
        return self.kind.value if self.kind is TokenKind.END else f"'{self.text}'"


def read_tokens(source: str, file: str = "") -> list[SchemaToken]:
    """Cut a schema into tokens; the last one is the end.

    Args:
        source: The text.
        file: Its name, for errors.

    Raises:
        SchemaError: A character or a text is not part of the language, or the source is too long.
    """
    if len(source) > MAX_SOURCE_CHARS:
        raise SchemaError(file, 0, 0, f"has more than {MAX_SOURCE_CHARS} characters")
    position = _start(source)
    line = source.count("\n", 0, position) + 1
    line_start = position
    tokens: list[SchemaToken] = []
    above: list[str] = []
    while position < len(source):
        column = position - line_start + 1
        found = _TOKEN.match(source, position)
        if found is None:
            unclosed = source[position] == '"'
            raise SchemaError(
                file, line, column,
                "the text has no closing quote on its line" if unclosed else f"unexpected {source[position]!r}",
            )  # fmt: skip
        kind, text = str(found.lastgroup), found.group()
        if kind == "comment":
            comment = text[1:].strip()
            if tokens and tokens[-1].line == line:
                tokens[-1].behind = comment
            else:
                above.append(comment)
        elif kind != "space":
            if kind == "text":
                text = _unescape(text[1:-1], file, line, column)
            tokens.append(SchemaToken(TokenKind(kind), text, line, column, above))
            above = []
        position = found.end()
        if breaks := found.group().count("\n"):
            line += breaks
            line_start = found.start() + found.group().rindex("\n") + 1
    tokens.append(SchemaToken(TokenKind.END, "", line, position - line_start + 1, above))
    return tokens


def _start(source: str) -> int:
    """Find where the schema begins: behind the line that ends the header, if there is one."""
    found = re.search(rf"^{re.escape(HEADER_END)}.*$", source, re.MULTILINE)
    return found.end() if found else 0


def _unescape(text: str, file: str, line: int, column: int) -> str:
    def replace(found: re.Match[str]) -> str:
        try:
            return _ESCAPED[found[1]]
        except KeyError:
            raise SchemaError(file, line, column, rf"'\{found[1]}' is no escape; write \n, \t, \r, \\ or \"") from None

    return _ESCAPE.sub(replace, text) if "\\" in text else text
