"""The commands of an operator: dead letters, queues, schedules."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hero_client.api import Supervisor
from hero_ctl import options
from hero_ctl.connect import open_supervisor
from hero_ctl.error_messages import Complaint
from hero_ctl.exits import HELP, Exit
from hero_ctl.job_fields import job_fields
from hero_ctl.output import end, tell
from hero_ctl.script import read_source
from hero_job.model.errors import HeroJobError, StoreError
from hero_job.model.job import DEFAULT_LIMITS, Priority, ScriptType
from hero_job.model.views import JobRecord
from hero_job.operations.schedules import Missed, Overlap, Schedule
from hero_job.protocol.keys import DEFAULT_NAMESPACE

app = typer.Typer()
queue_app = typer.Typer(help="One queue.", no_args_is_help=True)
dead_app = typer.Typer(help="Dead letters: jobs that ended in error for good.", no_args_is_help=True)
schedule_app = typer.Typer(help="Jobs that run again and again.", no_args_is_help=True)

QueueType = Annotated[ScriptType, typer.Argument(metavar="TYPE", case_sensitive=False, help="osis, sal, v or python.")]
ScheduleName = Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, '_', '.', '-'.")]


@app.command(epilog=HELP)
def queues(
    as_json: options.Json = False,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """List the queues: how many jobs wait, and since when one is paused."""
    from hero_ctl.tables import plain, print_queues, to_json

    with open_supervisor(redis_url, namespace) as supervisor:
        found = supervisor.list_queues()
    if as_json:
        typer.echo(to_json([plain(queue) for queue in found]))
    else:
        print_queues(found)


@app.command(epilog=HELP)
def pause(
    script_type: QueueType,
    group: options.Group = None,
    instance: options.Instance = None,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Pause a queue: its jobs wait, what runs goes on."""
    _check_instance(group, instance)
    with open_supervisor(redis_url, namespace) as supervisor:
        if not supervisor.pause_queue(script_type, group, instance):
            tell("it was paused already")


@app.command(epilog=HELP)
def resume(
    script_type: QueueType,
    group: options.Group = None,
    instance: options.Instance = None,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Resume a paused queue."""
    _check_instance(group, instance)
    with open_supervisor(redis_url, namespace) as supervisor:
        if not supervisor.resume_queue(script_type, group, instance):
            tell("it was not paused")


@queue_app.command("purge", epilog=HELP)
def purge_queue(
    *,
    script_type: QueueType,
    group: options.Group = None,
    instance: options.Instance = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Stop all jobs that wait in a queue, and print how many; what runs goes on."""
    _check_instance(group, instance)
    with open_supervisor(redis_url, namespace) as supervisor:
        if not yes:
            waiting = supervisor.get_queue(script_type, group, instance).waiting
            where = "/".join(part for part in (script_type.value, group, instance) if part)
            _confirm(f"Stop the {waiting} jobs that wait in the queue {where}?")
        typer.echo(supervisor.purge_queue(script_type, group, instance))


@dead_app.command("list", epilog=HELP)
def list_dead(
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many, newest first.")] = 50,
    as_json: options.Json = False,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """List the dead letters, the newest first."""
    from hero_ctl.tables import dead_as_json, print_dead, to_json

    with open_supervisor(redis_url, namespace) as supervisor:
        letters = supervisor.list_dead(0, limit)
        found = [(letter, _record(supervisor, letter.job_id)) for letter in letters]
        total = supervisor.count_dead()
    if as_json:
        typer.echo(to_json([dead_as_json(letter, record) for letter, record in found]))
        return
    print_dead(found)
    if total > len(found):
        tell(f"{len(found)} of {total}; more with --limit")


@dead_app.command("retry", epilog=HELP)
def retry_dead(
    job_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[JOB_ID]...", help="Only these; all without any.")
    ] = None,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Run dead letters again, and print how many."""
    with open_supervisor(redis_url, namespace) as supervisor:
        if not job_ids:
            typer.echo(supervisor.retry_all_dead())
            return
        for job_id in job_ids:
            supervisor.retry_job(job_id)
        typer.echo(len(job_ids))


@dead_app.command("purge", epilog=HELP)
def purge_dead(
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Delete all dead letters with their jobs, and print how many."""
    with open_supervisor(redis_url, namespace) as supervisor:
        typer.echo(supervisor.purge_dead())


@schedule_app.command("add", epilog=HELP)
def add_schedule(
    *,
    name: ScheduleName,
    script: options.Script = None,
    file: options.File = None,
    cron: Annotated[
        str | None,
        typer.Option("--cron", metavar="FIELDS", help='When, as "30 2 * * *"; six fields begin with seconds.'),
    ] = None,
    every: Annotated[
        float | None, typer.Option("--every", metavar="SECONDS", help="Instead of --cron: from one to the next.")
    ] = None,
    tz: Annotated[str, typer.Option("--tz", metavar="ZONE", help="Time zone of --cron, as Europe/Brussels.")] = "UTC",
    overlap: Annotated[Overlap, typer.Option("--overlap", help="While the last job still runs.")] = Overlap.SKIP,
    missed: Annotated[Missed, typer.Option("--missed", help="When no supervisor ran at the time.")] = Missed.ONCE,
    type_: options.Type = ScriptType.SAL,
    caller: options.Caller = None,
    context: options.Context = "default",
    timeout: options.Timeout = DEFAULT_LIMITS.default_timeout_s,
    env: options.Env = None,
    group: options.Group = None,
    instance: options.Instance = None,
    priority: options.PriorityOption = None,
    expires: options.Expires = None,
    retries: options.Retries = None,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Create a schedule, or replace the one of this name, and print when it runs first."""
    from hero_ctl.tables import time_text

    source = read_source(script, file)
    fields = job_fields(
        source.text,
        type_=type_,
        caller=caller,
        context=context,
        timeout=timeout,
        env=env,
        group=group,
        instance=instance,
        priority=_word(priority),
        expires_s=expires,
        retries=retries,
    )
    if (cron is None) == (every is None):
        end(Complaint(text="heroctl: say when: either --cron FIELDS or --every SECONDS", exit=Exit.USAGE))
    schedule = Schedule(name=name, job=fields, cron=cron, interval_s=every, tz=tz, overlap=overlap, missed=missed)
    with open_supervisor(redis_url, namespace) as supervisor:
        typer.echo(time_text(supervisor.put_schedule(schedule)))


@schedule_app.command("list", epilog=HELP)
def list_schedules(
    as_json: options.Json = False,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """List the schedules, by name."""
    from hero_ctl.tables import print_schedules, schedule_as_json, to_json

    with open_supervisor(redis_url, namespace) as supervisor:
        found = supervisor.list_schedules()
    if as_json:
        typer.echo(to_json([schedule_as_json(schedule) for schedule in found]))
    else:
        print_schedules(found)


@schedule_app.command("delete", epilog=HELP)
def delete_schedule(
    name: ScheduleName,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Delete a schedule; the jobs that it has made stay."""
    with open_supervisor(redis_url, namespace) as supervisor:
        if not supervisor.delete_schedule(name):
            text = f"heroctl: no schedule of the name '{name}'; `heroctl schedule list` shows all"
            end(Complaint(text=text, exit=Exit.UNKNOWN_JOB))


def _record(supervisor: Supervisor, job_id: str) -> JobRecord | None:
    try:
        return supervisor.get_job(job_id)
    except StoreError:
        raise
    except HeroJobError:
        return None  # past its retention, or damaged: the letter itself is shown


def _confirm(question: str) -> None:
    # Not typer's: it writes a space to standard output, which belongs to results.
    typer.echo(f"{question} [y/N] ", nl=False, err=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        end(Complaint(text="heroctl: nothing was done; --yes does it without asking", exit=Exit.FAILED))


def _check_instance(group: str | None, instance: str | None) -> None:
    if instance is not None and group is None:
        end(Complaint(text="heroctl: --instance names a member of a group: add --group", exit=Exit.USAGE))


def _word(priority: Priority | None) -> str | None:
    return None if priority is None else priority.value
