"""Writes values and comments as HeroScript text: the inverse of the scanner. Pure.

The export and the formatter use it. Invariant: scanning what is written here gives the same stored value (see
`values`). Where the reference's form does so too, the bytes are the same as the reference's.

Source: HeroScript specification, section 8 [Q30].
"""

from __future__ import annotations

import re

from hero_engine.languages.heroscript.text.names import BLANKS
from hero_engine.languages.heroscript.text.values import NEWLINE_MARK

# The reference always quotes these numbers.
_ALWAYS_QUOTED = frozenset(("cid", "oid", "gid"))
# A value that needs no quotes. It has no blank, colon or double quote, no comment sign, no escaped quote, no opening
# quote (at its start or after a comma), and no comma at its end.
_PLAIN = re.compile(r"""(?!')[^\s:"]++""")
_NOT_PLAIN = re.compile(r"//|\\'|,'|,\Z|^[\[{].*'", re.DOTALL)
# Characters that a reader removes from both ends of a comment line.
COMMENT_ENDS = " <->/"


_UNDERSCORES = re.compile(r"__++")


def write_head(bangs: str, actor: str, name: str) -> str:
    """Write the start of an action's line.

    Reading collapses a run of underscores, but turns a run of dashes into underscores [Q07], so dashes are written.
    """
    text = f"{bangs}{actor}.{name}"
    return _UNDERSCORES.sub(lambda run: "-" * len(run[0]), text) if "__" in text else text


def write_value(key: str, value: str) -> str:
    """Write a value on one line: bare if that reads back the same, otherwise in single quotes.

    Args:
        key: Its key; `cid`, `oid` and `gid` are always quoted, and no other key matters.
        value: A stored value.
    """
    if key not in _ALWAYS_QUOTED and _PLAIN.fullmatch(value) and not _NOT_PLAIN.search(value):
        return value
    text = value.replace("'", "\\'").replace("\n", NEWLINE_MARK)
    # A backslash at the end would escape the closing quote. The line end in between is trimmed when it is read [Q49].
    return f"'{text}<BR>'" if text.endswith("\\") else f"'{text}'"


def body_lines(value: str, *, blank_lines: bool) -> list[str] | None:
    """Write a multi-line value: the lines between its opener and its closer.

    Args:
        value: A stored value.
        blank_lines: Blank lines may be written. A playbook drops them unless told otherwise [Q02].

    Returns:
        None if the value cannot be written in this form: it has only one line, a single quote (which would become a
        double quote [Q15]), a line that would close it, or a blank line.
    """
    if "\n" not in value or "'" in value:
        return None
    lines = value.split("\n")
    for line in lines:
        text = line.strip(BLANKS)
        if text in ('"', '"""') or (not text and (line or not blank_lines)):
            return None
    return lines


def comment_lines(comment: str) -> list[str] | None:
    """Write a comment as `// ` lines of its own; None if reading would strip one of the lines further."""
    lines = comment.split("\n")
    if any(not line or line.strip(COMMENT_ENDS) != line or line.strip(BLANKS) != line for line in lines):
        return None
    return [_escape_comment(line) for line in lines]


def end_comment(comment: str) -> str:
    """Write a comment for the end of a line, including ` //`; "" for none."""
    return " //" + _escape_comment(comment).replace("\n", NEWLINE_MARK) if comment else ""


def _escape_comment(comment: str) -> str:
    return comment.replace("\\'", "\\\\'")
