"""The commands that change jobs: stop, retry, delete."""

from __future__ import annotations

from hero_ctl.commands.job.selection import All, FilterOptions, JobIds, choose, each
from hero_ctl.connect.store import open_supervisor
from hero_ctl.options import DryRun, StoreOptions, Yes
from hero_ctl.output.console import print_note
from hero_job.model.status import JobStatus

_ENDED = frozenset(status for status in JobStatus if status.terminal)
_OPEN = frozenset(JobStatus) - _ENDED


def stop(
    *,
    job_ids: JobIds = None,
    all_: All = False,
    filters: FilterOptions,
    yes: Yes = False,
    dry_run: DryRun = False,
    store: StoreOptions,
) -> None:
    """Stop jobs, and print their new status: stopping if one runs, else stopped."""
    with open_supervisor(store) as supervisor:
        ids = choose(supervisor, job_ids, filters, all_=all_, verb="Stop", yes=yes, dry_run=dry_run, possible=_OPEN)

        def act(job_id: str) -> str:
            status = supervisor.stop_job(job_id)
            if status in (JobStatus.FINISHED, JobStatus.ERROR):
                print_note(f"job {job_id} had ended before; nothing was changed")
            return status.value

        each(ids, act)


def retry(
    *,
    job_ids: JobIds = None,
    all_: All = False,
    filters: FilterOptions,
    yes: Yes = False,
    dry_run: DryRun = False,
    store: StoreOptions,
) -> None:
    """Run jobs again that failed or were stopped."""
    failed = frozenset({JobStatus.ERROR, JobStatus.STOPPED})
    with open_supervisor(store) as supervisor:
        ids = choose(
            supervisor, job_ids, filters, all_=all_, verb="Run again", yes=yes, dry_run=dry_run, possible=failed
        )

        def act(job_id: str) -> str:
            supervisor.retry_job(job_id)
            return "" if len(ids) == 1 else "dispatched"

        each(ids, act)


def delete(
    *,
    job_ids: JobIds = None,
    all_: All = False,
    filters: FilterOptions,
    yes: Yes = False,
    dry_run: DryRun = False,
    store: StoreOptions,
) -> None:
    """Delete jobs that are not running."""
    with open_supervisor(store) as supervisor:
        ids = choose(
            supervisor, job_ids, filters, all_=all_, verb="Delete", yes=yes, dry_run=dry_run,
            possible=frozenset(JobStatus) - {JobStatus.STARTED, JobStatus.STOPPING}, asks=True,
        )  # fmt: skip

        def act(job_id: str) -> str:
            supervisor.delete_job(job_id)
            return "" if len(ids) == 1 else "deleted"

        each(ids, act)
