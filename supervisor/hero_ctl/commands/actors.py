"""The commands on actor processes: look at those of all machines, act on those of the supervisor of this one.

Looking asks the store. Acting asks the supervisor, over its Unix socket: nobody else may touch its children.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hero_ctl import options
from hero_ctl.connect import open_supervisor
from hero_ctl.error_messages import Complaint
from hero_ctl.exits import HELP, Exit
from hero_ctl.output import end, tell
from hero_job.model.job import ScriptType
from hero_job.protocol.keys import DEFAULT_NAMESPACE

app = typer.Typer()
actors_app = typer.Typer(help="Actor processes: list them, start, stop and restart those of this machine's supervisor.")

Socket = Annotated[
    str,
    typer.Option(
        "--socket", envvar="HERO_SOCKET", metavar="PATH", help="Unix socket of the supervisor, as its config names it."
    ),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="An entry (`sal`: all of it), or one process (`sal-1`).")]
Patience = Annotated[
    float | None,
    typer.Option("--wait", metavar="SECONDS", show_default="as long as it takes", help="Give up waiting; it goes on."),
]

DEFAULT_SOCKET = ".hero/hero.ipc"
#: Codes of the supervisor for names that it does not know, and for those of others.
_UNKNOWN = frozenset({1402, 1403})


@actors_app.callback(invoke_without_command=True, epilog=HELP)
def list_actors(
    context: typer.Context,
    as_json: options.Json = False,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """List the actors of all machines, and how many jobs wait; or act on those of this machine's supervisor."""
    if context.invoked_subcommand is not None:
        return
    from hero_ctl.tables import actor_as_json, print_actors, to_json

    with open_supervisor(redis_url, namespace) as supervisor:
        present = supervisor.list_actors()
        if as_json:
            typer.echo(to_json([actor_as_json(actor) for actor in present]))
            return
        queued = {script_type.value: supervisor.queue_length(script_type) for script_type in ScriptType}
    print_actors(present, queued)


@actors_app.command("show", epilog=HELP)
def show_entry(name: Name, as_json: options.Json = False, socket: Socket = DEFAULT_SOCKET) -> None:
    """Show the processes of an entry: what they do, and why one does not run."""
    _show(_ask(socket, "get_actor", {"name": name}), as_json=as_json)


@actors_app.command("start", epilog=HELP)
def start(name: Name, socket: Socket = DEFAULT_SOCKET) -> None:
    """Start what was stopped, has ended, or cannot start; what pauses before a restart starts now."""
    _show(_ask(socket, "start_actor", {"name": name}))


@actors_app.command("stop", epilog=HELP)
def stop(name: Name, socket: Socket = DEFAULT_SOCKET) -> None:
    """Stop it until it is started again; running jobs get their time."""
    _show(_ask(socket, "stop_actor", {"name": name}))


@actors_app.command("restart", epilog=HELP)
def restart(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="An entry, or one process.", show_default="all")] = "*",
    wait: Patience = None,
    socket: Socket = DEFAULT_SOCKET,
) -> None:
    """Replace processes one at a time, so that no job is lost, and print which."""
    for slot in _ask(socket, "restart_actor", {"name": name, "wait": True}, wait)["replaced"]:
        typer.echo(slot)


@app.command(epilog=HELP)
def scale(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An entry of the config, as `sal`.")],
    count: Annotated[int, typer.Argument(metavar="N", min=0, max=1000, help="How many processes.")],
    socket: Socket = DEFAULT_SOCKET,
) -> None:
    """Have so many processes of an entry, until the supervisor starts anew or its config says something else."""
    _show(_ask(socket, "scale_actors", {"name": name, "count": count}))


@app.command(epilog=HELP)
def reload(
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Do not wait until changed processes are replaced.")
    ] = False,
    wait: Patience = None,
    socket: Socket = DEFAULT_SOCKET,
) -> None:
    """Have the supervisor load its config again, and print what that changed."""
    answer = _ask(socket, "reload", {"wait": not no_wait}, wait)
    for what in ("added", "removed", "changed", "scaled"):
        for entry in answer[what]:
            typer.echo(f"{what} {entry}")
    if answer["needs_restart"]:
        tell(f"only after a restart of the service: {', '.join(answer['needs_restart'])}")


def _ask(socket: str, method: str, params: dict[str, Any], wait_s: float | None = None) -> Any:
    from hero_supervisor.rpc.unix.client import NoAnswer, call

    try:
        answer = call(socket, method, params, wait_s)
    except NoAnswer as e:
        end(Complaint(text=f"heroctl: {e}; name the socket with --socket or HERO_SOCKET", exit=Exit.STORE))
    if "error" in answer:
        end(_complaint(answer["error"]))
    return answer["result"]


def _complaint(error: dict[str, Any]) -> Complaint:
    data = error.get("data") or {}
    lines = [f"heroctl: {error['message']}", *data.get("problems", ()), *([data["hint"]] if "hint" in data else ())]
    code = Exit.UNKNOWN_JOB if error["code"] in _UNKNOWN else Exit.FAILED
    return Complaint(text="\n".join(str(line) for line in lines), exit=code)


def _show(entry: dict[str, Any], *, as_json: bool = False) -> None:
    from hero_ctl.tables import print_entry, to_json

    if as_json:
        typer.echo(to_json(entry))
    else:
        print_entry(entry)
