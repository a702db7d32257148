"""The tokens of a parameter block: patterns, scanner states, the resulting item, and the error for an illegal
character.

Only the scanner uses the patterns and states; other modules know items only. Pure. Invariant: all patterns are
possessive; none can backtrack over more than it has matched once.

Source: HeroScript specification, section 4.3.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from hero_engine.languages.heroscript.text.diagnostic import Place, shorten
from hero_engine.languages.heroscript.text.errors import ParseError
from hero_engine.languages.heroscript.text.values import clean_comment

# The fast path, which most items take: an argument, or a key with a bare or completely quoted value, followed by a
# blank or the end of the line and not continued by a comma. Everything else goes through the states below. Both paths
# give the same items, as a test checks, but this one needs a single match.
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
# A backslash directly before a quote escapes it, even if that backslash is itself escaped.
QUOTE_BODY: Final = {
    "'": re.compile(r"[^'\\]*+(?:\\++'?+[^'\\]*+)*+"),
    '"': re.compile(r'[^"\\]*+(?:\\++"?+[^"\\]*+)*+'),
}
BARE: Final = re.compile(r"[^ ,]*+")
BLANK_RUN: Final = re.compile(r" *+")
OPENER: Final = re.compile(r"""('''|\"""|'|")(?: *+\Z| ++//)""")
CLOSERS: Final = frozenset(("'", "'''"))
# A list or object in brackets that holds quoted strings, taken as it is. A quote starts a string only after a bracket,
# a comma or a colon (`[it's` is plain text). Blanks are allowed after a comma and around an object's colon.
BRACKETED: Final = re.compile(
    r"""(?: (?: ^ | (?<=[\[{,:\ ]) ) (?: "[^"\\]*+(?:\\.[^"\\]*+)*+" | '[^'\\]*+(?:\\.[^'\\]*+)*+' )
              (?: [ ]++(?=[,:\]}]) )?+ (?: :[ ]*+ )?+
          | , [ ]*+ (?!//) | [^\ ,"']++ | ["'] )*+
    """,
    re.VERBOSE,
)
_DASHED_KEY: Final = re.compile(r"[A-Za-z0-9_-]++:")

# The states of the scanner, see the table in the specification. Plain integers, because they are compared for every
# item.
BETWEEN: Final = 0
BEFORE_VALUE: Final = 1
QUOTED: Final = 2
AFTER_VALUE: Final = 3
BODY: Final = 4
HTML: Final = 5


class Item(NamedTuple):
    """One parameter or argument, in the order of the text.

    Args:
        key: None for an argument.
        value: The stored value; for an argument, its text.
        remark: The raw text of its comments, see `clean_comment`.
        line: 0-based index of its line in the source.
        column: 0-based column of its first character in the normalised line.
    """

    key: str | None
    value: str
    remark: str
    line: int
    column: int


def remark_of(item: Item) -> str:
    """The comment of an item in its stored form."""
    return clean_comment(item.remark) if item.remark else ""


def end_of(pattern: re.Pattern[str], text: str, pos: int) -> int:
    """Find the end of the match of a pattern that always matches, possibly the empty text."""
    found = pattern.match(text, pos)
    return found.end() if found else pos


def illegal_char(line: str, start: int, stop: int, place: Place) -> ParseError:
    """Make the error for a character that is not allowed in a name.

    Args:
        line: The trimmed line.
        start: Where the name starts.
        stop: Where the character is.
        place: The character's place in the source.
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
