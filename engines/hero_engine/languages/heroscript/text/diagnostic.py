"""Diagnostics as data, and their form for people: `path:line:col`, the source line, a caret, a hint.

Errors, a playbook's warnings and the checker share this form. Pure; it knows nothing of the grammar.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

# A line of a megabyte must not flood a terminal, so this much of it is shown on each side of the caret.
_WINDOW_CHARS = 70
# difflib takes quadratic time. Longer names get no proposal, and only so many known names are compared.
_GUESS_CHARS = 64
_GUESS_NAMES = 2000


class Severity(StrEnum):
    """How serious a finding is."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A position in a source text.

    Args:
        path: Name of the source, "" for a text without one.
        line: 1-based line.
        column: 1-based column in characters; a tab is one character.
        source_line: The whole line as its author wrote it.
    """

    path: str
    line: int
    column: int
    source_line: str = ""

    def __str__(self) -> str:
        return f"{self.path or '<script>'}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding.

    Args:
        severity: Error or warning.
        code: Stable name of the rule: `syntax`, or the number of a quirk such as `Q04`.
        message: One sentence.
        place: Where it is; None if it is not about a text.
        text: The piece of source in question; the caret underlines as much of it as the line holds.
        hint: A proposal, or "".
    """

    severity: Severity
    code: str
    message: str
    place: Place | None = None
    text: str = ""
    hint: str = ""

    def render(self) -> str:
        """Format the finding as a compiler does.

        Returns:
            `path:line:col: severity[code]: message`, the source line, the caret, and the hint if there is one.
        """
        message = self.message.replace("\n", " ")  # some messages quote a text, and editors read only the first line
        lines = [f"{self.place or '<value>'}: {self.severity}[{self.code}]: {message}"]
        if self.place and self.place.source_line:
            lines += _excerpt(self.place, self.text)
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


def _excerpt(place: Place, text: str) -> list[str]:
    at = place.column - 1
    start = max(0, at - _WINDOW_CHARS)
    end = at + _WINDOW_CHARS
    raw = place.source_line
    before = raw[start:at].replace("\t", "    ")
    after = raw[at:end].replace("\t", "    ")
    left = "…" if start else ""
    right = "…" if end < len(raw) else ""
    width = max(1, min(len(text.split("\n", 1)[0]), len(after)))
    number = f"{place.line:>5} | "
    caret = " " * len(left + before) + "^" + "~" * (width - 1)
    return [number + left + before + after + right, " " * (len(number) - 2) + "| " + caret]


def nearest_names(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """Find the known names that resemble a misspelt one.

    Args:
        name: The name in the script.
        known: The names that it could mean.
        limit: Maximum number of results.

    Returns:
        The names, best first. Always empty for very long names, so that errors stay cheap on hostile input.
    """
    choices = [item for item in known if len(item) <= _GUESS_CHARS][:_GUESS_NAMES]
    if len(name) > _GUESS_CHARS or not choices:
        return []
    return difflib.get_close_matches(name, choices, n=limit, cutoff=0.6)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Make a hint from `nearest_names`, or "" if nothing is similar."""
    near = nearest_names(name, known)
    return f"did you mean {' or '.join(near)}?" if near else ""


def shorten(text: str, limit: int = 80) -> str:
    """Cut a piece of source for a one-line message. Line feeds are shown escaped."""
    flat = text[: limit + 1].replace("\n", "\\n")
    return flat if len(flat) <= limit else flat[:limit] + "…"
