"""The commands on schedules: schedule add, schedule list, schedule delete."""

from __future__ import annotations

from typing import Annotated

import typer

from hero_ctl.connect.store import open_supervisor
from hero_ctl.exits import CtlExitCode
from hero_ctl.job_fields import JobOptions, job_fields
from hero_ctl.options import Json, Script, ScriptFile, StoreOptions
from hero_ctl.output.console import fail, print_note
from hero_ctl.running.script import read_script
from hero_job.operations.schedules import Missed, Overlap, Schedule

ScheduleName = Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, '_', '.', '-'.")]


def add(
    *,
    name: ScheduleName,
    script: Script = None,
    file: ScriptFile = None,
    cron: Annotated[
        str | None,
        typer.Option("--cron", metavar="FIELDS", help='When, such as "30 2 * * *"; six fields begin with seconds.'),
    ] = None,
    every: Annotated[
        float | None, typer.Option("--every", metavar="SECONDS", help="Instead of --cron: run it at this interval.")
    ] = None,
    tz: Annotated[
        str, typer.Option("--tz", metavar="ZONE", help="Time zone of --cron, such as Europe/Brussels.")
    ] = "UTC",
    overlap: Annotated[
        Overlap, typer.Option("--overlap", help="What to do while the previous job still runs.")
    ] = Overlap.SKIP,
    missed: Annotated[
        Missed, typer.Option("--missed", help="What to do about times at which no supervisor ran.")
    ] = Missed.ONCE,
    options: JobOptions,
    store: StoreOptions,
) -> None:
    """Create a schedule, or replace the one with this name, and print when it first runs."""
    from hero_ctl.output.json_views import time_text

    fields = job_fields(read_script(script, file).text, options)
    if (cron is None) == (every is None):
        fail("give the times: either --cron FIELDS or --every SECONDS", CtlExitCode.USAGE)
    schedule = Schedule(name=name, job=fields, cron=cron, interval_s=every, tz=tz, overlap=overlap, missed=missed)
    with open_supervisor(store) as supervisor:
        typer.echo(time_text(supervisor.put_schedule(schedule)))


def list_schedules(store: StoreOptions, *, as_json: Json = False) -> None:
    """List the schedules, by name."""
    from hero_ctl.output.json_views import schedule_as_json, to_json
    from hero_ctl.output.tables import print_schedules

    with open_supervisor(store) as supervisor:
        found = supervisor.list_schedules()
        damaged = supervisor.store.run(supervisor.schedules.damaged())
    if as_json:
        typer.echo(to_json([schedule_as_json(schedule) for schedule in found]))
    else:
        print_schedules(found)
    for record in damaged:
        print_note(f"this host cannot use the {record}; `heroctl schedule delete {record.name}` deletes it")


def delete(name: ScheduleName, store: StoreOptions) -> None:
    """Delete a schedule. The jobs that it has created stay."""
    with open_supervisor(store) as supervisor:
        if not supervisor.delete_schedule(name):
            fail(f"no schedule is named '{name}'; `heroctl schedule list` shows all", CtlExitCode.UNKNOWN_JOB)
