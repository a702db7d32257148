"""Params, actions and playbooks as HeroScript text, and the hash keys made of it. Pure.

Invariant: what is exported, parsed again, gives the same actions (actor, name, type, comments), the same parameters
with their comments and the same arguments, whatever a script or a program put there. Two things cannot be written:
an action's parameter named `id`, which every reader discards [Q22], and comments in the one-line form.

Source: HeroScript specification, section 8.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hero_engine.languages.heroscript.params.param_store import ParamStore
from hero_engine.languages.heroscript.playbook.action import Action
from hero_engine.languages.heroscript.text.write import body_lines, comment_lines, end_comment, write_head, write_value

_LONG_VALUE_BYTES = 25
_INDENT = "    "
# After a value, an item that starts with a comma would continue it; an empty comment on a line of its own ends it.
SEPARATOR = "<!-- -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Order and width of exported params.

    Args:
        presort: keys that come first, in this order.
        postsort: keys that come last.
        max_bytes: parameters go on the first line until it is longer than this.
    """

    presort: Sequence[str] = ("id", "cid", "gid", "oid", "name", "alias")
    postsort: Sequence[str] = ("mtime", "ctime", "time")
    max_bytes: int = 120


PARAMS_LAYOUT = Layout()
ACTION_LAYOUT = Layout(presort=("id", "cid", "oid", "name"), max_bytes=30)


def export_params(params: ParamStore, layout: Layout = PARAMS_LAYOUT, *, skip: str | None = None) -> list[str]:
    """Params as lines; the first one goes behind an action's name and may be empty.

    Args:
        params: what to write.
        layout: order and width.
        skip: a key to leave out.
    """
    first: list[str] = []
    own: list[str] = []
    length = 0
    if params.comments:
        own += _commented_args(params)
    else:
        for arg in sorted(params.args):
            if arg.startswith(","):
                own += [SEPARATOR, arg]
                continue
            first.append(arg)
            length += len(arg) + 1
    values = params.get_map()
    for key in _sorted_keys(values, layout):
        if key == skip:
            continue
        value, comment = values[key], params.comment_of(key)
        special = not key or key.startswith(",")
        if special or comment or length > layout.max_bytes or _is_long(value):
            if key.startswith(","):
                own.append(SEPARATOR)
            own += own_lines(key, value, comment, blank_lines=False)
        else:
            first.append(f"{key}:{write_value(key, value)}")
            length += len(key) + len(value.encode("utf-8", "surrogatepass")) + 2
    return [" ".join(first), *(_INDENT + line for line in own)]


def own_lines(key: str, value: str, comment: str, *, blank_lines: bool, indent: str = "") -> list[str]:
    """One parameter on lines of its own, not indented.

    Args:
        key: its key.
        value: its value; a multi-line value is written as one where it can be.
        comment: its comment, written above it or behind it.
        blank_lines: whether the text will be read with blank lines kept.
        indent: put before the lines of a multi-line value; the reference's export has none.
    """
    above = comment_lines(comment) if comment else []
    body = body_lines(value, blank_lines=blank_lines)
    if body is not None and above is not None:
        lines = [indent + line if line else "" for line in body]
        return [*(f"// {line}" for line in above), f"{key}:'", *lines, indent + "'"]
    text = f"{key}:{write_value(key, value)}"
    if above is not None and len(above) > 1:
        return [*(f"// {line}" for line in above), text]
    return [text + end_comment(comment)]


def export_one_line(params: ParamStore, layout: Layout = PARAMS_LAYOUT, *, comments: bool = False) -> str:
    """Params on one line.

    Args:
        params: what to write.
        layout: order; the width does not matter.
        comments: also write comments, in the internal form of the reference that no script can hold [Q51]. For hash
            keys only: such a line is not meant to be read.
    """
    values = params.get_map()
    keys = _sorted_keys(values, layout)
    pieces: list[str] = []
    if comments:
        pieces += [f"//{comment}-/" for comment in params.comments]
    if "" in values:
        # Behind an argument its colon would make a key of that [Q11].
        keys.remove("")
        pieces.append(f":{write_value('', values[''])}")
    pieces += sorted(params.args)
    for key in keys:
        comment = params.comment_of(key)
        if comments and comment:
            pieces.append(f"//{comment}-/")
        pieces.append(f"{key}:{write_value(key, values[key])}")
    return " ".join(pieces)


def export_action(action: Action, *, comments: bool = True, number: bool = True) -> str:
    """An action as text, ending with a line end if it has params.

    Args:
        action: what to write.
        comments: write its comments above it; the reference loses them [Q30].
        number: write its `id`.
    """
    lines = export_params(action.params, ACTION_LAYOUT, skip="id")
    head = write_head(action.type.bangs, action.actor, action.name) + (f" id:{action.id} " if number else " ")
    above = "".join(f"// {line}\n" for line in action.comments.split("\n")) if comments and action.comments else ""
    if len(lines) == 1 and not lines[0]:
        return above + head
    return above + head + "\n".join([lines[0], *(_INDENT + line for line in lines[1:])]) + "\n"


def export_actions(actions: Iterable[Action]) -> str:
    """Actions as a script: each followed by a line end, two at the end; "" for none."""
    text = "\n".join(export_action(action) for action in actions)
    return text.rstrip("\n") + "\n\n" if text else ""


def hash_action(action: Action, *, number: bool = True) -> str:
    """Hex BLAKE2b of 20 bytes over the export, without comments of the action.

    Args:
        action: what to hash.
        number: whether its position in the playbook counts, as it does in the reference [Q31].
    """
    return _blake(export_action(action, comments=False, number=number))


def hash_actions(actions: Iterable[Action], *, number: bool = True) -> str:
    """The same over the hash keys of actions, joined with line ends."""
    return _blake("\n".join(hash_action(action, number=number) for action in actions))


def hash_params(params: ParamStore) -> str:
    """Hex SHA-256 of the one-line export."""
    text = export_one_line(params, comments=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _blake(text: str) -> str:
    # Lone surrogates can come from JSON; a hash must not fail where a parser did not.
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def _is_long(value: str) -> bool:
    return "\n" in value or "\\n" in value or len(value.encode("utf-8", "surrogatepass")) > _LONG_VALUE_BYTES


def _sorted_keys(values: dict[str, str], layout: Layout) -> list[str]:
    first = [key for key in layout.presort if key in values]
    last = [key for key in layout.postsort if key in values]
    return [*first, *sorted(key for key in values if key not in first and key not in last), *last]


def _commented_args(params: ParamStore) -> list[str]:
    """Arguments on lines of their own, each under one of the comments, so that all of these read back.

    There can be more comments than arguments, because that of an argument given twice is kept: the last argument is
    then given again.
    """
    args, comments = sorted(params.args), params.comments
    lines: list[str] = []
    for index in range(max(len(args), len(comments)) if args else 0):
        arg = args[min(index, len(args) - 1)]
        comment = comments[index] if index < len(comments) else ""
        above = comment_lines(comment) if comment else []
        if arg.startswith(","):
            lines.append(SEPARATOR)
        lines += [f"// {line}" for line in above or ()]
        lines.append(arg + (end_comment(comment) if above is None else ""))
    return lines
