"""The tokens of a parameter block: patterns, states, the item that comes out, the error if none does. Pure.

Used by the scanner, which moves between the states; the rest of the package knows items only.

Invariant: all patterns are possessive; none can backtrack over more than it has matched once.

Source: HeroScript specification, section 4.3.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from hero_engine.languages.heroscript.text.diagnostic import Place, shorten
from hero_engine.languages.heroscript.text.errors import ParseError
from hero_engine.languages.heroscript.text.values import clean_comment

# The road most items take: an argument, or a key with a plain or a fully quoted value, that ends at a blank or the
# line's end and is not continued by a comma. Whatever does not match goes through the states below; both roads give
# the same items (tested), this one in a single match.
SIMPLE: Final = re.compile(
    r"""[ ]*+(?!//)
    (?: ([A-Za-z0-9_,./]*+)[ ]*+:[ ]*+
        (?: '([^'\\]*+)' | "([^"\\]*+)"
          | (?!['"\[{]|//) ( [^\ ,]++ (?: ,(?!['"]) [^\ ,]++ )*+ ) )
      | ([A-Za-z0-9_,./]++) )
    (?: \Z | [ ]++(?![,:]|//) )
    """,
    re.VERBOSE,
)
NAME: Final = re.compile(r"[A-Za-z0-9_,./]*+")
# A quote is escaped by whatever backslash stands right before it, even if that one is escaped itself.
QUOTE_BODY: Final = {
    "'": re.compile(r"[^'\\]*+(?:\\++'?+[^'\\]*+)*+"),
    '"': re.compile(r'[^"\\]*+(?:\\++"?+[^"\\]*+)*+'),
}
BARE: Final = re.compile(r"[^ ,]*+")
BLANK_RUN: Final = re.compile(r" *+")
OPENER: Final = re.compile(r"""('''|\"""|'|")(?: *+\Z| ++//)""")
CLOSERS: Final = frozenset(("'", "'''"))
# A list or object in brackets that holds quoted strings, taken as it stands. A string is one only after a bracket,
# a comma or a colon (`[it's` is plain text); blanks are allowed after a comma and around an object's colon.
BRACKETED: Final = re.compile(
    r"""(?: (?: ^ | (?<=[\[{,:\ ]) ) (?: "[^"\\]*+(?:\\.[^"\\]*+)*+" | '[^'\\]*+(?:\\.[^'\\]*+)*+' )
              (?: [ ]++(?=[,:\]}]) )?+ (?: :[ ]*+ )?+
          | , [ ]*+ (?!//) | [^\ ,"']++ | ["'] )*+
    """,
    re.VERBOSE,
)
_DASHED_KEY: Final = re.compile(r"[A-Za-z0-9_-]++:")

# The states of the scanner, see the table of the specification. Plain numbers: compared for every item of a text.
BETWEEN: Final = 0
BEFORE_VALUE: Final = 1
QUOTED: Final = 2
AFTER_VALUE: Final = 3
BODY: Final = 4
HTML: Final = 5


class Item(NamedTuple):
    """One parameter or argument in the order of the text.

    Args:
        key: None for an argument.
        value: the stored value; for an argument its text.
        remark: the raw text of the comments that belong to it, see `clean_comment`.
        line: 0-based index of its line in the source.
        column: 0-based column of its first character in the normalised line.
    """

    key: str | None
    value: str
    remark: str
    line: int
    column: int


def remark_of(item: Item) -> str:
    """The comment of an item as it is stored."""
    return clean_comment(item.remark) if item.remark else ""


def end_of(pattern: re.Pattern[str], text: str, pos: int) -> int:
    """Where a pattern that always matches (it may match nothing) ends."""
    found = pattern.match(text, pos)
    return found.end() if found else pos


def illegal_char(line: str, start: int, stop: int, place: Place) -> ParseError:
    """The error for a character that no name may hold.

    Args:
        line: the trimmed line.
        start: where the name starts.
        stop: where the character stands.
        place: the same in the source.
    """
    token = line[start:].split(" ", 1)[0]
    if _DASHED_KEY.match(token):
        key, _, rest = token.partition(":")
        hint = f"a key holds no '-': {shorten(key.replace('-', '_') + ':' + rest)}"
    else:
        hint = f"text with other characters is written as a quoted value: name:'{shorten(token)}'"
    return ParseError(
        "text to params processor: parameters can only be A-Za-z0-9 and _., "
        f"found illegal char: '{shorten(line[start : stop + 1])}' in {shorten(line)}",
        place=place,
        text=line[stop],
        hint=hint,
    )
