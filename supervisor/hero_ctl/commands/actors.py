"""The commands on actor processes: actors, scale, reload.

Listing asks the store, which knows the actors of all machines. Every other command asks the supervisor of this machine
over its Unix socket, because only a supervisor may start and stop its children.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Final

from hero_ctl.connect.service import ask_supervisor
from hero_ctl.connect.store import find, open_supervisor, remote_of
from hero_ctl.options import Json, OutputOptions, ServiceOptions, StoreOptions, Watch, duration, live
from hero_ctl.output.console import echo, print_note, print_result
from hero_ctl.output.formats import Format, print_rows, repeat
from hero_ctl.output.tables import ACTORS
from hero_ctl.output.widths import wrapped
from hero_ctl.parameters import Argument, Option
from hero_ctl.running.roll_notes import RollNotes
from hero_job.model.job import ScriptType

if TYPE_CHECKING:
    from hero_client import Supervisor

#: Longest wait for an answer that a list can do without, and the pause between two looks at a log, in seconds.
_LOOK_S: Final = 1.0
#: Longest wait for a look at a restart under way, in seconds.
_LIST_S: Final = 30.0

Name = Annotated[
    str,
    Argument(
        metavar="NAME",
        help="An actors entry of the config (sal: all its processes), or a process (sal-1).",
        autocompletion=live("actor_names"),
    ),
]
EntryName = Annotated[
    str,
    Argument(metavar="NAME", help="An actors entry of the config, such as sal.", autocompletion=live("actor_names")),
]
WaitLimit = Annotated[
    float | None,
    Option(
        "--wait",
        parser=duration,
        metavar="TIME",
        show_default="as long as it takes",
        help="Stop waiting after this long; the supervisor goes on.",
    ),
]


def list_actors(store: StoreOptions, *, watch: Watch = False, output: OutputOptions) -> None:
    """List the actors of all machines, and how many jobs wait."""
    from hero_ctl.output.json_views import queue_as_json

    with open_supervisor(store) as supervisor:

        def draw() -> None:
            rows = actor_rows(supervisor, store)
            print_rows(rows, ACTORS, output.format, bare=output.as_json)
            if output.format not in (Format.TABLE, Format.WIDE):
                return
            for row in rows:
                if row["unavailable"] is not None:
                    echo(wrapped(f"{row['name']}: {row['unavailable']}", indent=2))
            queues = [queue_as_json(queue) for queue in supervisor.list_queues()]
            paused = {True: " (paused)", False: ""}
            said = [f"{_queue_name(q)} {q['waiting']}{paused[bool(q['paused_since'])]}" for q in queues]
            echo(wrapped("waiting: " + ", ".join(said), indent=len("waiting: ")))

        repeat(draw, watch=watch)


def _queue_name(queue: dict[str, Any]) -> str:
    return "/".join(str(queue[part]) for part in ("script_type", "group", "instance") if queue[part])


def actor_rows(supervisor: Supervisor, store: StoreOptions) -> list[dict[str, Any]]:
    """List the registered actors, and those of this machine's supervisor that are not: held, waiting, starting."""
    from hero_ctl.output.json_views import actor_as_json

    if (remote := remote_of(supervisor)) is not None:
        return remote.actor_rows()
    rows = [{**actor_as_json(actor), "supervised": None} for actor in supervisor.list_actors()]
    socket = find(store).socket.value
    # Another store than that of the config belongs to another supervisor.
    if not socket or (store.redis_url and store.redis_url != find(store).store_url().value):
        return rows
    from hero_supervisor.rpc.unix.client import NoAnswer, call

    try:
        listed = call(socket, "list_actors", {}, _LOOK_S).get("result") or []
    except NoAnswer:
        return rows
    slots = {actor["incarnation"]: actor["supervised"] for actor in listed}
    known = {row["incarnation"] for row in rows}
    ours = [actor for actor in listed if actor["supervised"] and actor["incarnation"] not in known]
    absent = [{**actor, "script_type": ScriptType.parse(actor["script_type"]).value, "alive": False} for actor in ours]
    return [{**row, "supervised": slots.get(row["incarnation"])} for row in rows] + absent


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
        str,
        Argument(
            metavar="[NAME]",
            help="An actors entry of the config, or one process.",
            show_default="all",
            autocompletion=live("actor_names"),
        ),
    ] = "*",
    wait: WaitLimit = None,
    service: ServiceOptions,
) -> None:
    """Replace processes one by one, without losing a job, and print their names."""
    whom = "all processes" if name == "*" else f"the processes of {name}"
    print_note(f"replacing {whom}, one by one; jobs that run get time to finish, so this may take a while")
    with RollNotes(lambda: ask_supervisor(service, "list_actors", {}, _LIST_S), name):
        replaced = ask_supervisor(service, "restart_actor", {"name": name, "wait": True}, wait)["replaced"]
    for slot in replaced:
        echo(slot)


def logs(
    *,
    name: Name,
    follow: Annotated[bool, Option("--follow", "-f", help="Keep printing new lines until interrupted.")] = False,
    tail: Annotated[int, Option("--tail", "-n", min=1, max=10_000, metavar="N", help="The last N lines.")] = 100,
    service: ServiceOptions,
) -> None:
    """Print what a process of this machine's supervisor has written, also one that has ended."""
    answer = ask_supervisor(service, "get_actor_logs", {"name": name, "count": tail})
    while True:
        for line in answer["lines"]:
            print_result(f"{line['text']}\n")
        if not follow:
            return
        time.sleep(_LOOK_S)
        answer = ask_supervisor(service, "get_actor_logs", {"name": name, "after": answer["cursor"], "count": 10_000})


def scale(
    *,
    name: EntryName,
    count: Annotated[int, Argument(metavar="N", min=0, max=1000, help="How many processes.")],
    service: ServiceOptions,
) -> None:
    """Run N processes of an entry, until the supervisor restarts or its config changes the count."""
    _print_entry(ask_supervisor(service, "scale_actors", {"name": name, "count": count}))


def reload(
    *,
    no_wait: Annotated[bool, Option("--no-wait", help="Do not wait until changed processes are replaced.")] = False,
    wait: WaitLimit = None,
    service: ServiceOptions,
) -> None:
    """Make the supervisor load its config again, and print which entries changed."""
    answer = ask_supervisor(service, "reload", {"wait": not no_wait}, wait)
    for what in ("added", "removed", "changed", "scaled"):
        for entry in answer[what]:
            echo(f"{what} {entry}")
    if answer["needs_restart"]:
        print_note(f"restart the service to apply: {', '.join(answer['needs_restart'])}")


def _print_entry(entry: dict[str, Any], *, as_json: bool = False) -> None:
    from hero_ctl.output.json_views import to_json
    from hero_ctl.output.tables import print_entry

    if as_json:
        echo(to_json(entry))
    else:
        print_entry(entry)
