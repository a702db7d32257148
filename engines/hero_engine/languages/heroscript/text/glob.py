"""The globs of the language: `*` is any text, `?` one character, `[abc]` and `[^abc]` one of a set. Pure.

This is not `fnmatch`, because that differs: its sets have ranges and are negated by `!`, and an unclosed bracket is
literal there, while here it never matches. Nor is a glob translated to a regular expression, because hostile text could
make that backtrack.

Source: HeroScript specification, sections 5 and 6.
"""

from __future__ import annotations

from typing import Final

_ANY_RUN: Final = None
_Token = tuple[frozenset[str], bool] | None


class Glob:
    """A compiled glob. It matches whole texts and is case-sensitive.

    Args:
        pattern: The glob; with a `[` without `]` it matches nothing.

    A match takes at most len(pattern) * len(text) steps, because after a mismatch only the last `*` is tried again.
    """

    __slots__ = ("_matches_all", "_never", "_tokens")

    def __init__(self, pattern: str) -> None:
        self._tokens: list[_Token] = []
        self._never = False
        self._matches_all = bool(pattern) and not pattern.strip("*")
        at = 0
        while at < len(pattern):
            char = pattern[at]
            at += 1
            if char == "*":
                if not self._tokens or self._tokens[-1] is not _ANY_RUN:
                    self._tokens.append(_ANY_RUN)
            elif char == "?":
                self._tokens.append((frozenset(), False))
            elif char == "[":
                end = pattern.find("]", at)
                if end < 0:
                    self._never = True
                    return
                inside = pattern[at:end]
                self._tokens.append((frozenset(inside.removeprefix("^")), not inside.startswith("^")))
                at = end + 1
            else:
                self._tokens.append((frozenset(char), True))

    def matches(self, text: str) -> bool:
        """Whether the glob matches the whole text."""
        if self._matches_all or self._never:
            return self._matches_all
        tokens = self._tokens
        at = index = 0
        retry_index, retry_at = -1, 0
        while at < len(text):
            if index < len(tokens):
                token = tokens[index]
                if token is _ANY_RUN:
                    retry_index, retry_at = index, at
                    index += 1
                    continue
                if (text[at] in token[0]) == token[1]:
                    index += 1
                    at += 1
                    continue
            if retry_index < 0:
                return False
            retry_at += 1
            index, at = retry_index + 1, retry_at
        return all(token is _ANY_RUN for token in tokens[index:])


def is_glob(pattern: str) -> bool:
    """Whether a part of an action filter is a glob: it is, with any of `*`, `?` and `[`."""
    return any(char in pattern for char in "*?[")


def matches_value(pattern: str, value: str) -> bool:
    """The test of `filter_match`: a glob if the pattern has `*`, `?` or brackets, otherwise equality."""
    if "*" in pattern or "?" in pattern or ("[" in pattern and "]" in pattern):
        return Glob(pattern).matches(value)
    return pattern == value
