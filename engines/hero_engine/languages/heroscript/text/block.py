"""A parameter block: the lines of a source that belong to one action, so that they can be scanned again.

`ScriptReader` and `Params.parse` make blocks. The positions of single parameters are not stored, because a script of a
hundred thousand actions would pay for them, and only errors and the formatter need them. Those scan the block again.
"""

from __future__ import annotations

from typing import NamedTuple

from hero_engine.languages.heroscript.text.diagnostic import Place
from hero_engine.languages.heroscript.text.names import BLANKS
from hero_engine.languages.heroscript.text.scan import BlockScanner
from hero_engine.languages.heroscript.text.source import Source


class Block(NamedTuple):
    """The lines from `start` to `end` of a source, where the first line counts from `column`.

    Args:
        source: The text.
        start: 0-based index of the first line.
        end: 0-based index after the last line.
        column: 0-based column at which the parameters of the first line start.
        keep_blank_lines: Blank lines are part of multi-line values [Q02].
    """

    source: Source
    start: int
    end: int
    column: int = 0
    keep_blank_lines: bool = True

    def scan(self) -> BlockScanner:
        """Scan the block.

        Returns:
            The scanner, with the items of the block.

        Raises:
            ParseError: The block holds a character that is not allowed in a name.
        """
        scanner = BlockScanner(self.source)
        self.scan_with(scanner)
        return scanner

    def scan_with(self, scanner: BlockScanner) -> None:
        """Scan the block with a scanner of its source.

        Raises:
            ParseError: The block holds a character that is not allowed in a name.
        """
        lines = self.source.lines
        column = self.column
        for index in range(self.start, self.end):
            text = lines[index][column:] if column else lines[index]
            if self.keep_blank_lines or text.strip(BLANKS):
                scanner.feed(index, text, column)
            column = 0
        scanner.finish()

    def place_of(self, key: str) -> Place | None:
        """Find the value of a key: the last one if the key is given more than once [Q50]; None if it is not there."""
        for item in reversed(self.scan().items):
            if item.key == key:
                return self.source.place(item.line, item.column)
        return None

    def place_of_arg(self, arg: str) -> Place | None:
        """Find an argument; None if it is not there."""
        for item in self.scan().items:
            if item.key is None and item.value == arg:
                return self.source.place(item.line, item.column)
        return None

    @property
    def place(self) -> Place:
        """Where the block starts. For an action, this is its head."""
        line = self.source.lines[self.start] if self.start < len(self.source.lines) else ""
        if not line:
            return Place(path=self.source.path, line=self.start + 1, column=1)
        return self.source.place(self.start, len(line) - len(line.lstrip(BLANKS)))
