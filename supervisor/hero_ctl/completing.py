"""Answers a shell that completes a command line of `heroctl`.

The shell calls `heroctl` with `_HEROCTL_COMPLETE` in the environment; `cli.py` then calls `complete` instead of a
command. The scripts that make it do so are `commands/tools/completion.py`. Invariant: it prints nothing but what the
shell may insert, whatever fails.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final

import typer
from typer._click.shell_completion import CompletionItem, ShellComplete, get_completion_class, split_arg_string
from typer._completion_classes import completion_init

from hero_ctl.app import build_app
from hero_ctl.command_table import GROUPS
from hero_ctl.commands.tools.completion import BREAKS, LINE, REST, VARIABLE, profile_names
from hero_ctl.options import StoreOptions
from hero_ctl.overview import list_names
from hero_ctl.shared_words import (
    WITH_VALUE,
    WITHOUT_VALUE,
    after_command,
    awaits_value,
    count_leading,
    let_options_win,
    shared_values,
)

#: What may name a store or a server besides an option: the option, and its variable.
_VARIABLES: Final = {
    "server": "HERO_SERVER", "profile": "HERO_PROFILE", "config": "HERO_CONFIG", "redis_url": "HERO_REDIS_URL",
    "given_namespace": "HERO_NAMESPACE",
}  # fmt: skip
_OPTIONS: Final = {
    "server": "--server", "profile": "--profile", "ca_file": "--ca-file", "cert_file": "--cert-file",
    "key_file": "--key-file", "config": "--config", "redis_url": "--redis-url", "given_namespace": "--namespace",
}  # fmt: skip


def complete(instruction: str) -> int:
    """Answer the shell.

    Args:
        instruction: The value of `_HEROCTL_COMPLETE`: `complete_bash`, `complete_zsh`, `complete_fish`.

    Returns:
        The exit code.
    """
    completion_init()
    shell = get_completion_class(instruction.removeprefix("complete_"))
    if shell is None:
        return 1
    given = _words_before_cursor()
    if given is None:
        # A shell that has an older script: it tells the line as Typer's own scripts do.
        words, incomplete = shell(typer.main.get_command(build_app()), {}, "heroctl", VARIABLE).get_completion_args()
    else:
        words, incomplete = given
    line = [*words, *split_arg_string(os.environ.get(REST, ""))]
    let_options_win(line)
    moved = after_command(words)
    names = _names_after(words, incomplete)
    root = typer.main.get_command(build_app(moved if names is None else ["completion"]))

    class Line(shell):  # type: ignore[misc, valid-type]  # the shell decides which class
        """The completion of this line, printed as this shell wants it."""

        def get_completion_args(self) -> tuple[list[str], str]:
            return moved, incomplete

        def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
            found = names
            if found is None:
                found = list(_items(super().get_completions, words, args, incomplete))
            breaks = os.environ.get(BREAKS, "")
            begun = max((incomplete.rfind(mark) + 1 for mark in breaks if mark in ":="), default=0)
            for item in found:
                item.value = item.value[begun:] if item.value.startswith(incomplete[:begun]) else item.value
            return found

    asked: ShellComplete = Line(root, {"obj": _place(line)}, "heroctl", VARIABLE)
    typer.echo(asked.complete())
    return 0


def _items(ask: Any, words: Sequence[str], args: list[str], incomplete: str) -> Iterator[CompletionItem]:
    """What may come next: for a shared option before the command here, otherwise as the command says."""
    option = awaits_value(words)
    if option is not None:
        names = profile_names(StoreOptions(), incomplete) if option == "--profile" else []
        yield from (CompletionItem(name) for name in names)
        return
    name, equals, _ = incomplete.partition("=")
    for item in ask(args, incomplete):
        # Of `--output=js` the value alone is told; shells replace the whole word.
        if equals and name.startswith("--"):
            item.value = f"{name}={item.value}"
        yield item
    if count_leading(words) == len(words) and incomplete.startswith("-"):
        yield from (CompletionItem(word) for word in (*WITH_VALUE, *WITHOUT_VALUE) if word.startswith(incomplete))


def _names_after(words: Sequence[str], incomplete: str) -> list[CompletionItem] | None:
    """The commands that may come next, without an import of any; None if something else may come."""
    path = " ".join(words[count_leading(words) :])
    if incomplete.startswith("-") or awaits_value(words) or (path and path not in GROUPS):
        return None
    return [CompletionItem(name, help=about) for _, name, about in list_names(path) if name.startswith(incomplete)]


def _words_before_cursor() -> tuple[list[str], str] | None:
    """The words after `heroctl`, and the one that the cursor is in; None if the shell does not tell the line."""
    if LINE not in os.environ:
        return None
    line = os.environ[LINE]
    words = split_arg_string(line)
    while words and "=" in words[0]:  # variables that the line sets for this one command
        name, _, value = words.pop(0).partition("=")
        os.environ[name] = value
    words = words[1:]
    if words and not line[-1:].isspace():
        return words[:-1], words[-1]
    return words, ""


def _place(line: Sequence[str]) -> StoreOptions:
    """Which deployment the line names, by its options or by the environment."""
    given = shared_values(line)
    place: dict[str, Any] = {field: os.environ.get(name) for field, name in _VARIABLES.items()}
    for field, option in _OPTIONS.items():
        if option in given:
            # The shell has not replaced them yet: it does that when it runs the line.
            place[field] = os.path.expandvars(os.path.expanduser(given[option]))  # noqa: PTH111  # also in a URL
    return StoreOptions(**place)
