"""The commands on actor processes: actors, scale, reload.

Listing asks the store, which knows the actors of all machines. Every other command asks the supervisor of this machine
over its Unix socket, because only a supervisor may start and stop its children.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hero_ctl.connect.service import ask_supervisor
from hero_ctl.connect.store import open_supervisor
from hero_ctl.options import Json, ServiceOptions, StoreOptions
from hero_ctl.output.console import print_note
from hero_job.model.job import ScriptType

HELP_TEXT = "List actor processes; show, start, stop and restart those of this machine's supervisor."

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="An actors entry of the config (sal: all its processes), or a process (sal-1)."
    ),
]
EntryName = Annotated[str, typer.Argument(metavar="NAME", help="An actors entry of the config, such as sal.")]
WaitLimit = Annotated[
    float | None,
    typer.Option(
        "--wait",
        metavar="SECONDS",
        show_default="as long as it takes",
        help="Stop waiting after this long; the supervisor goes on.",
    ),
]


def list_actors(context: typer.Context, store: StoreOptions, *, as_json: Json = False) -> None:
    """List the actors of all machines, and how many jobs wait; or act on those of this machine's supervisor."""
    if context.invoked_subcommand is not None:
        return
    from hero_ctl.output.json_views import actor_as_json, to_json
    from hero_ctl.output.tables import print_actors

    with open_supervisor(store) as supervisor:
        present = supervisor.list_actors()
        if as_json:
            typer.echo(to_json([actor_as_json(actor) for actor in present]))
            return
        queued = {script_type.value: supervisor.queue_length(script_type) for script_type in ScriptType}
    print_actors(present, queued)


def show(name: Name, service: ServiceOptions, *, as_json: Json = False) -> None:
    """Show the processes of an entry: what each does, and why one does not run."""
    _print_entry(ask_supervisor(service, "get_actor", {"name": name}), as_json=as_json)


def start(name: Name, service: ServiceOptions) -> None:
    """Start processes that were stopped, have ended, or pause before a restart."""
    _print_entry(ask_supervisor(service, "start_actor", {"name": name}))


def stop(name: Name, service: ServiceOptions) -> None:
    """Stop processes until they are started again. Running jobs get time to finish."""
    _print_entry(ask_supervisor(service, "stop_actor", {"name": name}))


def restart(
    *,
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="An actors entry of the config, or one process.", show_default="all")
    ] = "*",
    wait: WaitLimit = None,
    service: ServiceOptions,
) -> None:
    """Replace processes one by one, without losing a job, and print their names."""
    for slot in ask_supervisor(service, "restart_actor", {"name": name, "wait": True}, wait)["replaced"]:
        typer.echo(slot)


def scale(
    *,
    name: EntryName,
    count: Annotated[int, typer.Argument(metavar="N", min=0, max=1000, help="How many processes.")],
    service: ServiceOptions,
) -> None:
    """Run N processes of an entry, until the supervisor restarts or its config changes the count."""
    _print_entry(ask_supervisor(service, "scale_actors", {"name": name, "count": count}))


def reload(
    *,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Do not wait until changed processes are replaced.")
    ] = False,
    wait: WaitLimit = None,
    service: ServiceOptions,
) -> None:
    """Make the supervisor load its config again, and print which entries changed."""
    answer = ask_supervisor(service, "reload", {"wait": not no_wait}, wait)
    for what in ("added", "removed", "changed", "scaled"):
        for entry in answer[what]:
            typer.echo(f"{what} {entry}")
    if answer["needs_restart"]:
        print_note(f"restart the service to apply: {', '.join(answer['needs_restart'])}")


def _print_entry(entry: dict[str, Any], *, as_json: bool = False) -> None:
    from hero_ctl.output.json_views import to_json
    from hero_ctl.output.tables import print_entry

    if as_json:
        typer.echo(to_json(entry))
    else:
        print_entry(entry)
