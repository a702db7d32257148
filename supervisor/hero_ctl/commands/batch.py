"""The commands on batches: batch show, batch wait. `create_jobs` of the API makes one."""

from __future__ import annotations

from typing import Annotated

from hero_client import Supervisor
from hero_ctl.commands.job.selection import FilterOptions, select_jobs
from hero_ctl.connect.store import open_supervisor
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import OutputOptions, StoreOptions, duration, live
from hero_ctl.output.console import fail
from hero_ctl.output.formats import print_record, print_rows
from hero_ctl.output.json_views import plain, record_as_json
from hero_ctl.output.tables import JOBS, print_facts
from hero_ctl.parameters import Argument, Option
from hero_job.model.errors import WaitTimeout
from hero_job.model.views import BatchStatus

BatchId = Annotated[str, Argument(metavar="BATCH_ID", help="The batch.", autocompletion=live("batch_ids"))]


def show(batch_id: BatchId, *, output: OutputOptions, store: StoreOptions) -> None:
    """Show how many jobs of a batch have ended, and how."""
    with open_supervisor(store) as supervisor:
        _print(_find(supervisor, batch_id), output)


def jobs(batch_id: BatchId, *, output: OutputOptions, store: StoreOptions) -> None:
    """List the jobs of a batch."""
    with open_supervisor(store) as supervisor:
        found, _ = select_jobs(supervisor, FilterOptions(batch=batch_id))
    print_rows([record_as_json(record) for record in found], JOBS, output.format, bare=output.as_json)


def wait(
    batch_id: BatchId,
    *,
    timeout: Annotated[float, Option("--timeout", parser=duration, metavar="TIME", help="Longest wait.")] = 365
    * 86_400.0,
    output: OutputOptions,
    store: StoreOptions,
) -> None:
    """Wait until all jobs of a batch have ended. The exit code is 1 if one of them has no result."""
    with open_supervisor(store) as supervisor:
        try:
            ended = supervisor.await_batch(batch_id, timeout)
        except WaitTimeout:
            left = _find(supervisor, batch_id).open
            fail(f"{left} jobs of the batch {batch_id} have not ended", CtlExitCode.NOT_ENDED)
    _print(ended, output)
    if ended.error or ended.stopped:
        raise SystemExit(CtlExitCode.FAILED)


def _find(supervisor: Supervisor, batch_id: str) -> BatchStatus:
    found = supervisor.get_batch(batch_id)
    if found is None:
        fail(f"no batch {batch_id} (never created, or past its retention)", CtlExitCode.UNKNOWN_JOB)
    return found


def _print(batch: BatchStatus, output: OutputOptions) -> None:
    row = plain(batch)
    print_record(row, "batch", output.format, lambda: print_facts({**row, "batch_id": batch.batch_id}), name="batch_id")
