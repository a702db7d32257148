"""The family `regex`: regular expressions in the syntax of RE2, matched in a time that is linear in the text."""

from __future__ import annotations

from typing import Any

from hero_engine.errors import FunctionError
from hero_engine.host.call import Call
from hero_engine.host.definition import Family
from hero_engine.host.families.pure.bounds import MAX_CHARS, MAX_VALUES, check_size
from hero_engine.host.families.text import compile_pattern, expand_groups, replace_matches, while_allowed

FAMILY = Family("regex", "Regular expressions, in linear time.", prefix="Regex error: ")

#: Longest pattern, in characters.
_MAX_PATTERN_CHARS = 10_000


@FAMILY.function()
def regex_is_match(text: str, pattern: str) -> bool:
    r"""Tell whether a pattern matches somewhere in a text.

    Example:
        regex_is_match("order 42", `\d+`)                       // true
    """
    return _compile(text, pattern).search(text) is not None


@FAMILY.function()
def regex_find(text: str, pattern: str) -> dict[str, object] | None:
    r"""Find the first match: a map with `text`, `start`, `end` (in characters), `groups` (an array; `()` for a group
    without a match) and `names` (a map of the named groups). The result is `()` without a match.

    Example:
        regex_find("a@b.org", `(\w+)@(?P<host>[\w.]+)`).names.host      // "b.org"
    """
    match = _compile(text, pattern).search(text)
    return None if match is None else _shown(match)


@FAMILY.function()
def regex_find_all(call: Call, text: str, pattern: str) -> list[dict[str, object]]:
    r"""Find all matches; each is a map as that of `regex_find`.

    Example:
        regex_find_all("1 and 22", `\d+`).map(|m| m.text)       // ["1", "22"]
    """
    found: list[dict[str, object]] = []
    values = 0
    for match in while_allowed(call, _compile(text, pattern).finditer(text)):
        values += len(match.groups()) + 1
        if values > MAX_VALUES:
            raise FunctionError(f"the pattern matches more than {MAX_VALUES} times")
        found.append(_shown(match))
    return found


@FAMILY.function()
def regex_replace(call: Call, text: str, pattern: str, replacement: str) -> str:
    r"""Replace all matches. `$1` and `${name}` stand for groups, `$$` for a dollar sign.

    Example:
        regex_replace("a@b", `(\w)@(\w)`, "$2 at $1")           // "b at a"
    """
    return replace_matches(_compile(text, pattern), lambda match: expand_groups(replacement, match), call, text)


@FAMILY.function()
def regex_split(call: Call, text: str, pattern: str) -> list[str]:
    r"""Split a text at all matches. An empty match splits nothing.

    Example:
        regex_split("a, b;c", `[,;]\s*`)                        // ["a", "b", "c"]
    """
    parts: list[str] = []
    at = 0
    for match in while_allowed(call, _compile(text, pattern).finditer(text)):
        if match.end() == match.start():
            continue
        parts.append(text[at : match.start()])
        at = match.end()
        if len(parts) >= MAX_VALUES:
            raise FunctionError(f"the text has more than {MAX_VALUES} parts")
    return [*parts, text[at:]]


@FAMILY.function()
def regex_escape(text: str) -> str:
    """Escape a text, so that a pattern matches it literally.

    Example:
        regex_is_match("1+1", regex_escape("1+1"))              // true
    """
    import re2

    if len(text) > _MAX_PATTERN_CHARS:
        raise FunctionError(f"a pattern has at most {_MAX_PATTERN_CHARS} characters")
    escaped = re2.escape(text)
    return str(escaped)


def _compile(text: str, pattern: str) -> Any:
    check_size(text, MAX_CHARS)
    if len(pattern) > _MAX_PATTERN_CHARS:
        raise FunctionError(f"a pattern has at most {_MAX_PATTERN_CHARS} characters")
    return compile_pattern(pattern)


def _shown(match: Any) -> dict[str, object]:
    return {
        "text": match.group(),
        "start": match.start(),
        "end": match.end(),
        "groups": list(match.groups()),
        "names": dict(match.groupdict()),
    }
