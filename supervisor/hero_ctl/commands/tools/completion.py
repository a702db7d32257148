"""The command `completion`, and the values that the shell completes: jobs, actors, queues, schedules, profiles.

`completing.py` reads the line of the shell and tells which deployment it names. Invariants: completion prints no error,
and never hangs; without a store, or if it does not answer soon, it completes nothing. It offers no name that means
something else to a shell: clients choose ids, and some shells evaluate what they are offered.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

from hero_ctl.options import StoreOptions
from hero_ctl.output.console import echo
from hero_ctl.parameters import Argument
from hero_job.model.errors import HeroJobError

if TYPE_CHECKING:
    from hero_client import Supervisor

VARIABLE: Final = "_HEROCTL_COMPLETE"
#: Variables with the line up to the cursor, what comes after the cursor, and what ends a word for bash.
LINE: Final = "_TYPER_COMPLETE_ARGS"
REST: Final = "_HEROCTL_COMPLETE_REST"
BREAKS: Final = "_HEROCTL_COMPLETE_BREAKS"
#: Longest time that the deployment may take to name its jobs, actors and so on, in seconds; and the variable that
#: changes it.
_PATIENCE_S: Final = 1.0
_PATIENCE: Final = "_HEROCTL_COMPLETE_S"
_MOST: Final = 50
#: The newest jobs, whose ids are offered.
_LOOK_AT: Final = 200
#: Characters besides letters and digits that mean nothing but themselves to each shell, wherever they stand in a word.
_HARMLESS: Final = frozenset("_-.:@%+,/=")

#: bash splits words also at ":" and "=", so it tells the line itself. An answer may have any character but a line feed.
_BASH: Final = """\
_heroctl_completion() {
    mapfile -t COMPREPLY < <(
        _TYPER_COMPLETE_ARGS="${COMP_LINE:0:COMP_POINT}" _HEROCTL_COMPLETE_REST="${COMP_LINE:COMP_POINT}" \\
        _HEROCTL_COMPLETE_BREAKS="$COMP_WORDBREAKS" _HEROCTL_COMPLETE=complete_bash "$1" 2>/dev/null
    )
    [[ ${#COMPREPLY[@]} -eq 1 && -z ${COMPREPLY[0]} ]] && COMPREPLY=()
    return 0
}
complete -o default -F _heroctl_completion heroctl
"""


class Shell(StrEnum):
    """What `completion` writes a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, Argument(help="Your shell.")]) -> None:
    """Print a script that completes commands, options, ids and names in your shell.

    bash: add `eval "$(heroctl completion bash)"` to ~/.bashrc. zsh: the same with zsh in ~/.zshrc, below `compinit`.
    fish: save the script as ~/.config/fish/completions/heroctl.fish.
    """
    if shell is Shell.BASH:
        echo(_BASH, nl=False)
        return
    from typer._completion_shared import get_completion_script

    echo(get_completion_script(prog_name="heroctl", complete_var=VARIABLE, shell=shell.value))


def job_ids(place: StoreOptions, incomplete: str) -> list[str]:
    """Complete the ids of the newest jobs."""
    return _names(
        place, incomplete, lambda supervisor: (one.job.id for one in supervisor.list_jobs("", _LOOK_AT).records)
    )


def batch_ids(place: StoreOptions, incomplete: str) -> list[str]:
    """Complete the ids of the batches that the newest jobs belong to."""

    def look(supervisor: Supervisor) -> Iterator[str]:
        return (one.job.batch for one in supervisor.list_jobs("", _LOOK_AT).records if one.job.batch)

    return _names(place, incomplete, look)


def actor_names(place: StoreOptions, incomplete: str) -> list[str]:
    """Complete the names of entries and of processes."""

    def look(supervisor: Supervisor) -> Iterator[str]:
        for actor in supervisor.list_actors():
            yield actor.name
            yield actor.name.rpartition("-")[0] or actor.name

    return _names(place, incomplete, look)


def schedule_names(place: StoreOptions, incomplete: str) -> list[str]:
    """Complete the names of schedules."""
    return _names(place, incomplete, lambda supervisor: (one.name for one in supervisor.list_schedules()))


def group_names(place: StoreOptions, incomplete: str) -> list[str]:
    """Complete the groups that actors serve, each of which has a queue."""
    return _names(place, incomplete, lambda supervisor: (one.group for one in supervisor.list_queues() if one.group))


def instance_names(place: StoreOptions, incomplete: str) -> list[str]:
    """Complete the instances that actors serve, each of which has a queue."""
    look = lambda supervisor: (one.instance for one in supervisor.list_queues() if one.instance)  # noqa: E731
    return _names(place, incomplete, look)


def profile_names(_: StoreOptions, incomplete: str) -> list[str]:
    """Complete the profiles in the config file of heroctl."""
    from hero_client.remote.errors import ServerUnusable
    from hero_ctl.connect.remote import list_profiles

    with contextlib.suppress(ServerUnusable):
        return [name for name in list_profiles(os.environ) if name.startswith(incomplete) and _is_harmless(name)]
    return []


def _is_harmless(name: str) -> bool:
    """Whether a shell takes a name for nothing but a word, and not for an option of the command."""
    return not name.startswith("-") and all(char.isalnum() or char in _HARMLESS for char in name)


def _names(place: StoreOptions, incomplete: str, look: Callable[[Supervisor], Iterator[str]]) -> list[str]:
    from hero_ctl.connect.store import open_supervisor

    found: list[str] = []
    # A look-up of a host name, or a server that sends a byte now and then, ends by no timeout of a socket.
    limit = threading.Timer(float(os.environ.get(_PATIENCE, _PATIENCE_S)), os._exit, (0,))
    limit.daemon = True
    limit.start()
    with contextlib.suppress(HeroJobError, OSError, SystemExit), open(os.devnull, "w") as nowhere:  # noqa: PTH123
        sys.stderr, before = nowhere, sys.stderr
        try:
            with open_supervisor(place) as supervisor:
                names = dict.fromkeys(look(supervisor))
            found = [name for name in names if name.startswith(incomplete) and _is_harmless(name)]
        finally:
            sys.stderr = before
            limit.cancel()
    return found[:_MOST]
