"""The scanner of a parameter block: takes lines and gives items, in one pass and in linear time.

`ScriptReader` feeds it the lines of an action, and `Block` scans a block again. The reference works in three stages: it
unifies quotes, folds the block to one line, and scans that. This scanner does all of it in one pass over the original
lines, because only so can it respect quotes [Q14], tell comments from text [Q12, Q13] and keep positions. The folded
form is still the model: a line end is one blank between two trimmed lines, except inside a multi-line value.

Invariant: every character is looked at a bounded number of times. All patterns are possessive, values are collected in
lists and joined once, and no step looks back over a value that is still growing.

Source: HeroScript specification, sections 4.1 to 4.4.
"""

from __future__ import annotations

import re
from typing import ClassVar

from hero_engine.languages.heroscript.text.diagnostic import Diagnostic, Severity
from hero_engine.languages.heroscript.text.names import BLANKS, ascii_lower
from hero_engine.languages.heroscript.text.source import Source, dedent_lines
from hero_engine.languages.heroscript.text.tokens import (
    AFTER_VALUE,
    BARE,
    BEFORE_VALUE,
    BETWEEN,
    BLANK_RUN,
    BODY,
    BRACKETED,
    CLOSERS,
    HTML,
    NAME,
    OPENER,
    QUOTE_BODY,
    QUOTED,
    SIMPLE,
    Item,
    end_of,
    illegal_char,
)
from hero_engine.languages.heroscript.text.values import clean_value


class BlockScanner:
    """Reads one parameter block, line by line.

    Args:
        source: The text that the lines come from; only used for places.

    Call `feed` for each line, then `finish`. Afterwards `items`, `remark` (comments that no item follows) and
    `warnings` hold the result. `in_body` tells the caller whether a multi-line value is open, in which `!` has no
    meaning [Q03].
    """

    simple: ClassVar[re.Pattern[str]] = SIMPLE  # a test overrides it to compare the fast path with the states

    __slots__ = (
        "_after",
        "_body",
        "_bracketed",
        "_delimiter",
        "_first",
        "_indent",
        "_index",
        "_is_list",
        "_key",
        "_key_at",
        "_line",
        "_opened_at",
        "_parts",
        "_quoted_parts",
        "_run",
        "_said",
        "_source",
        "_state",
        "_tail",
        "items",
        "warnings",
    )

    def __init__(self, source: Source) -> None:
        self._source = source
        self.items: list[Item] = []
        self.warnings: list[Diagnostic] = []
        # Comments that do not belong to an item yet. A list, because there can be any number of them before the next
        # item.
        self._said: list[str] = []
        self._state = self._after = BETWEEN
        self._is_list = self._bracketed = False
        # The raw value at the end of the last line, if it belongs to a parameter and came from the fast path.
        self._tail: str | None = None
        self._first = 0
        self._run: list[str] = []
        self._parts: list[str] = []
        self._quoted_parts: list[str] = []
        self._body: list[str] = []
        self._key = self._line = self._delimiter = ""
        self._key_at = self._opened_at = (0, 0)
        self._index = self._indent = 0

    @property
    def remark(self) -> str:
        """Raw comments that no item follows."""
        return "".join(self._said)

    @property
    def in_body(self) -> bool:
        """Whether a multi-line value is open."""
        return self._state == BODY

    def feed(self, index: int, text: str, start: int = 0) -> None:
        """Scan the next line of the block.

        Args:
            index: 0-based index of the line in the source.
            text: The line, with tabs expanded; for the first line of an action, the part after its name.
            start: 0-based column of `text` in the normalised line.

        Raises:
            ParseError: The line holds a character that is not allowed in a name.
        """
        state = self._state
        line = text.strip(BLANKS)
        if state == BODY:
            self._feed_body(text, line)
            return
        if not line:
            return
        self._line = line
        self._index = index
        # The column of the trimmed line. Only places need it, but it is cheap compared with the scan.
        self._indent = start + len(text) - len(text.lstrip(BLANKS))
        if state == HTML:
            self._feed_html(0)
            return
        if state != QUOTED and line.startswith(("//", "<!--")):
            if state == AFTER_VALUE:
                self._store()
            self._tail = None
            self._first = len(self.items)
            if line[0] == "/":
                self._run.append(line.strip(" <->/"))
            else:
                self._opened_at = (index, self._indent)
                self._after = BEFORE_VALUE if state == BEFORE_VALUE else BETWEEN
                self._state = HTML
                self._feed_html(4)
            return
        self._end_run()
        if line[0] == ",":
            self._reopen()
        elif state == AFTER_VALUE:
            self._store()
        self._tail = None
        self._first = len(self.items)
        self._scan(0)

    def finish(self) -> None:
        """End the block: close everything that is open, with a warning for open quotes and comments [Q24, Q26]."""
        state = self._state
        if state == BODY:
            self._warn("Q24", "this multi-line value is never closed", "close it by a line that holds only '")
            self._store_body()
        elif state == QUOTED:
            self._warn("Q24", "this quote is never closed: its value runs to the end of the parameters", "")
            self._close_quote()
            self._quote_item()
            self._store()
        elif state == AFTER_VALUE:
            self._quote_item()
            self._store()
        elif state == BEFORE_VALUE:
            # The reference loses `key:` and `key:a,b,` at the end of a block [Q10, Q52].
            self._store()
        elif state == HTML:
            self._warn("Q26", "this comment is never closed", "close it by -->")
        self._end_run()
        self._state = BETWEEN

    def _reopen(self) -> None:
        """A line that starts with a comma continues the value at the end of the line before it."""
        if self._tail is None:
            return
        item = self.items.pop()
        self._key, self._key_at, self._said = item.key or "", (item.line, item.column), [item.remark]
        self._parts = [self._tail]
        self._state = AFTER_VALUE

    # The states of a line -----------------------------------------------------------------------------------------

    def _scan(self, pos: int) -> None:
        line, end = self._line, len(self._line)
        match_simple = self.simple.match
        tail: str | None = None
        while pos < end:
            state = self._state
            if state == BETWEEN:
                found = match_simple(line, pos)
                if found is None:
                    pos = self._read_name(pos)
                    continue
                key, single, double, bare, arg = found.groups()
                remark = self._take_remark() if self._said else ""
                if arg is not None:
                    self.items.append(Item(None, arg, remark, self._index, self._indent + found.start(5)))
                    tail = None
                else:
                    tail = value = bare if bare is not None else single if single is not None else double
                    at = self._indent + found.start(1)
                    key = key.lower().lstrip("/")
                    self.items.append(Item(key, clean_value(value), remark, self._index, at))
                pos = found.end()
                if pos == end:
                    self._tail = tail
            elif state == BEFORE_VALUE:
                pos = self._read_value(pos)
            elif state == AFTER_VALUE:
                pos = self._read_after(pos)
            else:
                pos = self._read_quoted(pos)

    def _read_name(self, pos: int) -> int:
        line = self._line
        pos = end_of(BLANK_RUN, line, pos)
        if line.startswith("//", pos):
            return self._read_comment(pos)
        stop = end_of(NAME, line, pos)
        name = line[pos:stop]
        colon = end_of(BLANK_RUN, line, stop)
        if line.startswith(":", colon):
            # Blanks before the colon are allowed, on the same line [Q11].
            self._key = ascii_lower(name).lstrip("/")
            self._key_at = (self._index, self._indent + pos)
            self._state = BEFORE_VALUE
            return colon + 1
        if stop < len(line) and line[stop] != " ":
            raise illegal_char(line, pos, stop, self._source.place(self._index, self._indent + stop))
        self.items.append(Item(None, name, self._take_remark(), self._index, self._indent + pos))
        return stop

    def _read_value(self, pos: int) -> int:
        line = self._line
        start = pos
        # The line is trimmed: there is a character behind the blanks.
        pos = end_of(BLANK_RUN, line, pos)
        char = line[pos]
        if char == "/" and (pos > start or pos == 0) and line.startswith("//", pos):
            return self._read_comment(pos)
        if (char in "[{" and not self._parts) or (char in "'\"" and self._bracketed):
            return self._read_bracketed(pos)
        if char in "'\"":
            if not self._parts and self._key_at[0] == self._index and self._opens_body(pos):
                return self._open_body(pos)
            self._delimiter = char
            self._opened_at = (self._index, self._indent + pos)
            self._quoted_parts = []
            self._state = QUOTED
            return self._read_quoted(pos + 1)
        return self._read_bare(pos)

    def _read_bracketed(self, pos: int) -> int:
        """A list or object in brackets with quoted strings is kept as it is, up to a blank or the end of the line."""
        line = self._line
        stop = end_of(BRACKETED, line, pos)
        piece = line[pos:stop]
        # Without strings it is a plain value, in which the blanks after commas vanish as in any list. This is checked
        # once per value, at its first bracket, so that its text is not searched again and again.
        if "'" not in piece and '"' not in piece:
            return self._read_bare(pos)
        piece = piece.rstrip(" ")
        self._parts.append(piece)
        self._bracketed = True
        self._state = BEFORE_VALUE if piece.endswith(",") else AFTER_VALUE
        return stop

    def _read_bare(self, pos: int) -> int:
        line = self._line
        stop = end_of(BARE, line, pos)
        self._is_list = line.startswith(",", stop)
        if self._is_list:
            stop += 1
        self._parts.append(line[pos:stop])
        self._state = BEFORE_VALUE if self._is_list else AFTER_VALUE
        return stop

    def _read_quoted(self, pos: int) -> int:
        line = self._line
        stop = end_of(QUOTE_BODY[self._delimiter], line, pos)
        self._quoted_parts.append(line[pos:stop])
        if stop < len(line):
            self._close_quote()
            self._state = AFTER_VALUE
            return stop + 1
        return stop

    def _read_after(self, pos: int) -> int:
        line = self._line
        pos = end_of(BLANK_RUN, line, pos)
        if line[pos] == ",":
            self._is_list = True
            self._quote_item()
            self._parts.append(",")
            self._state = BEFORE_VALUE
            return pos + 1
        self._store()
        return pos

    # Comments -----------------------------------------------------------------------------------------------------

    def _read_comment(self, pos: int) -> int:
        """A comment at the end of a line belongs to the first item of that line [Q21]."""
        remark = self._line[pos + 2 :].strip(BLANKS) + "-"
        if len(self.items) > self._first:
            item = self.items[self._first]
            self.items[self._first] = item._replace(remark=item.remark + remark)
        elif remark.strip("-"):  # an empty one leaves no dash for the next comment
            self._said.append(remark)
        return len(self._line)

    def _feed_html(self, pos: int) -> None:
        """A comment between `<!--` and `-->`, on any number of lines [Q26]."""
        text, close, rest = self._line[pos:].partition("-->")
        if text := text.strip(" <->/"):
            self._run.append(text)
        if not close:
            return
        self._state = self._after
        if rest:
            self._end_run()
            self._scan(len(self._line) - len(rest))

    def _end_run(self) -> None:
        if self._run and (text := "\n".join(self._run).strip(BLANKS)):
            self._said.append(text + "-")
        self._run = []

    def _take_remark(self) -> str:
        remark, self._said = "".join(self._said), []
        return remark

    # Multi-line values --------------------------------------------------------------------------------------------

    def _opens_body(self, pos: int) -> bool:
        found = OPENER.match(self._line, pos)
        # `key:' // it's'` is a quoted value. `key:' // note` opens a multi-line value and has a comment.
        return found is not None and self._line.find(found[1][0], found.end(1)) < 0

    def _open_body(self, pos: int) -> int:
        self._opened_at = (self._index, self._indent + pos)
        self._body = []
        if (comment := self._line.find("//", pos)) >= 0:
            self._read_comment(comment)
        self._state = BODY
        return len(self._line)

    def _feed_body(self, text: str, line: str) -> None:
        if len(line) in (1, 3) and line.replace('"', "'") in CLOSERS:
            self._store_body()
        else:
            self._body.append(text)

    def _store_body(self) -> None:
        # Both kinds of quotes become double quotes [Q15].
        self._parts = ["\n".join(dedent_lines(self._body)).replace("'", '"')]
        self._body = []
        self._store()

    # Storing ------------------------------------------------------------------------------------------------------

    def _close_quote(self) -> None:
        pieces = self._quoted_parts
        # The lines of a quoted value are joined by blanks [Q25].
        value = " ".join(pieces) if len(pieces) > 1 else pieces[0]
        # Inside double quotes, a backslash before a double quote escapes it, and the quote becomes a single one, as in
        # the reference [Q14]. Inside single quotes a backslash is text, so that JSON can be written there.
        self._parts.append(value.replace('\\"', "\\'") if self._delimiter == '"' else value)
        self._quoted_parts = []

    def _quote_item(self) -> None:
        """Quote an item of several words at the end of the value, if the value is a list [Q17, Q19]."""
        if self._is_list and not self._bracketed:
            head, comma, last = self._parts[-1].rpartition(",")
            if " " in last:
                self._parts[-1] = f'{head}{comma}"{last}"'

    def _store(self) -> None:
        line, column = self._key_at
        self._end_run()
        value = clean_value("".join(self._parts))
        self.items.append(Item(self._key, value, self._take_remark(), line, column))
        self._parts = []
        self._bracketed = False
        # In the reference, the flag leaks into the next value [Q18].
        self._is_list = False
        self._state = BETWEEN

    def _warn(self, code: str, message: str, hint: str) -> None:
        place = self._source.place(*self._opened_at)
        self.warnings.append(Diagnostic(severity=Severity.WARNING, code=code, message=message, place=place, hint=hint))
