"""Finds what the V side misreads in a script that this parser reads rightly. `heroctl heroscript check --for v` and the
V engine show it. Pure.

Every action is read both ways (`v_reading`). Where the readings differ, the block is searched for the quirks that are
known to cause it; a difference without a known cause is reported as such, so none goes unseen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hero_engine.languages.heroscript.playbook.action import Action
from hero_engine.languages.heroscript.playbook.playbook import Playbook
from hero_engine.languages.heroscript.text.diagnostic import Diagnostic, Severity, shorten
from hero_engine.languages.heroscript.text.errors import HeroScriptError
from hero_engine.languages.heroscript.text.names import BLANKS
from hero_engine.languages.heroscript.text.scan import BlockScanner
from hero_engine.languages.heroscript.text.source import Source
from hero_engine.languages.heroscript.text.tokens import BODY, HTML, QUOTED, Item
from hero_engine.languages.heroscript.tools.v_reading import VAction, read_as_v

BYTE_ORDER_MARK = "\ufeff"
_FIX = "`heroctl heroscript fmt --for v` writes it so that V reads it"
#: The first item of a list is quoted and has several words: key:'a b',c
_FIRST_QUOTED = re.compile(r""":[ ]*(?:'[^' ]* [^']*'|"[^" ]* [^"]*")[ ]*,""")
#: An item of a list that is quoted leaves V's mark of lists set.
_LATER_QUOTED = re.compile(r""",[ ]*['"]""")


def find_misreadings(text: str, path: str = "", *, playbook: Playbook | None = None) -> list[Diagnostic]:
    """Find what V reads differently.

    Args:
        text: The script.
        path: Its name in messages.
        playbook: The script as it was parsed already; None to parse it here, where actions with errors are left out.

    Returns:
        Warnings in the order of the text; none for a script that V reads as it is meant.
    """
    if playbook is None:
        playbook = Playbook()
        ignored: list[HeroScriptError] = []
        playbook.add(text, path=path, errors=ignored)
    found = [_byte_order_mark(text, path)] if text.startswith(BYTE_ORDER_MARK) else []
    theirs = {action.start: action for action in read_as_v(text.removeprefix(BYTE_ORDER_MARK))}
    for action in playbook.actions:
        block = action.params.block
        if block is None:  # pragma: no cover - parsed actions have a block
            continue
        other = theirs.get(block.start)
        if not reads_alike(action, other):
            causes = sorted(
                _causes(action), key=lambda one: (one.place.line, one.place.column) if one.place else (0, 0)
            )
            found += causes or [_unexplained(action, other)]
    return found


def reads_alike(action: Action, other: VAction | None) -> bool:
    """Whether V reads an action as this parser does; comments do not count."""
    return (
        other is not None
        and not other.error
        and (other.actor, other.name) == (action.actor, action.name)
        and other.params == action.params.get_map()
        and other.args == list(action.params.args)
    )


class _Tracer(BlockScanner):
    """A scanner that notes where comments and multi-line values are."""

    __slots__ = ("bodies", "comments")

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        #: 0-based line and column, and text behind `//`.
        self.comments: list[tuple[int, int, str]] = []
        #: Lines of multi-line values by the number of the item.
        self.bodies: dict[int, list[str]] = {}

    def feed(self, index: int, text: str, start: int = 0) -> None:
        line = text.strip(BLANKS)
        if self._state not in (BODY, HTML, QUOTED) and line.startswith("//"):
            self.comments.append((index, start + text.index("//"), line[2:]))
        super().feed(index, text, start)

    def _read_comment(self, pos: int) -> int:
        self.comments.append((self._index, self._indent + pos, self._line[pos + 2 :]))
        return super()._read_comment(pos)

    def _store_body(self) -> None:
        body = list(self._body)
        super()._store_body()
        self.bodies[len(self.items) - 1] = body


def _causes(action: Action) -> Iterator[Diagnostic]:
    block = action.params.block
    assert block is not None
    source, lines = block.source, block.source.lines
    tracer = _Tracer(source)
    block.scan_with(tracer)

    def finding(code: str, at: tuple[int, int], message: str, hint: str, text: str) -> Diagnostic:
        place = source.place(*at)
        return Diagnostic(severity=Severity.WARNING, code=code, message=message, place=place, hint=hint, text=text)

    for index in range(block.start + 1, block.end):
        line = lines[index].strip(BLANKS)
        if line.startswith("!"):
            message = "V ends the action at this line of a value, because it begins with !"
            yield finding("Q03", (index, len(lines[index]) - len(lines[index].lstrip(BLANKS))), message, _FIX, line)
    for index, column, text in tracer.comments:
        if "'" in text or '"' in text or "//" in text:
            message = "V takes this comment for parameters, because of its quote or second //, and loses what follows"
            yield finding(
                "Q12", (index, column), message, f"write <!-- ... --> on a line above, or: {_FIX}", "//" + text
            )
    is_leaking = False
    for number, item in enumerate(tracer.items):
        body = tracer.bodies.get(number)
        if item.key is None:
            continue
        at = (item.line, item.column)
        if body is not None:
            if "\n".join(body).rstrip(BLANKS).endswith("\\"):
                message = f"V does not end the value of {item.key} here, because it ends in a backslash"
                yield finding("v-backslash", at, message, _FIX, item.key)
            continue
        written = _written(tracer, number, lines)
        value = written.partition(":")[2].strip(" ")
        quote = value[:1] if value[:1] in ("'", '"') else ""
        if "//" in item.value and not quote:
            message = f"V takes the // in the value of {item.key} for the start of a comment"
            yield finding("Q13", at, message, "write the value in quotes", item.key)
        inner = value[1:-1] if quote and value.endswith(quote) else value
        if '"' in inner or (quote == '"' and "'" in inner) or (quote != "'" and "'" in inner):
            message = f"V does not tell ' from \", so it misreads the quotes in the value of {item.key}"
            yield finding("Q14", at, message, _FIX, item.key)
        elif value.endswith(("\\'", '\\"')):
            message = f"V does not end the value of {item.key} here, because it ends in a backslash"
            yield finding("v-backslash", at, message, _FIX, item.key)
        if _FIRST_QUOTED.match(f":{value}"):
            yield finding("Q17", at, f"V reads the first item of {item.key} twice", _FIX, item.key)
        elif is_leaking and quote and " " in item.value:
            message = f"V takes {item.key} for a list, because of the list before it, and reads its value twice"
            yield finding("Q18", at, message, _FIX, item.key)
        is_leaking = is_leaking or _LATER_QUOTED.search(value) is not None


def _written(tracer: _Tracer, number: int, lines: list[str]) -> str:
    """The text of an item, without its comment, up to the next item of its line or the end of the line."""
    item = tracer.items[number]
    line, stop = lines[item.line], len(lines[item.line])
    if number + 1 < len(tracer.items) and tracer.items[number + 1].line == item.line:
        stop = tracer.items[number + 1].column
    for index, column, _ in tracer.comments:
        if index == item.line and column > item.column:
            stop = min(stop, column)
    return line[item.column : stop].rstrip(" ")


def _unexplained(action: Action, other: VAction | None) -> Diagnostic:
    block = action.params.block
    assert block is not None
    item = _first_difference(block.scan().items, other)
    place = block.source.place(item.line, item.column) if item else action.place
    if other is None or other.error:
        message = f"V cannot read {action.full_name}"
    elif item is None:
        message = f"V reads {action.full_name} with more parameters than it has"
    else:
        message = f"V reads {shorten(item.key or item.value)} of {action.full_name} differently"
    hint = f"write each value on a line of its own, in single quotes; or: {_FIX}"
    return Diagnostic(severity=Severity.WARNING, code="v-differs", message=message, place=place, hint=hint)


def _first_difference(items: list[Item], other: VAction | None) -> Item | None:
    if other is None or other.error:
        return None
    for item in items:
        if item.key is None and item.value not in other.args:
            return item
        if item.key not in (None, "id") and other.params.get(item.key or "") != item.value:
            return item
    return None


def _byte_order_mark(text: str, path: str) -> Diagnostic:
    return Diagnostic(
        severity=Severity.WARNING,
        code="v-byte-order-mark",
        message="V reads no action in the first line, because a byte order mark stands before it",
        place=Source(text, path).place(0, 0),
        hint=f"save the file as UTF-8 without a byte order mark, or: {_FIX}",
    )
