"""A script's text as lines, and the way back from a parsed position to the text as its author wrote it.

The parser creates a source, and every action keeps it, so that an error that is found long after parsing still shows
its line. Invariant: `lines[i]` is line `i + 1` of the text after replacement, with tabs expanded and the common margin
removed.

Source: HeroScript specification, sections 2 and 7.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping

from hero_engine.languages.heroscript.text.diagnostic import Place
from hero_engine.languages.heroscript.text.names import BLANKS

_TAB = "    "
_TAB_GROWTH = len(_TAB) - 1
_SIGILS = ("@", "$", "[", "{")


class Source:
    """The normalised lines of one text.

    Args:
        text: The script after replacement.
        path: Its name in messages, "" for none.
    """

    __slots__ = ("_margin", "_raw", "_tabs", "lines", "path")

    def __init__(self, text: str, path: str = "") -> None:
        self.path = path
        self._tabs: tuple[str, list[int]] = ("", [])
        self._raw = split_lines(text.removeprefix("\ufeff"))
        lines = [line.replace("\t", _TAB) for line in self._raw] if "\t" in text else self._raw
        self._margin = margin_of(lines)
        self.lines = [line[self._margin :] for line in lines] if self._margin else lines

    def place(self, index: int, column: int) -> Place:
        """Convert a position in a normalised line to a place in the text.

        Args:
            index: 0-based line.
            column: 0-based column in the normalised line.

        Returns:
            The 1-based place, with the line as written.
        """
        raw = self._raw[index]
        return Place(path=self.path, line=index + 1, column=self._raw_column(raw, column) + 1, source_line=raw)

    def raw_line(self, index: int) -> str:
        """Return line `index` (0-based) as written, without its line end."""
        return self._raw[index]

    def _raw_column(self, raw: str, column: int) -> int:
        wanted = column + self._margin
        if "\t" not in raw:
            return wanted
        if self._tabs[0] is not raw:
            # Cached for the next place on this line, because a long line can have many findings.
            positions = [at for at, char in enumerate(raw) if char == "\t"]
            self._tabs = (raw, [at + number * _TAB_GROWTH for number, at in enumerate(positions)])
        starts = self._tabs[1]
        number = bisect_right(starts, wanted)
        if number and wanted < starts[number - 1] + len(_TAB):
            return starts[number - 1] - (number - 1) * _TAB_GROWTH
        return wanted - number * _TAB_GROWTH


def split_lines(text: str) -> list[str]:
    """Split at LF, CR LF, and lone CR [Q48]. A final line end adds no empty line."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def margin_of(lines: Iterable[str]) -> int:
    """Count the leading spaces that all lines share, except blank ones."""
    margin: int | None = None
    for line in lines:
        if not line.strip(BLANKS):
            continue
        indent = len(line) - len(line.lstrip(" "))
        if not indent:
            return 0
        margin = indent if margin is None else min(margin, indent)
    return margin or 0


def dedent_lines(lines: list[str]) -> list[str]:
    """Remove the common margin. Blank lines become empty. Tabs must be expanded already."""
    margin = margin_of(lines)
    return [line[margin:] if line.strip(BLANKS) else "" for line in lines]


def replace_words(text: str, words: Mapping[str, str]) -> str:
    """Apply a replacement map to the raw text of a script, in the order of the map.

    Args:
        text: The script.
        words: A key that starts with `@`, `$`, `[` or `{` is replaced as it is; any other key `k` is replaced where it
            is written `@k`, `${k}` or `{k}`.

    Returns:
        The text. Plain substrings are replaced, so `@node` also changes `@nodename` [Q41].

    Source: specification, section 7.
    """
    for key, value in words.items():
        if not key:
            continue
        forms = (key,) if key.startswith(_SIGILS) else (f"@{key}", f"${{{key}}}", f"{{{key}}}")
        for form in forms:
            text = text.replace(form, value)
    return text
