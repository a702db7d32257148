"""The formatter: rewrites a script in one style. `heroctl heroscript fmt` shows its result. Pure.

Only actions are rewritten; prose, Markdown, comments between actions, and blank lines stay. Inside an action, the
order, the comments and all stored values stay. Invariant: the formatted text gives the same playbook as the original,
with or without `keep_blank_lines`, and formatting it again changes nothing.

The style: names as they are stored. Everything is on the action's line if it fits and has neither comments nor line
ends; otherwise each item has its own line, indented by four more than the action. Values are bare if possible,
otherwise in single quotes.
"""

from __future__ import annotations

from hero_engine.languages.heroscript.playbook.action import Action
from hero_engine.languages.heroscript.playbook.export import SEPARATOR, own_lines
from hero_engine.languages.heroscript.playbook.playbook import Playbook
from hero_engine.languages.heroscript.text.block import Block
from hero_engine.languages.heroscript.text.names import BLANKS
from hero_engine.languages.heroscript.text.source import Source
from hero_engine.languages.heroscript.text.tokens import Item, remark_of
from hero_engine.languages.heroscript.text.values import clean_comment
from hero_engine.languages.heroscript.text.write import (
    COMMENT_ENDS,
    body_lines,
    comment_lines,
    end_comment,
    write_head,
    write_value,
)
from hero_engine.languages.heroscript.tools.v_format import format_for_v

MAX_COLUMNS = 100
_INDENT = "    "


def format_script(text: str, path: str = "", *, for_v: bool = False) -> str:
    """Rewrite a script in the one style.

    Args:
        text: The script.
        path: Its name in messages.
        for_v: Write an action that V would misread so that it reads it rightly, if that is possible (see `v_format`).

    Returns:
        The formatted script; every line ends with a line feed.

    Raises:
        ParseError: The text is not HeroScript.
    """
    playbook = Playbook.parse(text, path=path, keep_blank_lines=True)
    source = Source(text, path)
    out: list[str] = []
    at = 0
    for action in playbook.actions:
        block = action.params.block
        if block is None:  # pragma: no branch - parsed actions have a block
            continue
        out += [source.raw_line(index) for index in range(at, block.start)]
        before = [source.raw_line(index) for index in range(block.start, block.end)]
        lines = _format_action(action, block, before[0]) or before
        out += format_for_v(action, block, before, lines) if for_v else lines
        at = block.end
    out += [source.raw_line(index) for index in range(at, len(source.lines))]
    return "\n".join(line.rstrip(" \t") if not line.strip(" \t") else line for line in out) + ("\n" if out else "")


def _format_action(action: Action, block: Block, head_line: str) -> list[str] | None:
    """Format the lines of an action; None if it must stay as it is."""
    start = head_line[: len(head_line) - len(head_line.lstrip(BLANKS))].replace("\t", _INDENT)
    indent = " " * len(start)
    head = start + write_head(action.type.bangs, action.actor, action.name)
    scanner = block.scan()
    items = scanner.items
    last = _last_comments(clean_comment(scanner.remark)) if scanner.remark else []
    if not items and not last:
        return [head]
    if not last and not any(_needs_line(items, number) for number in range(len(items))):
        line = " ".join([head, *(_write_item(item) for item in items)])
        if len(line) <= MAX_COLUMNS:
            return [line]
    dropped = items
    if any(_has_blank_line(item) for item in items):
        dropped = block._replace(keep_blank_lines=False).scan().items
    lines: list[str] = []
    for number, item in enumerate(items):
        if number and _starts_with_comma(item):
            lines.append(SEPARATOR)
        written = _item_lines(item, dropped[number].value)
        if written is None:
            return None
        lines += written
    return [head, *(f"{indent}{_INDENT}{line}" if line else "" for line in [*lines, *last])]


def _item_lines(item: Item, dropped: str) -> list[str] | None:
    """Write one item on lines of its own.

    Args:
        item: The item, read with blank lines kept.
        dropped: Its value, read with blank lines dropped. If it differs, the value is written with blank lines. None is
            returned for a value that mixes blank lines with escaped line ends, because it cannot be written such that
            both readings stay the same.
    """
    comment = remark_of(item)
    if item.key is not None:
        blank_lines = item.value != dropped
        if blank_lines:
            body = body_lines(item.value, blank_lines=True)
            if body is None or "\n".join(line for line in body if line) != dropped:
                return None
            # The value keeps that form only if its comment fits on lines above it.
            if comment and comment_lines(comment) is None:
                return None
        return own_lines(item.key, item.value, comment, blank_lines=blank_lines, indent=_INDENT)
    above = comment_lines(comment) if comment else []
    if above is None:
        return [item.value + end_comment(comment)]
    return [*(f"// {line}" for line in above), item.value]


def _has_blank_line(item: Item) -> bool:
    return "\n" in item.value and any(not line.strip(BLANKS) for line in item.value.split("\n"))


def _last_comments(comment: str) -> list[str]:
    """Comments that no item follows. No reader stores them, but their author wants to keep them."""
    lines = [line.strip(COMMENT_ENDS + BLANKS) for line in comment.split("\n")]
    return [f"// {line}" for line in comment_lines("\n".join(line for line in lines if line)) or ()]


def _write_item(item: Item) -> str:
    return item.value if item.key is None else f"{item.key}:{write_value(item.key, item.value)}"


def _needs_line(items: list[Item], number: int) -> bool:
    item = items[number]
    if remark_of(item) or "\n" in item.value:
        return True
    if number and _starts_with_comma(item):
        return True
    # Behind an argument, the colon of an empty key would turn the argument into a key [Q11].
    return item.key == "" and number > 0 and items[number - 1].key is None


def _starts_with_comma(item: Item) -> bool:
    return (item.value if item.key is None else item.key).startswith(",")
