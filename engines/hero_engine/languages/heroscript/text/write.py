"""Values and comments as HeroScript text: the inverse of the scanner. Pure.

Used by the export and by the formatter. Invariant: for every stored value (see `values`), scanning what is written
here gives that value again; where the reference's form does so, the bytes are the reference's.

Source: HeroScript specification, section 8 [Q30].
"""

from __future__ import annotations

import re

from hero_engine.languages.heroscript.text.names import BLANKS
from hero_engine.languages.heroscript.text.values import NEWLINE_MARK

# The reference quotes these numbers always.
_ALWAYS_QUOTED = frozenset(("cid", "oid", "gid"))
# A value that needs no quotes: no blank, colon or double quote, no comment sign, no escaped quote, no opening quote
# (at its start or after a comma) and no comma at its end.
_PLAIN = re.compile(r"""(?!')[^\s:"]++""")
_NOT_PLAIN = re.compile(r"//|\\'|,'|,\Z|^[\[{].*'", re.DOTALL)
# What a reader takes off both ends of a line of comment.
COMMENT_ENDS = " <->/"


_UNDERSCORES = re.compile(r"__++")


def write_head(bangs: str, actor: str, name: str) -> str:
    """What an action's line starts with.

    Runs of underscores collapse when a name is read, runs of dashes become runs of underscores [Q07].
    """
    text = f"{bangs}{actor}.{name}"
    return _UNDERSCORES.sub(lambda run: "-" * len(run[0]), text) if "__" in text else text


def write_value(key: str, value: str) -> str:
    """A value on one line: bare where that reads back the same, else in single quotes.

    Args:
        key: decides only whether quotes are written needlessly (`cid`, `oid`, `gid`).
        value: a stored value.
    """
    if key not in _ALWAYS_QUOTED and _PLAIN.fullmatch(value) and not _NOT_PLAIN.search(value):
        return value
    text = value.replace("'", "\\'").replace("\n", NEWLINE_MARK)
    # The last quote must not look escaped; the line end in between is trimmed when it is read [Q49].
    return f"'{text}<BR>'" if text.endswith("\\") else f"'{text}'"


def body_lines(value: str, *, blank_lines: bool) -> list[str] | None:
    """The lines of a multi-line value between its opener and its closer.

    Args:
        value: a stored value.
        blank_lines: whether blank lines may be written; a playbook drops them unless told otherwise [Q02].

    Returns:
        None if the value cannot be written that way: it has one line, a single quote (all quotes come out double
        [Q15]), a line that would close it, or a blank line.
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
    """The lines of a comment for `// ` lines of its own; None if reading would strip them to something else."""
    lines = comment.split("\n")
    if any(not line or line.strip(COMMENT_ENDS) != line or line.strip(BLANKS) != line for line in lines):
        return None
    return [_escape_comment(line) for line in lines]


def end_comment(comment: str) -> str:
    """A comment for the end of a line, ` //` included; "" for none."""
    return " //" + _escape_comment(comment).replace("\n", NEWLINE_MARK) if comment else ""


def _escape_comment(comment: str) -> str:
    return comment.replace("\\'", "\\\\'")
