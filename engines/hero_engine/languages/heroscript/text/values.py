"""How a raw value, comment or programmatic value becomes a stored one. Pure functions.

Invariant: `clean_value` and `clean_text` give values that the writer (`write`) can write and the scanner reads back.

Source: HeroScript specification, section 4.4.
"""

from __future__ import annotations

from hero_engine.languages.heroscript.text.names import BLANKS

# Two backslashes and an n: the only way to write a line end inside a quoted value; one backslash is text [Q23].
NEWLINE_MARK = "\\\\n"


def clean_value(raw: str) -> str:
    """Normalise a value read from a script: markers and `<BR>` become line ends, then trim [Q49]."""
    if "\\" in raw:
        raw = raw.replace(NEWLINE_MARK, "\n").replace("\\'", "'")
    if "<" in raw:
        raw = raw.replace("<<BR>>", "\n").replace("<BR>", "\n")
    return raw.strip(BLANKS)


def clean_text(text: str) -> str:
    """Normalise a value given by a program, so that it can be written and read back.

    Tabs, line ends and the texts that a script cannot hold literally (the newline mark, `<BR>`) become what a script
    would have made of them; everything else, quotes and backslashes too, stays.
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
    """Normalise the gathered remarks of an item.

    Args:
        raw: the comments one after the other, each followed by a dash: two in a row come out glued by it [Q21].
    """
    return trim_comment(clean_value(raw))


def trim_comment(comment: str) -> str:
    """Take dashes and blanks off the end: what is left stays the same however often it is written and read."""
    return comment.rstrip("-" + BLANKS)
