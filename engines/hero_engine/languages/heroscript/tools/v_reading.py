"""Reads a script as the V side does, mistakes included, so that others can tell where V misreads it. Pure.

`v_check` compares this reading with ours, and `v_format` makes sure of what it writes. Only what an action does counts:
its names, values and arguments, not its comments. Takes linear time. Invariant: any text gives a result.

Source: HeroScript specification, sections 3 to 4.4, without the mended quirks; tests/engine/languages/heroscript/v_lane
has what the real program reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hero_engine.languages.heroscript.text.names import BLANKS, ascii_lower, name_fix
from hero_engine.languages.heroscript.text.source import dedent_lines, margin_of, split_lines
from hero_engine.languages.heroscript.text.tokens import end_of
from hero_engine.languages.heroscript.text.values import NEWLINE_MARK, clean_value

_COMMENT_ENDS = " <->/"
_NAME_RUN = re.compile(r"[A-Za-z0-9_.,]*+")
_BARE_RUN = re.compile(r"[^ ,]*+")
_SPACES = re.compile(r" *+")
_BETWEEN, _NAME, _BEFORE, _BARE, _QUOTED, _AFTER, _REMARK = range(7)


@dataclass(slots=True, kw_only=True)
class VAction:
    """An action as V reads it.

    Attributes:
        start: 0-based index of its line.
        end: 0-based index of the line that ends it.
        actor: Its actor.
        name: Its name.
        params: Values by key.
        args: Values without a key.
        error: Why V refuses the whole script because of this action; "" if it does not.
    """

    start: int
    end: int
    actor: str
    name: str
    params: dict[str, str] = field(default_factory=dict)
    args: list[str] = field(default_factory=list)
    error: str = ""


def read_as_v(text: str) -> list[VAction]:
    """Read a script as V does.

    Args:
        text: The script. V sees no action in a line that begins with a byte order mark.

    Returns:
        The actions in order. V itself stops at the first one with an error.
    """
    lines = [line.replace("\t", "    ") for line in split_lines(text)]
    margin = margin_of(lines)
    lines = [line[margin:] for line in lines]
    actions: list[VAction] = []
    action: VAction | None = None
    block: list[str] = []
    for index, line in enumerate(lines):
        trimmed = line.strip(BLANKS)
        if not trimmed:
            continue
        if action is not None:
            if line.startswith("  ") and trimmed[0] != "!":
                block.append(line)
                action.end = index + 1
                continue
            _read_block(action, block)
            action = None
        if trimmed[0] == "!" and not trimmed.startswith("!["):
            action, block = _open(index, trimmed)
            actions.append(action)
    if action is not None:
        _read_block(action, block)
    return actions


def _open(index: int, trimmed: str) -> tuple[VAction, list[str]]:
    head, _, rest = trimmed.partition(" ")
    names = head.lstrip("!")
    parts = names.split(".")
    action = VAction(start=index, end=index + 1, actor="core", name=name_fix(parts[-1]))
    if len(parts) == 2:
        action.actor = name_fix(parts[0])
    if len(head) - len(names) > 4 or len(parts) > 2:
        action.error = "illegal head"
    rest = rest.strip(BLANKS)
    return action, [rest] if rest else []


def _read_block(action: VAction, lines: list[str]) -> None:
    if not action.error:
        _Scan(action, " ".join(_fold([line.replace('"', "'") for line in dedent_lines(lines)]))).run()
        action.params.pop("id", None)


def _fold(lines: list[str]) -> list[str]:
    """Fold a block to the pieces of one line."""
    pieces: list[str] = []
    run: list[str] = []
    body: list[str] | None = None
    opener = key = ""

    def close_body() -> None:
        text = "\n".join(dedent_lines(body or [])).replace("'", '"').replace("\n", NEWLINE_MARK)
        head = f"{opener}\\n" if opener else ""
        pieces.append(f"{key}:'{head}{text}'")

    def close_run() -> None:
        if run:
            pieces.append("//" + NEWLINE_MARK.join(line.strip(_COMMENT_ENDS) for line in run) + "-/")
            run.clear()

    for line in lines:
        trimmed = line.strip(BLANKS)
        if body is not None:
            if trimmed in ("'", "'''"):
                close_body()
                body = None
            else:
                body.append(line)
            continue
        if run and trimmed.startswith("//") and not trimmed.endswith("-->"):
            run.append(trimmed)
            continue
        close_run()
        if trimmed.startswith("<!--"):
            run.append(trimmed)
            continue
        before, slashes, after = trimmed.rpartition("//")
        if slashes and "'" not in after:
            if not (before := before.strip(BLANKS)):
                run.append(trimmed)
                continue
            pieces.append(f"//{after}-/")
            trimmed = before
        squeezed = trimmed
        for _ in range(3):
            squeezed = squeezed.replace(": ", ":")
        if squeezed.endswith((":'", ":'''")):
            key, _, rest = squeezed.partition(":")
            opener = squeezed if rest.strip("' ") else ""
            body = []
        else:
            pieces.append(trimmed)
    if body is not None:
        close_body()
    close_run()
    return pieces


class _Scan:
    """Reads the items of a folded block; the states are those of the table in the specification."""

    __slots__ = ("_action", "_is_list", "_name", "_text", "_value")

    def __init__(self, action: VAction, text: str) -> None:
        self._action = action
        self._text = text
        self._name = ""
        self._value: list[str] = []
        self._is_list = False

    def run(self) -> None:
        """Read the whole text, or up to a character that V refuses."""
        steps = (self._between, self._read_name, self._before, self._bare, self._quoted, self._after, self._remark)
        state, pos = _BETWEEN, 0
        while pos < len(self._text):
            state, pos = steps[state](pos)
            if self._action.error:
                return
        if state in (_BARE, _QUOTED, _AFTER):
            if self._is_list:
                self._quote_item()
            self._store()
        elif state == _NAME and self._name:
            self._store_arg()

    def _between(self, pos: int) -> tuple[int, int]:
        return _NAME, end_of(_SPACES, self._text, pos)

    def _read_name(self, pos: int) -> tuple[int, int]:
        text, char = self._text, self._text[pos]
        if char == "/":
            if pos and text[pos - 1] == "/":
                return _REMARK, pos + 1
            self._name += char
            return _NAME, pos + 1
        if char == ":":
            return _BEFORE, pos + 1
        if char == " ":
            if not self._name:
                return _NAME, pos + 1
            self._store_arg()
            return _BETWEEN, pos + 1
        stop = end_of(_NAME_RUN, text, pos)
        if stop == pos:
            self._action.error = f"illegal character {char}"
        self._name += text[pos:stop]
        return _NAME, stop

    def _before(self, pos: int) -> tuple[int, int]:
        pos = end_of(_SPACES, self._text, pos)
        return (_QUOTED, pos + 1) if self._text.startswith("'", pos) else (_BARE, pos)

    def _bare(self, pos: int) -> tuple[int, int]:
        stop = end_of(_BARE_RUN, self._text, pos)
        self._value.append(self._text[pos:stop])
        if stop == len(self._text):
            return _BARE, stop
        self._is_list = self._text[stop] == ","
        if self._is_list:
            self._value.append(",")
        return _BEFORE if self._is_list else _AFTER, stop + 1

    def _quoted(self, pos: int) -> tuple[int, int]:
        stop = self._text.find("'", pos)
        if stop < 0:
            self._value.append(self._text[pos:])
            return _QUOTED, len(self._text)
        self._value.append(self._text[pos:stop])
        if self._text[stop - 1] != "\\":
            return _AFTER, stop + 1
        self._value.append("'")
        return _QUOTED, stop + 1

    def _after(self, pos: int) -> tuple[int, int]:
        char = self._text[pos]
        if char == " ":
            return _AFTER, pos + 1
        if char == ",":
            self._is_list = True
            self._quote_item()
            return _BEFORE, pos
        self._store()
        return _BETWEEN, pos

    def _remark(self, pos: int) -> tuple[int, int]:
        close = self._text.find("-/", pos)
        return (_REMARK, len(self._text)) if close < 0 else (_BETWEEN, close + 2)

    def _quote_item(self) -> None:
        whole = "".join(self._value)
        head, comma, last = whole.rpartition(",")
        self._value = [f'{head if comma else whole},"{last}"' if " " in last else whole]

    def _store(self) -> None:
        params, key = self._action.params, ascii_lower(self._name).strip(BLANKS).lstrip("/")
        params.pop(key, None)
        params[key] = clean_value("".join(self._value))
        self._name, self._value = "", []

    def _store_arg(self) -> None:
        arg, args = self._name.strip(" '").lstrip("/"), self._action.args
        if ascii_lower(arg) not in args:
            args.append(arg)
        self._name = ""
