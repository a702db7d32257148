"""Runs the calls of `cases.json`, with one function per call, and returns results in the shape of the file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from hero_engine.languages.heroscript import Action, Amount, Params, Playbook, follow_includes


def run_call(playbook: Playbook, check: dict[str, Any]) -> Any:
    """Return the result of one check, simplified to JSON values."""
    call, args = check["call"], list(check.get("args", []))
    if call in PLAYBOOK_CALLS:
        return simplify(PLAYBOOK_CALLS[call](playbook, *args))
    action = playbook.actions[check["action"]]
    if call in ACTION_CALLS:
        return simplify(ACTION_CALLS[call](action, *args))
    return simplify(getattr(action.params, call)(*args))


def simplify(value: Any) -> Any:
    match value:
        case Action():
            return f"{value.id}:{value.full_name}"
        case Amount():
            return [value.value, value.code]
        case timedelta():
            return int(value.total_seconds())
        case Path():
            return str(value)
        case list():
            return [simplify(item) for item in value]
    return value


def content(action: Action) -> tuple[Any, ...]:
    """What a round trip must keep: more than the reference's own test asks for."""
    params = action.params
    return (
        action.actor,
        action.name,
        action.type,
        action.comments,
        params.get_map(),
        set(params.args),
        {item.key: item.comment for item in params.params},
        sorted(params.comments),
    )


def round_trip(playbook: Playbook) -> bool:
    """What a round trip must preserve: more than the reference's own test demands."""
    again = Playbook.parse(playbook.heroscript(show_done=True))
    return [content(action) for action in again.actions] == [content(action) for action in playbook.actions_sorted()]


def mark_done(playbook: Playbook, filter: str) -> bool:
    for action in playbook.find(filter):
        action.done = True
    return True


def mark_done_id(playbook: Playbook, number: int) -> bool:
    playbook.actions[number - 1].done = True
    return True


def play_core(playbook: Playbook) -> list[Action]:
    follow_includes(playbook)
    return playbook.actions


def empty_check(playbook: Playbook) -> bool:
    playbook.empty_check()
    return True


def replace_params(action: Action, words: dict[str, str]) -> dict[str, str]:
    action.params.replace(words)
    return action.params.get_map()


PLAYBOOK_CALLS: dict[str, Callable[..., Any]] = {
    "find": lambda playbook, filter, done=False: playbook.find(filter, include_done=done),
    "get_action": Playbook.get,
    "pb_exists": Playbook.exists,
    "exists_once": Playbook.exists_once,
    "max_once": Playbook.max_once,
    "ensure_once": Playbook.ensure_once,
    "names": Playbook.names,
    "filtersort": lambda playbook, prio: playbook.filtersort({int(key): filter for key, filter in prio.items()}),
    "mark_done": mark_done,
    "mark_done_id": mark_done_id,
    "pending": Playbook.pending,
    "get_of": lambda playbook, filter, key: playbook.get(filter).params.get(key),
    "roundtrip": round_trip,
    "play_core": play_core,
    "empty_check": empty_check,
    "heroscript": Playbook.heroscript,
    "hashkey": Playbook.hashkey,
    "priorities": lambda playbook: [action.priority for action in playbook.actions],
    "ids": lambda playbook: [action.id for action in playbook.actions],
}
ACTION_CALLS: dict[str, Callable[..., Any]] = {"replace_params": replace_params}


def describe(playbook: Playbook, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Describe the actions of a playbook with the fields that the expected ones have."""
    described = []
    for index, action in enumerate(playbook.actions):
        params: Params = action.params
        fields = {
            "actor": action.actor,
            "action": action.name,
            "type": str(action.type),
            "params": params.get_map(),
            "args": list(params.args),
            "comments": action.comments,
            "priority": action.priority,
            "param_comments": {item.key: item.comment for item in params.params if item.comment},
            "arg_comments": params.comments,
        }
        named = wanted[index] if index < len(wanted) else fields
        described.append({key: fields[key] for key in named})
    return described


def replace_token(value: Any, folder: Path) -> Any:
    """Replace `__DIR__` by a folder's path everywhere in a case."""
    match value:
        case str():
            return value.replace("__DIR__", str(folder))
        case list():
            return [replace_token(item, folder) for item in value]
        case dict():
            return {replace_token(key, folder): replace_token(item, folder) for key, item in value.items()}
    return value
