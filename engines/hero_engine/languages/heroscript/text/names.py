"""Normalises names, and defines the character sets that the grammar shares. Pure functions.

Source: HeroScript specification, section 2.
"""

from __future__ import annotations

import re
from functools import lru_cache

# The characters that trimming removes. str.strip() would also remove no-break spaces and information separators.
BLANKS = " \n\t\v\f\r"

# The reference works on bytes, so only ASCII letters change case; str.lower would turn a Kelvin sign into a "k".
_ASCII_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_ALREADY_FIXED = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*+")
_KEPT = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_SEPARATORS = frozenset("-;:. ")
_SHORT_CHARS = 64


def trim(text: str) -> str:
    """Remove spaces, tabs and line ends from both ends."""
    return text.strip(BLANKS)


def ascii_lower(text: str) -> str:
    """Convert the letters A to Z to lower case, and no others."""
    return text.lower() if text.isascii() else text.translate(_ASCII_LOWER)


def name_fix(text: str) -> str:
    """Normalise the name of a script, key or filter.

    Args:
        text: Any text.

    Returns:
        Lower-case letters, digits and underscores; an extension stays as it is. A run of separators other than
        underscores does not collapse: `a--b` becomes `a__b` [Q07].

    Source: specification, section 2, name_fix.
    """
    # The names of actions, parameters and words come again and again.
    return _fix_short(text) if len(text) <= _SHORT_CHARS else _fix(text)


def _fix(text: str) -> str:
    name = trim(ascii_lower(text))
    if _ALREADY_FIXED.fullmatch(name):
        return name
    name = name.split("#", 1)[0]
    name, extension = _split_extension(name)
    out: list[str] = []
    previous = ""
    for char in name:
        if char in _KEPT:
            out.append(char)
        elif char == "_" or char in _SEPARATORS:
            if previous == "_":
                continue
            out.append("_")
        else:
            continue
        previous = char
    return "".join(out) + extension


_fix_short = lru_cache(maxsize=512)(_fix)


def name_fix_no_underscore(text: str) -> str:
    """Apply `name_fix` and remove the underscores. Words for yes and no are compared in this form."""
    return name_fix(text).replace("_", "")


def _split_extension(name: str) -> tuple[str, str]:
    if len(name) < 3:
        return name, ""
    last = name.rpartition("/")[2]
    dot = last.rfind(".")
    if dot <= 0 or dot == len(last) - 1:
        return name, ""
    cut = len(name) - len(last) + dot
    return name[:cut], name[cut:]
