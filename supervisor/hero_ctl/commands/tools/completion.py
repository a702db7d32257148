"""The command `completion`, and the values that the shell completes: jobs, actors, queues, schedules, keys.

The shell calls `heroctl` with `_HEROCTL_COMPLETE` in the environment; `cli.py` then calls `complete` instead of a
command. Invariant: completion prints no error. Without a store it completes nothing.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hero_ctl.options import StoreOptions
from hero_ctl.output.console import echo
from hero_ctl.parameters import Argument
from hero_job.model.errors import HeroJobError

if TYPE_CHECKING:
    from hero_client import Supervisor

VARIABLE: Final = "_HEROCTL_COMPLETE"
_MOST_JOBS: Final = 50


class Shell(StrEnum):
    """What `completion` writes a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, Argument(help="Your shell.")]) -> None:
    """Print a script that completes commands, options, ids and names in your shell.

    bash: add `eval "$(heroctl completion bash)"` to ~/.bashrc. zsh: the same with zsh in ~/.zshrc. fish: save the
    script as ~/.config/fish/completions/heroctl.fish.
    """
    from typer._completion_shared import get_completion_script

    echo(get_completion_script(prog_name="heroctl", complete_var=VARIABLE, shell=shell.value))


def complete(app: typer.Typer, instruction: str) -> int:
    """Answer the shell.

    Args:
        app: All commands.
        instruction: The value of `VARIABLE`: `complete_bash`, `complete_zsh`, `complete_fish`.

    Returns:
        The exit code.
    """
    from typer._completion_classes import completion_init
    from typer.completion import shell_complete

    completion_init()
    return shell_complete(typer.main.get_command(app), {}, "heroctl", VARIABLE, instruction)


def job_ids(incomplete: str) -> list[str]:
    """Complete the ids of the newest jobs, from the stream of their events."""
    return _names(incomplete, _newest_ids)


def actor_names(incomplete: str) -> list[str]:
    """Complete the names of entries and of processes."""

    def look(supervisor: Supervisor) -> Iterator[str]:
        for actor in supervisor.list_actors():
            yield actor.name
            yield actor.name.rpartition("-")[0] or actor.name

    return _names(incomplete, look)


def schedule_names(incomplete: str) -> list[str]:
    """Complete the names of schedules."""
    return _names(incomplete, lambda supervisor: (one.name for one in supervisor.list_schedules()))


def group_names(incomplete: str) -> list[str]:
    """Complete the groups that actors serve."""
    return _names(incomplete, lambda supervisor: (one.group for one in supervisor.list_actors() if one.group))


def _newest_ids(supervisor: Supervisor) -> Iterator[str]:
    from hero_job.protocol.op import Op, as_is

    stream = supervisor.operations.keys.events
    for _, flat in supervisor.store.run(Op(("XREVRANGE", stream, "+", "-", "COUNT", _MOST_JOBS), as_is)):
        yield from (str(name) for name in flat[::2] if not str(name).startswith("batch:"))


def _names(incomplete: str, look: Callable[[Supervisor], Iterator[str]]) -> list[str]:
    from hero_ctl.connect.store import open_supervisor

    found: list[str] = []
    with contextlib.suppress(HeroJobError, OSError, SystemExit), open(os.devnull, "w") as nowhere:  # noqa: PTH123
        sys.stderr, before = nowhere, sys.stderr
        try:
            options = StoreOptions(
                redis_url=os.environ.get("HERO_REDIS_URL"), given_namespace=os.environ.get("HERO_NAMESPACE")
            )
            with open_supervisor(options) as supervisor:
                found = [name for name in dict.fromkeys(look(supervisor)) if name.startswith(incomplete)]
        finally:
            sys.stderr = before
    return found[:_MOST_JOBS]
