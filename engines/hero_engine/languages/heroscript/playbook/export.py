"""Writes parameters, actions and playbooks as HeroScript text, and computes hash keys from it. Pure.

Invariant: parsing an export gives the same actions (actor, name, type, comments), the same parameters with their
comments, and the same arguments, no matter what a script or a program put there. Two things cannot be written: a
parameter named `id` of an action, which every reader discards [Q22], and comments in the one-line form.

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
# An item that starts with a comma would continue a value before it. An empty comment on its own line prevents that.
SEPARATOR = "<!-- -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Order and width of exported parameters.

    Args:
        presort: Keys that come first, in this order.
        postsort: Keys that come last, in this order.
        max_bytes: Parameters are written on the first line until it is longer than this.
    """

    presort: Sequence[str] = ("id", "cid", "gid", "oid", "name", "alias")
    postsort: Sequence[str] = ("mtime", "ctime", "time")
    max_bytes: int = 120


PARAMS_LAYOUT = Layout()
ACTION_LAYOUT = Layout(presort=("id", "cid", "oid", "name"), max_bytes=30)


def export_params(params: ParamStore, layout: Layout = PARAMS_LAYOUT, *, skip: str | None = None) -> list[str]:
    """Write parameters as lines. The first line belongs behind the name of the action and may be empty.

    Args:
        params: The parameters.
        layout: Order and width.
        skip: A key to leave out.
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
    """Write one parameter on lines of its own, without indentation.

    Args:
        key: Its key.
        value: Its value. A multi-line value is written on several lines if possible.
        comment: Its comment, written above it or behind it.
        blank_lines: The reader of the text will keep blank lines.
        indent: Indentation of the lines of a multi-line value; the reference's export has none.
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
    """Write parameters on one line.

    Args:
        params: The parameters.
        layout: Their order; the width does not matter.
        comments: Also write the comments, in the reference's internal form that no script can hold [Q51]. Only for hash
            keys: such a line cannot be read back.
    """
    values = params.get_map()
    keys = _sorted_keys(values, layout)
    pieces: list[str] = []
    if comments:
        pieces += [f"//{comment}-/" for comment in params.comments]
    if "" in values:
        # Behind an argument, its colon would turn the argument into a key [Q11].
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
    """Write an action. The text ends with a line feed if the action has parameters.

    Args:
        action: The action.
        comments: Write its comments above it; the reference loses them [Q30].
        number: Write its `id`.
    """
    lines = export_params(action.params, ACTION_LAYOUT, skip="id")
    head = write_head(action.type.bangs, action.actor, action.name) + (f" id:{action.id} " if number else " ")
    above = "".join(f"// {line}\n" for line in action.comments.split("\n")) if comments and action.comments else ""
    if len(lines) == 1 and not lines[0]:
        return above + head
    return above + head + "\n".join([lines[0], *(_INDENT + line for line in lines[1:])]) + "\n"


def export_actions(actions: Iterable[Action]) -> str:
    """Write actions as a script. A line feed follows each action, and two end the script; "" if there are no
    actions.
    """
    text = "\n".join(export_action(action) for action in actions)
    return text.rstrip("\n") + "\n\n" if text else ""


def hash_action(action: Action, *, number: bool = True) -> str:
    """Hash an action: BLAKE2b with 20 bytes, in hexadecimal, over the export without the action's comments.

    Args:
        action: The action.
        number: Its position in the playbook counts, as in the reference [Q31].
    """
    return _blake(export_action(action, comments=False, number=number))


def hash_actions(actions: Iterable[Action], *, number: bool = True) -> str:
    """Hash actions: BLAKE2b over their hash keys, joined by line feeds."""
    return _blake("\n".join(hash_action(action, number=number) for action in actions))


def hash_params(params: ParamStore) -> str:
    """Hash parameters: SHA-256, in hexadecimal, over the one-line export with comments."""
    text = export_one_line(params, comments=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _blake(text: str) -> str:
    # JSON can contain lone surrogates. The parser accepts them, so hashing must not fail.
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def _is_long(value: str) -> bool:
    return "\n" in value or "\\n" in value or len(value.encode("utf-8", "surrogatepass")) > _LONG_VALUE_BYTES


def _sorted_keys(values: dict[str, str], layout: Layout) -> list[str]:
    first = [key for key in layout.presort if key in values]
    last = [key for key in layout.postsort if key in values]
    return [*first, *sorted(key for key in values if key not in first and key not in last), *last]


def _commented_args(params: ParamStore) -> list[str]:
    """Write each argument on a line of its own below one of the comments, so that all comments can be read back.

    There can be more comments than arguments, because the comment of a repeated argument is kept too. In that case the
    last argument is repeated.
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
