"""The checker: reports everything that is wrong or suspicious in a script. `heroctl heroscript check` shows its
findings.

A load ends at the first error; the checker continues after it. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from hero_engine.languages.heroscript.playbook.action import Action
from hero_engine.languages.heroscript.playbook.filters import ActionFilter
from hero_engine.languages.heroscript.playbook.playbook import Playbook
from hero_engine.languages.heroscript.text.diagnostic import Diagnostic, Severity, did_you_mean, shorten
from hero_engine.languages.heroscript.text.errors import HeroScriptError
from hero_engine.languages.heroscript.text.tokens import Item


def check_script(
    text: str,
    path: str = "",
    *,
    known: Iterable[str] | None = None,
    replace: Mapping[str, str] | None = None,
) -> list[Diagnostic]:
    """Check a script.

    Args:
        text: The script.
        path: Its name in messages.
        known: The names of all actions, `actor.name`, globs allowed; None to leave names unchecked.
        replace: Text replacement, as for `Playbook.parse`.

    Returns:
        Findings in the order of the text: the errors and warnings of a load, and also keys that are given twice, values
        that look like the next parameter (`a: b:1`), and unknown actions.
    """
    playbook = Playbook()
    errors: list[HeroScriptError] = []
    playbook.add(text, path=path, replace=replace, errors=errors)
    found = [error.diagnostic for error in errors] + playbook.warnings
    vocabulary = None if known is None else _Vocabulary(known)
    for action in playbook.actions:
        if vocabulary is not None:
            found += vocabulary.check(action)
        found += _check_items(action)
    return sorted(found, key=_position)


_SWALLOWED = re.compile(r"[A-Za-z0-9_,./]++: ++[A-Za-z][A-Za-z0-9_]*+:(?!//)")


class _Vocabulary:
    def __init__(self, known: Iterable[str]) -> None:
        self.names = list(known)
        self._exact = frozenset(self.names)
        self._globs = ActionFilter(",".join(name for name in self.names if set(name) & set("*?[")) or "-.-")

    def check(self, action: Action) -> list[Diagnostic]:
        name = action.full_name
        if name in self._exact or self._globs.matches(action.actor, action.name):
            return []
        message = f"there is no action {shorten(name)}"
        hint = did_you_mean(name, self.names)
        return [_finding(Severity.ERROR, "unknown-action", message, action, hint=hint, text=name)]


def _check_items(action: Action) -> list[Diagnostic]:
    block = action.params.block
    if block is None:  # pragma: no branch - parsed actions have a block
        return []
    found: list[Diagnostic] = []
    seen: dict[str, Item] = {}
    for item in block.scan().items:
        if item.key is None:
            continue
        if item.key in seen:
            message = f"the key {item.key} is given twice: this replaces the value of line {seen[item.key].line + 1}"
            found.append(_finding(Severity.WARNING, "Q50", message, action, item=item, text=item.key))
        seen[item.key] = item
        # `a: b:1` gives this. A value that really is `b:1` is written in quotes or directly behind the colon.
        if _SWALLOWED.match(block.source.lines[item.line], item.column):
            message = f"{item.key} takes the next parameter as its value: {shorten(item.value)}"
            hint = f"write {item.key}:'' for an empty value"
            found.append(_finding(Severity.WARNING, "Q10", message, action, item=item, hint=hint, text=item.key))
    return found


def _finding(
    severity: Severity,
    code: str,
    message: str,
    action: Action,
    *,
    item: Item | None = None,
    hint: str = "",
    text: str = "",
) -> Diagnostic:
    block = action.params.block
    place = block.source.place(item.line, item.column) if block and item else action.place
    return Diagnostic(severity=severity, code=code, message=message, place=place, text=text, hint=hint)


def _position(finding: Diagnostic) -> tuple[int, int]:
    return (finding.place.line, finding.place.column) if finding.place else (0, 0)
