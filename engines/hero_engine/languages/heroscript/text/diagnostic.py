"""Diagnostics as data, and how they are shown: `path:line:col`, the source line, a caret, a hint.

Used for errors, for the warnings a playbook collects, and by the checker. Pure; knows nothing of the grammar.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

# A line of a megabyte must not flood a terminal: this much of it is shown on each side of the caret.
_WINDOW_CHARS = 70
# difflib compares quadratically: names longer than this are not worth a guess, nor are lists of more than that.
_GUESS_CHARS = 64
_GUESS_NAMES = 2000


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A point in a source text.

    Args:
        path: name of the source, "" for a text without one.
        line: 1-based.
        column: 1-based, in characters; a tab is one character.
        source_line: the whole line as its author wrote it.
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
        severity: error or warning.
        code: stable name of the rule (`syntax`, or the number of a quirk such as `Q04`).
        message: one sentence.
        place: where; None if it is about no text.
        text: the offending piece; the caret underlines as much of it as the line holds.
        hint: a proposal, or "".
    """

    severity: Severity
    code: str
    message: str
    place: Place | None = None
    text: str = ""
    hint: str = ""

    def render(self) -> str:
        """Several lines in the manner of a compiler.

        Returns:
            `path:line:col: severity[code]: message`, the source line, the caret, and the hint if there is one.
        """
        message = self.message.replace("\n", " ")  # some quote a text; editors read the first line alone
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
    """Known names that resemble a misspelt one, best first.

    Args:
        name: what was written.
        known: what could have been meant.
        limit: at most so many.

    Returns:
        Possibly empty; always empty for very long names or vocabularies, to keep errors cheap on hostile input.
    """
    choices = [item for item in known if len(item) <= _GUESS_CHARS][:_GUESS_NAMES]
    if len(name) > _GUESS_CHARS or not choices:
        return []
    return difflib.get_close_matches(name, choices, n=limit, cutoff=0.6)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint sentence from `nearest_names`, or "" when nothing is near."""
    near = nearest_names(name, known)
    return f"did you mean {' or '.join(near)}?" if near else ""


def shorten(text: str, limit: int = 80) -> str:
    """Cut a piece of source for use inside a one-line message; newlines are shown escaped."""
    flat = text[: limit + 1].replace("\n", "\\n")
    return flat if len(flat) <= limit else flat[:limit] + "…"
