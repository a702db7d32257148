"""Runs one script: parses it, follows its includes, looks up its actions, and calls their handlers in order.

Every error that can be found without running anything is found before the first handler is called, so that a script
with a misspelt action does nothing instead of half of its work. `children.child` calls `run_script`, in a child
process.

Source: HeroScript specification, section 10.
"""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

from hero_engine.engine import Done, Failed, Outcome
from hero_engine.heroscript_engine.run.actions import VOCABULARY
from hero_engine.heroscript_engine.run.binding import Binding
from hero_engine.heroscript_engine.run.context import Context, arguments, set_word, signatories
from hero_engine.heroscript_engine.run.repositories import fetch_for_include
from hero_engine.heroscript_engine.run.settings import EngineSettings
from hero_engine.host.programs import ProgramFailed
from hero_engine.languages.heroscript import (
    Action,
    HeroScriptError,
    LoadError,
    ParseError,
    Playbook,
    did_you_mean,
    follow_includes,
    name_fix,
)
from hero_engine.languages.heroscript.playbook.include import INCLUDE_FILTER
from hero_engine.output import present_value
from hero_engine.parsing import failed, read_playbook

#: Actors whose results do not count as the last result.
_SILENT_ACTORS = frozenset({"session", "core"})
#: A tuple, because a union would be made anew for each look.
_SCALARS = (str, int, float)


class RunObserver(Protocol):
    """Follows a run as it proceeds."""

    def at(self, action: str, line: int) -> None:
        """An action starts."""

    def line(self, level: str, text: str) -> None:
        """Something for the job's log."""


def run_script(
    source: str,
    settings: EngineSettings,
    make_context: Callable[[Playbook], Context],
    observer: RunObserver,
) -> Outcome:
    """Run a script to its end.

    Args:
        source: The script.
        settings: The engine's.
        make_context: Makes the context for a playbook.
        observer: Follows the run.

    Returns:
        How it ended. Only an exception that ends the process, such as SystemExit, is passed on.
    """
    try:
        playbook = read_playbook(source)
        ctx = make_context(playbook)
        for warning in playbook.warnings:
            observer.line("warning", f"{warning.place or 'script'}: {warning.message}")
        words = _words(ctx.constants, ctx.prerequisites)
        _include(ctx, words)
        for action in playbook.actions:
            if not action.done:
                _bind(action)
        return _run_actions(ctx, words, observer)
    except HeroScriptError as e:
        return failed(e)


def _include(ctx: Context, words: Mapping[str, str]) -> None:
    playbook, settings = ctx.playbook, ctx.settings
    includes = playbook.find(INCLUDE_FILTER)
    if not includes:
        return
    if not settings.scripts_dir and not settings.git:
        message = f"{includes[0].full_name}: includes are not allowed here: HERO_SCRIPTS_DIR is not set"
        raise LoadError(message, place=includes[0].place)
    for action in includes:
        action.params.replace(words)
    folders = [Path(settings.scripts_dir)] if settings.scripts_dir else []
    fetch_git = partial(_fetch_git, ctx) if settings.git else None
    follow_includes(playbook, base=next(iter(folders), None), jail=folders, fetch_git=fetch_git)


def _fetch_git(ctx: Context, url: str, pull: bool, reset: bool) -> Path:
    include = ctx.playbook.find(INCLUDE_FILTER)[0]
    try:
        return fetch_for_include(ctx, url, wants_pull=pull, wants_reset=reset)
    except (OSError, ValueError, ProgramFailed) as e:
        raise LoadError(f"{include.full_name}: {e}", place=include.place) from e


_BINDINGS: dict[str, Binding] = {}


def bind_vocabulary() -> None:
    """Prepare every handler once, before the first fork.

    Raises:
        VocabularyError: An action cannot fill the parameters of a handler.
    """
    for name in VOCABULARY.names:
        binding_of(name)


def binding_of(name: str) -> Binding | None:
    """Return the prepared handler of an action, or None."""
    binding = _BINDINGS.get(name)
    if binding is None:
        handler = VOCABULARY.find(name)
        if handler is None:
            return None
        _BINDINGS[name] = binding = Binding(handler)
    return binding


def _bind(action: Action) -> Binding:
    name = action.full_name
    binding = binding_of(name)
    if binding is None:
        hint = did_you_mean(name, [*VOCABULARY.names, "play.include"])
        raise ParseError(f"there is no action {name:.200}", place=action.place, hint=hint, code="unknown_action")
    return binding


def _run_actions(ctx: Context, words: Mapping[str, str], observer: RunObserver) -> Outcome:
    listed: list[dict[str, object]] = []
    last: object = None
    pending = iter(ctx.playbook.actions_sorted())
    while True:
        action = next(pending, None)
        if action is None:
            # Continue with the actions that handlers have appended meanwhile.
            more = ctx.playbook.pending()
            if not more:
                break
            pending = iter(more)
            continue
        if action.done:
            continue
        name = action.full_name
        observer.at(name, action.place.line if action.place else 0)
        binding = _bind(action)
        ctx.action = action
        action.params.replace({**words, **{name_fix(key): text for key, text in ctx.session.env.items()}})
        ignores_error = binding.ignores_error(action)
        entry: dict[str, object] = {"id": action.id, "action": name}
        try:
            result = _plain(binding.call(ctx), action)
            entry["result"] = ctx.results[action.id] = result
            if result is not None and action.actor not in _SILENT_ACTORS:
                last = result
            if word := binding.word_of_result(action):
                set_word(ctx, word, _text_of(result))
        except Exception as e:  # noqa: BLE001  a handler is foreign code: any exception means that it failed
            outcome = _failure(action, e, observer)
            if not ignores_error:
                return outcome
            observer.line("warning", f"ignored: {outcome.message}")
            entry["error"] = outcome.message
        action.done = True
        listed.append(entry)
    return present_value(last if ctx.last_result else listed)


def _failure(action: Action, error: Exception, observer: RunObserver) -> Failed:
    name = action.full_name
    if isinstance(error, HeroScriptError):
        outcome = failed(error)
        message = outcome.message if name in outcome.message else f"{name}: {outcome.message}"
        return dataclasses.replace(outcome, message=message)
    observer.line("debug", "".join(traceback.format_exception(error)).rstrip())
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    kind = "out_of_memory" if isinstance(error, MemoryError) else "action_failed"
    place = action.place
    if place is not None and place.path:
        return Failed(kind, f"{place}: {name}: {said}")
    return Failed(kind, f"{name}: {said}", place.line if place else None, place.column if place else None)


def _words(constants: Mapping[str, object], prerequisites: Mapping[str, str]) -> dict[str, str]:
    """The words for `{NAME}`: the job's variables, outputs of prerequisites by number, and constants; later ones
    win.
    """
    env = constants.get("ENV")
    words = {name_fix(str(key)): str(text) for key, text in env.items()} if isinstance(env, Mapping) else {}
    words |= {f"prerequisite_{number}": text for number, text in enumerate(prerequisites.values(), 1)}
    words |= {f"arg_{number}": text for number, text in enumerate(arguments(constants), 1)}
    scalars = {name: value for name, value in constants.items() if isinstance(value, _SCALARS)}
    scalars["SIGNATORIES"] = ",".join(signatories(constants))
    return words | {name_fix(name): str(value) for name, value in scalars.items()}


def _text_of(result: object) -> str:
    shown = present_value(result)
    if isinstance(shown, Done):
        return shown.output
    raise ValueError(shown.message)


def _plain(value: object, action: Action) -> object:
    """Turn a handler's result into a value that JSON can represent."""
    if value is None:
        # A handler may fill `action.result` instead of returning a value.
        return action.result.get_map() or None
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value
