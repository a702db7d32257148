"""The commands of `heroctl`: those that run a script or look, here; the others in `life.py` and `operate.py`.

Each reads its options, calls the API, and prints: results on standard output, everything else on standard error. What
the API raises goes through to `cli.main`, which tells it.
"""

from __future__ import annotations

import heapq
from typing import Annotated

import typer

from hero_client.api import Supervisor
from hero_ctl import options
from hero_ctl.commands import actors, doctor, heroscript, install, keys, transfer
from hero_ctl.commands import events as follow
from hero_ctl.commands import job_control as life
from hero_ctl.commands import operations as operate
from hero_ctl.connect import open_supervisor, store_url
from hero_ctl.error_messages import Complaint, complain
from hero_ctl.exits import HELP, Exit
from hero_ctl.job_fields import job_fields
from hero_ctl.output import end, print_output, tell
from hero_ctl.script import read_source
from hero_ctl.waiting import nobody, run_and_wait, serves
from hero_job.model.errors import JobFailed
from hero_job.model.job import DEFAULT_LIMITS, Job, ScriptType
from hero_job.model.status import JobStatus
from hero_job.model.views import JobRecord
from hero_job.protocol.keys import DEFAULT_NAMESPACE

app = typer.Typer(
    name="heroctl",
    help="Run scripts as jobs of the Hero actor runtime, and look at its jobs and actors.",
    epilog=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _version(
    *,
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed_version

        typer.echo(f"heroctl {installed_version('hero-runtime')}")
        raise typer.Exit


@app.command(epilog=HELP)
def run(
    *,
    script: options.Script = None,
    file: options.File = None,
    type_: options.Type = ScriptType.SAL,
    caller: options.Caller = None,
    context: options.Context = "default",
    timeout: options.Timeout = DEFAULT_LIMITS.default_timeout_s,
    env: options.Env = None,
    group: options.Group = None,
    instance: options.Instance = None,
    job_id: options.JobIdOption = None,
    priority: options.PriorityOption = None,
    delay: options.Delay = None,
    not_before: options.NotBefore = None,
    expires: options.Expires = None,
    retries: options.Retries = None,
    after: options.After = None,
    unique: options.Unique = None,
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait",
            metavar="SECONDS",
            show_default="the timeout and a minute for the queue",
            help="Give up waiting after this long; the job goes on.",
        ),
    ] = None,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Run a script, wait for it, and print its output."""
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
        id=job_id,
        priority=None if priority is None else priority.value,
        delay_s=delay,
        not_before=not_before,
        expires_s=expires,
        retries=retries,
        prerequisites=after,
        unique_key=unique,
    )
    job = Job.from_fields(fields)
    with open_supervisor(redis_url, namespace) as supervisor:
        try:
            output = run_and_wait(supervisor, job, wait, tell)
        except JobFailed as e:
            end(complain(e, script_name=source.name))
        except KeyboardInterrupt:
            text = f"heroctl: interrupted; job {job.id} goes on, ask for it with `heroctl output {job.id}`"
            end(Complaint(text=text, exit=Exit.INTERRUPTED))
    print_output(output)


@app.command(epilog=HELP)
def submit(
    *,
    script: options.Script = None,
    file: options.File = None,
    type_: options.Type = ScriptType.SAL,
    caller: options.Caller = None,
    context: options.Context = "default",
    timeout: options.Timeout = DEFAULT_LIMITS.default_timeout_s,
    env: options.Env = None,
    group: options.Group = None,
    instance: options.Instance = None,
    job_id: options.JobIdOption = None,
    priority: options.PriorityOption = None,
    delay: options.Delay = None,
    not_before: options.NotBefore = None,
    expires: options.Expires = None,
    retries: options.Retries = None,
    after: options.After = None,
    unique: options.Unique = None,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Queue a script and print the id of its job."""
    fields = job_fields(
        read_source(script, file).text,
        type_=type_,
        caller=caller,
        context=context,
        timeout=timeout,
        env=env,
        group=group,
        instance=instance,
        id=job_id,
        priority=None if priority is None else priority.value,
        delay_s=delay,
        not_before=not_before,
        expires_s=expires,
        retries=retries,
        prerequisites=after,
        unique_key=unique,
    )
    with open_supervisor(redis_url, namespace) as supervisor:
        typer.echo(supervisor.submit_job(Job.from_fields(fields)))


@app.command(epilog=HELP)
def status(
    job_id: options.JobId,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything about the job, as JSON.")] = False,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Print the status of a job."""
    with open_supervisor(redis_url, namespace) as supervisor:
        if as_json:
            from hero_ctl.tables import record_as_json, to_json

            typer.echo(to_json(record_as_json(supervisor.get_job(job_id))))
        else:
            typer.echo(supervisor.get_job_status(job_id).value)


@app.command(epilog=HELP)
def output(
    job_id: options.JobId,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="Wait this long for it to end.")
    ] = 0.0,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Print the output of a job; fails as the job did."""
    with open_supervisor(redis_url, namespace) as supervisor:
        text = supervisor.await_result(job_id, wait) if wait else supervisor.get_job_output(job_id)
        if text is None:
            current = supervisor.get_job_status(job_id)
            end(Complaint(text=f"heroctl: job {job_id} has not ended: it is {current.value}", exit=Exit.NOT_ENDED))
    print_output(text)


@app.command("list", epilog=HELP)
def list_(
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="How many, newest first; 0 for all.")] = 50,
    status_: Annotated[
        JobStatus | None, typer.Option("--status", case_sensitive=False, help="Only jobs in this status.")
    ] = None,
    type_: Annotated[
        ScriptType | None, typer.Option("--type", "-t", case_sensitive=False, help="Only jobs of this type.")
    ] = None,
    as_json: options.Json = False,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """List the jobs in the store, newest first."""
    from hero_ctl.tables import print_jobs, record_as_json, to_json

    newest: dict[str, JobRecord] = {}
    damaged: dict[str, str] = {}
    cursor = ""
    with open_supervisor(redis_url, namespace) as supervisor:
        while True:
            page = supervisor.list_jobs(cursor, 500)
            # A page may repeat a job of an earlier one: that is how SCAN walks.
            for record in page.records:
                if status_ in (None, record.status) and type_ in (None, record.job.script_type):
                    newest[record.job.id] = record
            damaged.update(page.damaged)
            if limit and len(newest) > 4 * limit + 1000:
                newest = {r.job.id: r for r in heapq.nlargest(limit, newest.values(), key=_age_key)}
            cursor = page.cursor
            if not cursor:
                break
    records = heapq.nlargest(limit or len(newest), newest.values(), key=_age_key)
    if as_json:
        broken = [{"id": job_id, "status": "damaged", "error": reason} for job_id, reason in damaged.items()]
        typer.echo(to_json([record_as_json(record) for record in records] + broken))
    else:
        print_jobs(records, damaged.items())


@app.command(epilog=HELP)
def bench(
    *,
    jobs: Annotated[int, typer.Option("--jobs", "-n", min=1, help="No-op jobs in all.")] = 10_000,
    producers: Annotated[int, typer.Option("--producers", "-p", min=1, max=64, help="Producer processes.")] = 2,
    in_flight: Annotated[
        int, typer.Option("--in-flight", min=1, max=1000, help="Jobs that a producer has under way at once.")
    ] = 8,
    type_: options.Type = ScriptType.SAL,
    as_json: options.Json = False,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Measure a deployment: jobs a second, and latency from submission to result.

    The jobs are removed again at the end.
    """
    from hero_ctl.bench.command import Plan, run_bench
    from hero_ctl.tables import to_json

    plan = Plan(
        url=store_url(redis_url),
        namespace=namespace,
        script_type=type_,
        jobs=jobs,
        producers=min(producers, jobs),
        in_flight=in_flight,
    )
    with open_supervisor(redis_url, namespace) as supervisor:
        _check_somebody_serves(supervisor, plan.probe())
    summary = run_bench(plan)
    typer.echo(to_json(summary.as_json()) if as_json else summary.as_text())
    raise typer.Exit(summary.exit)


def _check_somebody_serves(supervisor: Supervisor, job: Job) -> None:
    if not any(serves(actor, job) for actor in supervisor.list_actors()):
        end(Complaint(text=f"heroctl: {nobody(job).replace(': the job waits', '')}", exit=Exit.FAILED))


def _age_key(record: JobRecord) -> tuple[str, str]:
    return (record.created_at or "", record.job.id)


app.add_typer(life.app)
app.add_typer(follow.app)
app.add_typer(transfer.app)
app.add_typer(doctor.app)
app.add_typer(install.app)
app.add_typer(operate.app)
app.add_typer(actors.app)
app.add_typer(actors.actors_app, name="actors")
app.add_typer(operate.queue_app, name="queue")
app.add_typer(operate.dead_app, name="dead")
app.add_typer(keys.app, name="keys")
app.add_typer(heroscript.app, name="heroscript")
app.add_typer(operate.schedule_app, name="schedule")
