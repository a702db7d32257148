"""A parameter block as a piece of a source, so that it can be scanned again.

Made by the script reader and by `Params.parse`. Positions of single parameters are not stored: a script of a hundred
thousand actions would pay for them, and only an error or the formatter ever asks. They scan the block once more.
"""

from __future__ import annotations

from typing import NamedTuple

from hero_engine.languages.heroscript.text.diagnostic import Place
from hero_engine.languages.heroscript.text.names import BLANKS
from hero_engine.languages.heroscript.text.scan import BlockScanner
from hero_engine.languages.heroscript.text.source import Source


class Block(NamedTuple):
    """The lines `start` to `end` of a source, the first one from `column` on.

    Args:
        source: the text.
        start: 0-based index of the first line.
        end: 0-based index after the last line.
        column: 0-based column where the first line's parameters start.
        keep_blank_lines: whether blank lines count inside multi-line values [Q02].
    """

    source: Source
    start: int
    end: int
    column: int = 0
    keep_blank_lines: bool = True

    def scan(self) -> BlockScanner:
        """Scan the block from its first line to its last.

        Raises:
            ParseError: a character that no name may hold.
        """
        scanner = BlockScanner(self.source)
        lines = self.source.lines
        column = self.column
        for index in range(self.start, self.end):
            text = lines[index][column:] if column else lines[index]
            if self.keep_blank_lines or text.strip(BLANKS):
                scanner.feed(index, text, column)
            column = 0
        scanner.finish()
        return scanner

    def place_of(self, key: str) -> Place | None:
        """Where the value that counts for a key stands: the last one [Q50]; None if the text does not hold it."""
        for item in reversed(self.scan().items):
            if item.key == key:
                return self.source.place(item.line, item.column)
        return None

    def place_of_arg(self, arg: str) -> Place | None:
        """Where an argument stands."""
        for item in self.scan().items:
            if item.key is None and item.value == arg:
                return self.source.place(item.line, item.column)
        return None

    @property
    def place(self) -> Place:
        """Where the block starts: for an action, its head."""
        line = self.source.lines[self.start] if self.start < len(self.source.lines) else ""
        if not line:
            return Place(path=self.source.path, line=self.start + 1, column=1)
        return self.source.place(self.start, len(line) - len(line.lstrip(BLANKS)))
