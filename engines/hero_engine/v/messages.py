"""What herolib's messages mean: which actions it has not run, why it failed. Pure; the engine reads them, once a job.

herolib ends with 1 whenever an action is not marked as done, and writes those actions to standard error. Some of them
it has run nevertheless, because it never marks them.

Source: notes on herolib 6741eac, hero 1.1.02 (exit code and output; what the real program was seen to print), and the
HeroScript specification, section 8, for the form in which it writes actions.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from hero_engine.engine import Failed
from hero_engine.languages.heroscript import Action, HeroScriptError, Playbook

#: herolib writes this after running a script, followed by the actions that are not marked as done.
_LEFT_MARK = "There are actions left to execute, see below:"
#: Actions that this version of herolib runs but never marks as done [Q44].
_NEVER_MARKED = re.compile(
    r"play\.echo|git\.(?:define|clone|repo_action|list|check|lfs|reload_cache)|node\.new|cmd\.run|bizmodel\..*"
    r"|incatokens\..*|base\.redis_install"
)
#: The first line of an action in that list. All other lines, those of values among them, are indented.
_LEFT_HEAD = re.compile(r"!{1,4}([a-z0-9_]+)\.([a-z0-9_.]+)(?: +([^ \n].*|))?")
_LEFT_ID = re.compile(r"(?:[^:]* )?id:'?([0-9]+)'?(?: |\Z)")
#: Lines of a backtrace have an address between bars, or begin with a place in the program's own source.
_ADDRESS = re.compile(r"\| *0x[0-9a-fA-F]+ *\|")
_PLACE = re.compile(r"[^ ]+\.[cv]:[0-9]+: (?:by|at) ")
_NO_REDIS = re.compile(r"dial_tcp failed for address (?:127\.0\.0\.1|localhost|\[::1\]):6379")
_INCLUDE = "play.include"
#: How much of the end of standard error is shown with an error.
_MAX_SHOWN = 4096


class LeftOver(NamedTuple):
    """An action that herolib has not marked as done.

    Args:
        name: `actor.name`.
        id: Its number in the script; None if it is not given.
        source: For `play.include`: what it includes; "" for another action.
    """

    name: str
    id: int | None
    source: str


def left_over(errors: str) -> list[LeftOver] | None:
    """Read the list of actions that are not marked as done.

    Args:
        errors: Standard error.

    Returns:
        The actions, in order; None if there is no such list.
    """
    _, mark, text = errors.partition(_LEFT_MARK)
    if not mark:
        return None
    found: list[LeftOver] = []
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if (head := _LEFT_HEAD.fullmatch(line)) is None:
            continue
        name = f"{head[1]}.{head[2]}"
        number = _LEFT_ID.match(head[3] or "")
        source = ""
        if name == _INCLUDE:
            stop = next((n for n in range(index + 1, len(lines)) if not lines[n].startswith("  ")), len(lines))
            source = _written_source("\n".join(lines[index:stop]))
        found.append(LeftOver(name, int(number[1]) if number else None, source))
    return found


def not_run(left: Iterable[LeftOver], script: Playbook) -> tuple[list[str], list[str]]:
    """Tell which of the actions that are not marked as done have not run.

    Args:
        left: The actions.
        script: The script of the job.

    Returns:
        The names of those that have not run, and of those that have; each once, in order.
    """
    left = list(left)
    ids = {one.id for one in left if one.name == _INCLUDE}
    # A second inclusion of what is included already is skipped, and not marked [Q42].
    if None in ids:
        open_ones = Counter(one.source for one in left if one.name == _INCLUDE)
        given = Counter(_source_of(action) for action in script.find(_INCLUDE, include_done=True))
        included = {source for source, count in given.items() if count > open_ones[source]}
    else:
        own = script.find(_INCLUDE, include_done=True)
        included = {_source_of(action) for action in own if action.id not in ids}
    missing: dict[str, None] = {}
    ran: dict[str, None] = {}
    for one in left:
        has_run = _NEVER_MARKED.fullmatch(one.name) or (one.name == _INCLUDE and one.source in included)
        (ran if has_run else missing)[one.name] = None
    return list(missing), list(ran)


def failure(code: int, errors: str, output: str) -> Failed:
    """Tell why the program failed.

    Args:
        code: Its exit code, above zero.
        errors: Standard error.
        output: Standard output.
    """
    if _NO_REDIS.search(errors) or (not errors.strip() and _NO_REDIS.search(output)):
        cure = "herolib's program needs a Redis on 127.0.0.1:6379, an address that cannot be changed: start one there"
        return Failed("engine_unavailable", f"there is no Redis for the program. {cure}.")
    end = shown(errors, output)
    return Failed("v_failed", f"exit code {code}: {end}" if end else f"exit code {code}")


def shown(errors: str, output: str) -> str:
    """The end of what the program said last, without backtraces."""
    for text in (errors, output):
        lines = [line for line in text.split("\n") if not (_ADDRESS.search(line) or _PLACE.match(line))]
        if end := "\n".join(lines).strip()[-_MAX_SHOWN:]:
            return end
    return ""


def _written_source(text: str) -> str:
    # What herolib writes is not always what it would read again.
    ignored: list[HeroScriptError] = []
    playbook = Playbook()
    playbook.add(text, errors=ignored)
    return _source_of(playbook.actions[0]) if playbook.actions else ""


def _source_of(action: Action) -> str:
    values = action.params.get_map()
    path = values.get("path", "")
    return os.path.normpath(os.path.expanduser(path)) if path else values.get("git_url", "")  # noqa: PTH111  no I/O
