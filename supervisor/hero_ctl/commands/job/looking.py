"""The commands that look at jobs: status, show, output, list."""

from __future__ import annotations

import heapq
from typing import Annotated

import typer

from hero_ctl.connect.store import open_supervisor
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import JobId, Json, StoreOptions
from hero_ctl.output.console import fail, print_result
from hero_job.model.job import ScriptType
from hero_job.model.status import JobStatus
from hero_job.model.views import JobRecord

_PAGE = 500


def status(
    job_id: JobId,
    store: StoreOptions,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything about the job, as JSON.")] = False,
) -> None:
    """Print the status of a job."""
    with open_supervisor(store) as supervisor:
        if as_json:
            from hero_ctl.output.json_views import record_as_json, to_json

            typer.echo(to_json(record_as_json(supervisor.get_job(job_id))))
        else:
            typer.echo(supervisor.get_job_status(job_id).value)


def show(job_id: JobId, store: StoreOptions, *, as_json: Json = False) -> None:
    """Print what happened to a job: status, times, attempts, why it ran again, and its error."""
    from hero_ctl.output.json_views import record_as_json, to_json
    from hero_ctl.output.tables import print_job

    with open_supervisor(store) as supervisor:
        record = supervisor.get_job(job_id)
    if as_json:
        typer.echo(to_json(record_as_json(record)))
    else:
        print_job(record)


def output(
    job_id: JobId,
    store: StoreOptions,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="Wait this long for the job to end.")
    ] = 0.0,
) -> None:
    """Print the output of a job. If the job failed, the command fails with its error."""
    with open_supervisor(store) as supervisor:
        text = supervisor.await_result(job_id, wait) if wait else supervisor.get_job_output(job_id)
        if text is None:
            current = supervisor.get_job_status(job_id)
            fail(
                f"job {job_id} has not ended: it is {current.value}; wait for it with --wait SECONDS",
                CtlExitCode.NOT_ENDED,
            )
    print_result(text)


def list_jobs(
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Most jobs to list; 0 lists all.")] = 50,
    status: Annotated[
        JobStatus | None, typer.Option("--status", case_sensitive=False, help="Only jobs in this status.")
    ] = None,
    script_type: Annotated[
        ScriptType | None, typer.Option("--type", "-t", case_sensitive=False, help="Only jobs of this type.")
    ] = None,
    as_json: Json = False,
    store: StoreOptions,
) -> None:
    """List the jobs in the store, newest first."""
    from hero_ctl.output.json_views import record_as_json, to_json
    from hero_ctl.output.tables import print_jobs

    newest: dict[str, JobRecord] = {}
    damaged: dict[str, str] = {}
    cursor = ""
    with open_supervisor(store) as supervisor:
        while True:
            page = supervisor.search_jobs(cursor, _PAGE)
            # The store walks with SCAN, so a page may repeat a job of an earlier one.
            for record in page.records:
                if status in (None, record.status) and script_type in (None, record.job.script_type):
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


def _age_key(record: JobRecord) -> tuple[str, str]:
    return (record.created_at or "", record.job.id)
