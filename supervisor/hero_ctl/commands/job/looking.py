"""The commands that look at jobs: status, show, output, wait, list."""

from __future__ import annotations

import time
from typing import Annotated

from hero_ctl.commands.job.selection import FilterOptions, read_ids, select_jobs
from hero_ctl.connect.store import open_supervisor
from hero_ctl.exits import CtlExitCode, exit_code_of
from hero_ctl.options import JobId, OutputOptions, StoreOptions, Watch, duration, live
from hero_ctl.output.console import echo, fail, print_note, print_result
from hero_ctl.output.formats import Format, print_record, print_rows, repeat
from hero_ctl.output.json_views import record_as_json, to_json
from hero_ctl.output.tables import JOBS, print_facts, took
from hero_ctl.output.visible import visible
from hero_ctl.parameters import Argument, Option
from hero_job.model.errors import JobFailed, WaitTimeout
from hero_job.model.overview.explanation import WaitReason
from hero_job.model.views import JobRecord

JobIdList = Annotated[
    list[str],
    Argument(metavar="JOB_ID...", help="Jobs; - reads ids from standard input.", autocompletion=live("job_ids")),
]


def status(
    job_ids: JobIdList,
    store: StoreOptions,
    *,
    as_json: Annotated[bool, Option("--json", help="Print everything about the job, as JSON.")] = False,
) -> None:
    """Print the status of jobs."""
    with open_supervisor(store) as supervisor:
        ids = read_ids(job_ids)
        for job_id in ids:
            if as_json:
                echo(to_json(record_as_json(supervisor.get_job(job_id))))
            else:
                current = supervisor.get_job_status(job_id).value
                echo(current if len(ids) == 1 else f"{job_id}  {current}")


def show(job_id: JobId, store: StoreOptions, *, output: OutputOptions) -> None:
    """Print all about a job: status, times, attempts, its error, and why it does not run."""
    with open_supervisor(store) as supervisor:
        record = supervisor.get_job(job_id)
        why = supervisor.explain_job(job_id)
    reasons = [] if why.reason in (WaitReason.ENDED, WaitReason.RUNNING) else [why.text]
    if output.as_json:
        echo(to_json({**record_as_json(record), "waits_because": reasons}))
        return
    row = {**record_as_json(record), "waits_because": reasons}
    print_record(row, "job", output.format, lambda: _print_job(record, reasons))


def output(
    job_id: JobId,
    store: StoreOptions,
    wait: Annotated[
        float,
        Option(
            "--wait",
            parser=duration,
            metavar="TIME",
            show_default="do not wait",
            help="Wait this long for the job to end.",
        ),
    ] = 0.0,
) -> None:
    """Print the output of a job. If the job failed, the command fails with its error."""
    with open_supervisor(store) as supervisor:
        text = supervisor.await_result(job_id, wait) if wait > 0 else supervisor.get_job_output(job_id)
        if text is None:
            current = supervisor.get_job_status(job_id)
            fail(
                f"job {job_id} has not ended: it is {current.value}; wait for it with --wait TIME",
                CtlExitCode.NOT_ENDED,
            )
    print_result(text)


def wait(
    job_ids: JobIdList,
    store: StoreOptions,
    *,
    timeout: Annotated[
        float | None,
        Option("--timeout", parser=duration, metavar="TIME", show_default="none", help="Longest wait for all."),
    ] = None,
) -> None:
    """Wait until jobs have ended, and print how each did.

    The exit code is that of the first job that ended without a result; 7 if --timeout comes first.
    """
    code = CtlExitCode.FINISHED
    deadline_mono = None if timeout is None else time.monotonic() + timeout
    with open_supervisor(store) as supervisor:
        ids = read_ids(job_ids)
        for job_id in ids:
            left_s = 10.0 * 365 * 86_400 if deadline_mono is None else max(0.001, deadline_mono - time.monotonic())
            try:
                supervisor.await_result(job_id, left_s)
                ended = "finished"
            except JobFailed as e:
                ended = f"{supervisor.get_job_status(job_id).value}  {e.kind}: {e.message}"
                code = code or exit_code_of(e.kind)
            except WaitTimeout:
                ended = supervisor.get_job_status(job_id).value
                code = code or CtlExitCode.NOT_ENDED
            print_result(visible(f"{job_id}  {ended.splitlines()[0]}"))
    if code:
        raise SystemExit(code)


def list_jobs(
    *,
    limit: Annotated[int, Option("--limit", "-n", min=0, help="Most jobs to list; 0 lists all.")] = 50,
    filters: FilterOptions,
    watch: Watch = False,
    output: OutputOptions,
    store: StoreOptions,
) -> None:
    """List the jobs in the store, newest first."""

    def draw() -> None:
        records, damaged = select_jobs(supervisor, filters, limit)
        broken = [] if not filters.is_empty else [
            {"id": job_id, "status": "damaged", "error": reason} for job_id, reason in damaged.items()
        ]  # fmt: skip
        rows = [record_as_json(record) for record in records] + broken
        print_rows(rows, JOBS, output.format, bare=output.as_json)
        if limit and len(records) == limit and output.format in (Format.TABLE, Format.WIDE):
            print_note(f"the newest {limit}; --limit shows more, 0 all")

    with open_supervisor(store) as supervisor:
        repeat(draw, watch=watch)


def _cure(record: JobRecord) -> str:
    """Say what the kind of error of a job means, and what to do about it; "" for a job without one."""
    from hero_job.model.overview.kinds import CURES

    row = CURES.get(record.error_kind or "")
    return f"{row.cause}: {row.cure}" if row else ""


def _print_job(record: JobRecord, reasons: list[str]) -> None:
    """Print what happened to a job, one line per fact; its script and its output are left out."""
    job, progress = record.job, record.progress
    place = ":".join(str(part) for part in (record.error_line, record.error_column) if part is not None)
    facts: dict[str, object] = {
        "id": job.id,
        "script type": job.script_type.value,
        "caller": job.caller_id,
        "context": job.context_id,
        "status": record.status.value,
        "created": record.created_at,
        "started": record.started_at,
        "finished": record.finished_at,
        "took": took(record_as_json(record)),
        "owner": record.owner,
        "attempts": record.attempt,
        "ran again": record.rerun_reason,
        "ended its process": f"{record.redeliveries} times" if record.redeliveries else "",
        "failures": record.failures or "",
        "progress": f"{progress.done:g} of {progress.total:g} {progress.text}" if progress else "",
        "error": f"{record.error_kind}: {record.error}" if record.error is not None else "",
        "error at": place,
        "what to do": _cure(record),
        "batch": job.batch,
        "waits because": "; ".join(reasons),
    }
    print_facts(facts)
