"""The commands on schedules: add, list, show, run, pause, resume, delete."""

from __future__ import annotations

from typing import Annotated, NoReturn

from hero_client import Supervisor
from hero_ctl.connect.store import is_remote, open_supervisor
from hero_ctl.exits import CtlExitCode
from hero_ctl.job_fields import JobOptions, job_fields
from hero_ctl.options import OutputOptions, Script, ScriptArgs, ScriptFile, StoreOptions, Yes, duration, live
from hero_ctl.output.console import confirm_on_terminal, echo, fail, print_note
from hero_ctl.output.formats import print_record, print_rows
from hero_ctl.output.tables import SCHEDULES, print_facts, when
from hero_ctl.parameters import Argument, Option
from hero_ctl.running.script import read_script
from hero_job.model.errors import JobInvalid, JobNotFound
from hero_job.model.job import Job
from hero_job.operations.schedules import Missed, Overlap, Schedule

ScheduleName = Annotated[
    str,
    Argument(metavar="NAME", help="Letters, digits, '_', '.', '-'.", autocompletion=live("schedule_names")),
]


def add(
    *,
    name: ScheduleName,
    script: Script = None,
    args: ScriptArgs = None,
    file: ScriptFile = None,
    cron: Annotated[
        str | None,
        Option("--cron", metavar="FIELDS", help='When, such as "30 2 * * *"; six fields begin with seconds.'),
    ] = None,
    every: Annotated[
        float | None,
        Option("--every", parser=duration, metavar="TIME", help="Instead of --cron: run it at this interval."),
    ] = None,
    tz: Annotated[str, Option("--tz", metavar="ZONE", help="Time zone of --cron, such as Europe/Brussels.")] = "UTC",
    overlap: Annotated[
        Overlap, Option("--overlap", help="What to do while the previous job still runs.")
    ] = Overlap.SKIP,
    missed: Annotated[
        Missed, Option("--missed", help="What to do about times at which no supervisor ran.")
    ] = Missed.ONCE,
    options: JobOptions,
    store: StoreOptions,
) -> None:
    """Create a schedule, or replace the one with this name, and print when it first runs."""
    from hero_ctl.output.json_views import time_text

    source = read_script(script, file, args)
    fields = job_fields(source.text, options, source.args)
    if (cron is None) == (every is None):
        fail("give the times: either --cron FIELDS or --every TIME", CtlExitCode.USAGE)
    try:
        schedule = Schedule(name=name, job=fields, cron=cron, interval_s=every, tz=tz, overlap=overlap, missed=missed)
    except JobInvalid as e:
        if e.field != "tz":
            raise
        fail(f"{e}{_zones_like(tz)}", CtlExitCode.USAGE)
    with open_supervisor(store) as supervisor:
        echo(time_text(supervisor.put_schedule(schedule)))


def list_schedules(*, output: OutputOptions, store: StoreOptions) -> None:
    """List the schedules, by name."""
    from hero_ctl.output.json_views import schedule_as_json

    with open_supervisor(store) as supervisor:
        found = supervisor.list_schedules()
        damaged = [] if is_remote(supervisor) else supervisor.store.run(supervisor.schedules.damaged())
        ticks = supervisor.next_ticks([schedule.name for schedule in found])
    rows = [schedule_as_json(schedule, at) for schedule, at in zip(found, ticks, strict=True)]
    print_rows(rows, SCHEDULES, output.format, bare=output.as_json)
    for record in damaged:
        print_note(f"this host cannot use the {record}; `heroctl schedule delete {record.name}` deletes it")


def show(name: ScheduleName, store: StoreOptions, *, output: OutputOptions) -> None:
    """Print all about a schedule: when it runs, its last job, and what its job asks for."""
    from hero_ctl.output.json_views import schedule_as_json, time_text

    with open_supervisor(store) as supervisor:
        schedule = _find(supervisor, name)
        (next_ms,) = supervisor.next_ticks([name])
        last_id = None if is_remote(supervisor) else supervisor.store.run(supervisor.schedules.last_job(name))
        status = _status_of(supervisor, last_id) if last_id else ""
    row = {
        **schedule_as_json(schedule, next_ms),
        "in_words": schedule.in_words(),
        "last_job_id": last_id,
        "last_status": status or None,
    }

    def draw() -> None:
        fields = {f"job {field}": value for field, value in schedule.job.items()}
        print_facts(
            {
                "name": name,
                "when": when(row),
                "in words": row["in_words"] if schedule.cron else "",
                "next": "paused" if next_ms is None else time_text(next_ms),
                "overlap": row["overlap"],
                "missed": row["missed"],
                "last job": f"{last_id} ({status})" if last_id else "",
                **fields,
            }
        )

    print_record(row, "schedule", output.format, draw, name="name")


def run(name: ScheduleName, store: StoreOptions) -> None:
    """Run the job of a schedule now, and print its id. The schedule itself goes on as before."""
    with open_supervisor(store) as supervisor:
        echo(supervisor.submit_job(Job.from_fields(dict(_find(supervisor, name).job))))


def pause(name: ScheduleName, store: StoreOptions) -> None:
    """Pause a schedule: it creates no jobs until `schedule resume`."""
    with open_supervisor(store) as supervisor:
        _find(supervisor, name)
        if not supervisor.pause_schedule(name):
            print_note("it was paused already")


def resume(name: ScheduleName, store: StoreOptions) -> None:
    """Resume a paused schedule, and print when it runs next. What it missed meanwhile stays missed."""
    from hero_ctl.output.json_views import time_text

    with open_supervisor(store) as supervisor:
        _find(supervisor, name)
        if supervisor.next_ticks([name]) != [None]:
            print_note("it was not paused")
            return
        next_ms = supervisor.resume_schedule(name)
        echo(time_text(next_ms) if next_ms is not None else "")


def delete(name: ScheduleName, store: StoreOptions, *, yes: Yes = False) -> None:
    """Delete a schedule. The jobs that it has created stay."""
    with open_supervisor(store) as supervisor:
        confirm_on_terminal(f"Delete the schedule {name}?", yes=yes)
        if not supervisor.delete_schedule(name):
            _unknown(name)


def _zones_like(tz: str) -> str:
    """A sentence with the zones that are probably meant."""
    from difflib import get_close_matches
    from zoneinfo import available_timezones

    zones = {zone.lower(): zone for zone in sorted(available_timezones())}
    given = tz.strip().lower().replace(" ", "_")
    found = [zone for low, zone in zones.items() if low == given or low.endswith(f"/{given}")]
    found = found or [zones[low] for low in get_close_matches(given, zones, n=3)]
    return f"; did you mean {' or '.join(found[:3])}?" if found else "; zones have names such as Europe/Brussels"


def _find(supervisor: Supervisor, name: str) -> Schedule:
    return next((one for one in supervisor.list_schedules() if one.name == name), None) or _unknown(name)


def _unknown(name: str) -> NoReturn:
    fail(f"no schedule is named '{name}'; `heroctl schedule list` shows all", CtlExitCode.UNKNOWN_JOB)


def _status_of(supervisor: Supervisor, job_id: str) -> str:
    try:
        return supervisor.get_job_status(job_id).value
    except JobNotFound:
        return "past its retention"
