"""The commands on batches: list, show, jobs, wait. `create_jobs` of the API makes one."""

from __future__ import annotations

from typing import Annotated, Final

from hero_client import Supervisor
from hero_ctl.commands.job.selection import FilterOptions, select_jobs
from hero_ctl.connect.store import open_supervisor
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import OutputOptions, StoreOptions, Watch, duration, live
from hero_ctl.output.console import fail, print_note
from hero_ctl.output.formats import one_line, print_record, print_rows, repeat
from hero_ctl.output.json_views import plain, record_as_json
from hero_ctl.output.tables import BATCHES, JOBS, print_facts
from hero_ctl.parameters import Argument, Option
from hero_job.model.errors import WaitTimeout
from hero_job.model.overview.pages import ListedBatch
from hero_job.model.views import BatchStatus

#: Batches that are read in one call; as many as `list_batches` allows.
_PAGE: Final = 500

BatchId = Annotated[str, Argument(metavar="BATCH_ID", help="The batch.", autocompletion=live("batch_ids"))]


def list_batches(
    *,
    limit: Annotated[int, Option("--limit", "-n", min=1, max=10_000, help="Most batches to list.")] = 50,
    watch: Watch = False,
    output: OutputOptions,
    store: StoreOptions,
) -> None:
    """List the batches, the one that began last first."""
    from hero_ctl.output.json_views import batch_as_json

    with open_supervisor(store) as supervisor:

        def draw() -> None:
            found, damaged, more = _newest(supervisor, limit)
            print_rows([batch_as_json(batch) for batch in found], BATCHES, output.format, bare=output.as_json)
            for batch_id, problem in damaged:
                print_note(f"the counts of the batch {one_line(batch_id)} cannot be read: {one_line(problem)}")
            if more:
                print_note(f"the newest {len(found)}; --limit shows more")

        repeat(draw, watch=watch)


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
    timeout: Annotated[
        float, Option("--timeout", parser=duration, metavar="TIME", show_default="365d", help="Longest wait.")
    ] = 365 * 86_400.0,
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


def _newest(supervisor: Supervisor, limit: int) -> tuple[list[ListedBatch], list[tuple[str, str]], bool]:
    """Read the newest batches, those whose counts cannot be read, and whether there are more."""
    found: list[ListedBatch] = []
    damaged: list[tuple[str, str]] = []
    cursor = ""
    while True:
        # One more than are shown tells whether there are more. A page may be empty although more follow.
        page = supervisor.list_batches(cursor, min(_PAGE, limit + 1 - len(found)))
        found += page.batches
        damaged += page.damaged
        cursor = page.cursor
        if len(found) > limit or not cursor:
            return found[:limit], damaged, len(found) > limit


def _find(supervisor: Supervisor, batch_id: str) -> BatchStatus:
    found = supervisor.get_batch(batch_id)
    if found is None:
        fail(f"no batch {batch_id} (never created, or past its retention)", CtlExitCode.UNKNOWN_JOB)
    return found


def _print(batch: BatchStatus, output: OutputOptions) -> None:
    row = plain(batch)
    print_record(row, "batch", output.format, lambda: print_facts({**row, "batch_id": batch.batch_id}), name="batch_id")
