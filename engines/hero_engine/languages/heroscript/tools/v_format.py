"""Writes an action so that the V side reads it as this parser does. `heroctl heroscript fmt --for v` uses it. Pure.

Invariant: what is written for V was read both ways, with the same result; otherwise the action stays in the common
style. Some values have no form that V reads: those with both kinds of quotes, and those with a double quote and a line
that begins with `!`.
"""

from __future__ import annotations

from hero_engine.languages.heroscript.playbook.action import Action
from hero_engine.languages.heroscript.playbook.export import SEPARATOR
from hero_engine.languages.heroscript.playbook.playbook import Playbook
from hero_engine.languages.heroscript.text.block import Block
from hero_engine.languages.heroscript.text.errors import HeroScriptError
from hero_engine.languages.heroscript.text.names import BLANKS
from hero_engine.languages.heroscript.text.tokens import Item, remark_of
from hero_engine.languages.heroscript.text.values import NEWLINE_MARK
from hero_engine.languages.heroscript.text.write import COMMENT_ENDS, write_head
from hero_engine.languages.heroscript.tools.v_check import reads_alike
from hero_engine.languages.heroscript.tools.v_reading import read_as_v

_INDENT = "    "


def format_for_v(action: Action, block: Block, original: list[str], formatted: list[str]) -> list[str]:
    """Choose how to write an action.

    Args:
        action: The action, read with blank lines kept.
        block: Where it was read.
        original: Its lines as written.
        formatted: Its lines in the common style.

    Returns:
        The first of these that V reads rightly: the common style, a style for V, the lines as written. If there is
        none, the common style.
    """
    return next(
        (
            lines
            for lines in (formatted, _style_for_v(action, block, original[0]), original)
            if _is_certain(action, lines)
        ),
        formatted,
    )


def _is_certain(action: Action, lines: list[str]) -> bool:
    """Whether these lines are the action, for both parsers, whether blank lines are kept or not."""
    text = "\n".join(lines)
    theirs = read_as_v(text)
    if len(theirs) != 1:
        return False
    for keep in (False, True):
        try:
            ours = Playbook.parse(text, keep_blank_lines=keep).actions
        except HeroScriptError:
            return False
        if len(ours) != 1 or (ours[0].actor, ours[0].name, ours[0].type) != (action.actor, action.name, action.type):
            return False
        if keep and (ours[0].params.get_map(), ours[0].params.args) != (action.params.get_map(), action.params.args):
            return False
        if not keep and not reads_alike(ours[0], theirs[0]):
            return False
    return True


def _style_for_v(action: Action, block: Block, head_line: str) -> list[str]:
    """Write each item on a line of its own, in a form that V does not confuse with anything."""
    start = head_line[: len(head_line) - len(head_line.lstrip(BLANKS))].replace("\t", _INDENT)
    lines = [start + write_head(action.type.bangs, action.actor, action.name)]
    indent = " " * len(start) + _INDENT
    for number, item in enumerate(block.scan().items):
        text = item.value if item.key is None else item.key
        if number and text.startswith(","):
            lines.append(indent + SEPARATOR)
        lines += [indent + line if line else "" for line in (*_comment(item), *_item(item))]
    return lines


def _comment(item: Item) -> list[str]:
    """Between `<!--` and `-->` V looks for no quotes; a dash before a slash would end the comment, so it is parted."""
    lines = (line.strip(COMMENT_ENDS + BLANKS) for line in remark_of(item).split("\n"))
    return [f"<!-- {line.replace('-/', '- /').replace('-->', '-- >')} -->" for line in lines if line]


def _item(item: Item) -> list[str]:
    if item.key is None:
        return [item.value]
    value = item.value
    if '"' in value or (item.key and "\n" in value and "\n\n" in value):
        # Only on lines of its own can a value hold a double quote. A backslash at its end would escape the closing
        # quote; the line end behind it is trimmed.
        lines = value.split("\n")
        if value.endswith("\\"):
            lines[-1] += "<BR>"
        return [f"{item.key}:'", *(f"{_INDENT}{line}" if line else "" for line in lines), f"{_INDENT}'"]
    text = value.replace("'", "\\'").replace("\n", NEWLINE_MARK)
    # V would take a colon before the closing quote at the end of a line for the start of a value of several lines.
    return [f"{item.key}:'{text}<BR>'" if text.endswith(("\\", ":")) else f"{item.key}:'{text}'"]
