"""Converts raw values, comments, and values set by a program to their stored form. Pure functions.

Invariant: the writer (`write`) can write every result of `clean_value` and `clean_text`, and the scanner reads it back.

Source: HeroScript specification, section 4.4.
"""

from __future__ import annotations

from hero_engine.languages.heroscript.text.names import BLANKS

# Two backslashes and an n: the only way to write a line end inside a quoted value. With one backslash it is text [Q23].
NEWLINE_MARK = "\\\\n"


def clean_value(raw: str) -> str:
    """Normalise a value from a script: newline marks and `<BR>` become line ends, and the ends are trimmed [Q49]."""
    if "\\" in raw:
        raw = raw.replace(NEWLINE_MARK, "\n").replace("\\'", "'")
    if "<" in raw:
        raw = raw.replace("<<BR>>", "\n").replace("<BR>", "\n")
    return raw.strip(BLANKS)


def clean_text(text: str) -> str:
    """Normalise a value set by a program, so that it can be written and read back.

    Tabs, line ends and the texts that a script cannot hold literally (the newline mark, `<BR>`) become what reading
    them from a script would give. Everything else, including quotes and backslashes, stays.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\t" in text:
        text = text.replace("\t", "    ")
    if NEWLINE_MARK in text:
        text = text.replace(NEWLINE_MARK, "\n")
    if "<" in text:
        text = text.replace("<<BR>>", "\n").replace("<BR>", "\n")
    return text.strip(BLANKS)


def clean_comment(raw: str) -> str:
    """Normalise the collected remarks of an item.

    Args:
        raw: The comments in order, each followed by a dash, which joins them [Q21].
    """
    return trim_comment(clean_value(raw))


def trim_comment(comment: str) -> str:
    """Remove dashes and blanks from the end. The result stays the same however often it is written and read."""
    return comment.rstrip("-" + BLANKS)
