"""The commands on queues: queues, pause, resume, queue purge."""

from __future__ import annotations

from hero_ctl.connect.store import open_supervisor
from hero_ctl.options import OutputOptions, QueueOptions, StoreOptions, Watch, Yes
from hero_ctl.output.console import confirm, echo, print_note
from hero_ctl.output.formats import print_rows, repeat
from hero_ctl.output.tables import QUEUES


def list_queues(*, watch: Watch = False, output: OutputOptions, store: StoreOptions) -> None:
    """List the queues: how many jobs wait, and since when a queue is paused."""
    from hero_ctl.output.json_views import queue_as_json

    with open_supervisor(store) as supervisor:

        def draw() -> None:
            rows = [queue_as_json(queue) for queue in supervisor.list_queues()]
            print_rows(rows, QUEUES, output.format, bare=output.as_json)

        repeat(draw, watch=watch)


def pause(queue: QueueOptions, store: StoreOptions) -> None:
    """Pause a queue: its jobs wait. Jobs that have started go on."""
    with open_supervisor(store) as supervisor:
        if not supervisor.pause_queue(queue.script_type, queue.group, queue.instance):
            print_note("it was paused already")


def resume(queue: QueueOptions, store: StoreOptions) -> None:
    """Resume a paused queue."""
    with open_supervisor(store) as supervisor:
        if not supervisor.resume_queue(queue.script_type, queue.group, queue.instance):
            print_note("it was not paused")


def purge(
    *,
    queue: QueueOptions,
    yes: Yes = False,
    store: StoreOptions,
) -> None:
    """Stop all jobs that wait in a queue, and print how many. Jobs that have started go on."""
    names = (queue.script_type, queue.group, queue.instance)
    with open_supervisor(store) as supervisor:
        if not yes:
            waiting = supervisor.get_queue(*names).waiting
            where = "/".join(name for name in names if name)
            confirm(f"Stop the {waiting} jobs that wait in the queue {where}?")
        echo(supervisor.purge_queue(*names))
