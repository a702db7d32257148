"""Reads a script: decides which lines are actions, which belong to them, which are comments, and which are prose.

`Playbook` uses it. It makes one pass and has three states (idle, in a comment, in an action). It feeds the lines of an
action to the block scanner one by one, because whether `!` starts an action depends on whether a multi-line value is
open [Q03].

Source: HeroScript specification, section 3.
"""

from __future__ import annotations

from hero_engine.languages.heroscript.params.params import Params
from hero_engine.languages.heroscript.playbook.action import Action, ActionType
from hero_engine.languages.heroscript.text.block import Block
from hero_engine.languages.heroscript.text.diagnostic import Diagnostic, Severity, shorten
from hero_engine.languages.heroscript.text.errors import HeroScriptError, ParseError
from hero_engine.languages.heroscript.text.names import BLANKS, name_fix
from hero_engine.languages.heroscript.text.scan import BlockScanner
from hero_engine.languages.heroscript.text.source import Source

_TYPES = (ActionType.DAL, ActionType.SAL, ActionType.MACRO, ActionType.WAL)


class ScriptReader:
    """Reads one text; used once.

    Args:
        source: The text, replaced and split.
        first_id: Id of the first action.
        priority: Priority of all actions.
        keep_blank_lines: Keep blank lines inside multi-line values, which the reference drops [Q02].
        errors: If given, errors are appended to it and the actions concerned are left out. Otherwise the first error is
            raised.

    After `read`, `actions`, `othertext` (pieces to be joined) and `warnings` hold the result.
    """

    def __init__(
        self,
        source: Source,
        *,
        first_id: int = 1,
        priority: int = 50,
        keep_blank_lines: bool = False,
        errors: list[HeroScriptError] | None = None,
    ) -> None:
        self.actions: list[Action] = []
        self.othertext: list[str] = []
        self.warnings: list[Diagnostic] = []
        self._source = source
        self._next_id = first_id
        self._priority = priority
        self._keep_blank_lines = keep_blank_lines
        self._errors = errors
        self._heads: dict[str, tuple[ActionType, str, str]] = {}
        self._comments: list[str] = []
        self._in_comment = False
        self._scanner: BlockScanner | None = None
        # A placeholder for an action's parameters until its block is closed; it is never visible outside.
        self._none = Params()
        self._action = Action("", "", params=self._none)
        self._start = self._last = self._column = 0
        # The line that ended an action, until it is known whether parameters follow it [Q04].
        self._cut_index = -1

    def read(self) -> None:
        """Read the text to its end.

        Raises:
            ParseError: The text is not HeroScript, and `errors` was not given.
        """
        for index, line in enumerate(self._source.lines):
            text = line.strip(BLANKS)
            scanner = self._scanner
            if not text:
                if self._keep_blank_lines and scanner is not None and scanner.in_body:
                    scanner.feed(index, line)
                continue
            bang = text[0] == "!"
            if scanner is not None:
                if line.startswith("  ") and (not bang or scanner.in_body):
                    self._last = index
                    self._feed(scanner, index, line)
                    continue
                self._close(scanner)
                self._cut_index = index
                if not bang and line[0] == " ":
                    self._warn_one_space(index)
            if bang:
                self._in_comment = False
                self._cut_index = -1
                if not text.startswith("!["):
                    self._open(index, line, text)
            else:
                self._read_prose(line, text)
        if self._scanner is not None:
            self._close(self._scanner)
        if self._comments:
            self.othertext.append("\n".join(self._comments))

    def _read_prose(self, line: str, text: str) -> None:
        """Read a line outside of actions that starts none."""
        if line.startswith("//"):
            self._in_comment = True
            self._comments.append(text.lstrip("/ "))
            return
        if self._in_comment:
            self._in_comment = False
            self.othertext.append("\n".join(self._comments) + "\n")
            self._comments = []
        if self._cut_index >= 0:
            self._after_cut(line)

    # An action ----------------------------------------------------------------------------------------------------

    def _open(self, index: int, line: str, text: str) -> None:
        head, _, rest = text.partition(" ")
        found = self._heads.get(head)
        if found is None:
            try:
                found = self._heads[head] = self._read_head(index, head)
            except ParseError as error:
                self._report(error)
                return
        type_, actor, name = found
        comments = "\n".join(self._comments) if self._comments else ""
        self._comments = []
        self._action = Action(
            actor, name, id=self._next_id, type=type_, priority=self._priority, comments=comments, params=self._none
        )
        self._start = self._last = index
        self._scanner = scanner = BlockScanner(self._source)
        self._column = len(line) - len(line.lstrip(BLANKS)) + len(head) + 1
        if rest:
            self._feed(scanner, index, rest, self._column)

    def _feed(self, scanner: BlockScanner, index: int, text: str, column: int = 0) -> None:
        try:
            scanner.feed(index, text, column)
        except ParseError as error:
            self._scanner = None
            self._report(error)

    def _close(self, scanner: BlockScanner) -> None:
        self._scanner = None
        scanner.finish()
        if scanner.warnings:
            self.warnings += scanner.warnings
        block = Block(self._source, self._start, self._last + 1, self._column, self._keep_blank_lines)
        params = Params.from_items(scanner.items, block)
        params.discard("id")
        action = self._action
        action.params = params
        self.actions.append(action)
        self._next_id += 1

    def _read_head(self, index: int, head: str) -> tuple[ActionType, str, str]:
        names = head.lstrip("!")
        bangs = len(head) - len(names)
        if bangs > len(_TYPES):
            raise self._head_error(index, head, f"there is no action starting with {bangs} x !", "use one to four")
        parts = names.split(".")
        if len(parts) > 2:
            raise self._head_error(
                index,
                head,
                f"for now we only support actions with 1 or 2 parts.\nfound {len(parts)} in: {shorten(head)}",
                "write !!actor.name",
            )
        actor, name = ("core", parts[0]) if len(parts) == 1 else (parts[0], parts[1])
        actor, name = name_fix(actor), name_fix(name)
        if not actor or not name:
            # The reference continues with an empty name, which no filter and no program expects [Q05].
            missing = "actor" if not actor else "name"
            raise self._head_error(index, head, f"the action {shorten(head)} has no {missing}", "write !!actor.name")
        return _TYPES[bangs - 1], actor, name

    # Reports ------------------------------------------------------------------------------------------------------

    def _head_error(self, index: int, head: str, message: str, hint: str) -> ParseError:
        line = self._source.lines[index]
        place = self._source.place(index, len(line) - len(line.lstrip(BLANKS)))
        return ParseError(message, place=place, text=head, hint=hint)

    def _report(self, error: ParseError) -> None:
        # The comments above an action that is left out must not go to the next one.
        self._comments = []
        if self._errors is None:
            raise error
        # Without their tracebacks, because the frames of a hundred thousand errors would keep the garbage collector
        # busy.
        self._errors.append(error.with_traceback(None))

    def _warn(self, code: str, index: int, column: int, message: str, hint: str) -> None:
        place = self._source.place(index, column)
        text = self._source.lines[index][column:]
        self.warnings.append(
            Diagnostic(severity=Severity.WARNING, code=code, message=message, place=place, text=text, hint=hint)
        )

    def _warn_one_space(self, index: int) -> None:
        self._cut_index = -1
        message = "a line with one leading space ends the action and is not read"
        self._warn("Q01", index, 1, message, "indent parameters by two spaces or more")

    def _after_cut(self, line: str) -> None:
        """Warn once that parameters after a comment at column 0 are not read [Q04]."""
        cut, self._cut_index = self._cut_index, -1
        if line.startswith("  ") and self._source.lines[cut].startswith("//"):
            message = "this comment ends the action: the parameters below it are not read"
            self._warn("Q04", cut, 0, message, "indent the comment like the parameters")
