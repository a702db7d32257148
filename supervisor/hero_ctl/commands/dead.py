"""The commands on dead letters: dead list, dead retry, dead purge."""

from __future__ import annotations

from typing import Annotated

from hero_client import Supervisor
from hero_ctl.commands.job.selection import read_ids
from hero_ctl.connect.store import open_supervisor
from hero_ctl.options import OutputOptions, StoreOptions, Yes
from hero_ctl.output.console import confirm, echo, print_note
from hero_ctl.output.formats import print_rows
from hero_ctl.output.tables import DEAD
from hero_ctl.parameters import Argument, Option
from hero_job.model.errors import HeroJobError, JobNotFound, StoreError
from hero_job.model.views import JobRecord


def list_dead(
    *,
    limit: Annotated[int, Option("--limit", "-n", min=1, max=10_000, help="Most letters to list.")] = 50,
    output: OutputOptions,
    store: StoreOptions,
) -> None:
    """List the dead letters, newest first."""
    from hero_ctl.output.json_views import dead_as_json

    with open_supervisor(store) as supervisor:
        letters = supervisor.list_dead(0, limit)
        found = [(letter, _record(supervisor, letter.job_id)) for letter in letters]
        total = supervisor.count_dead()
    rows = [
        {**dead_as_json(letter, None), "problem": record} if isinstance(record, str) else dead_as_json(letter, record)
        for letter, record in found
    ]
    print_rows(rows, DEAD, output.format, bare=output.as_json)
    if total > len(found):
        print_note(f"{len(found)} of {total}; --limit shows more")


def retry(
    store: StoreOptions,
    job_ids: Annotated[
        list[str] | None,
        Argument(
            metavar="[JOB_ID]...", help="Only these jobs; - reads ids from standard input. Without any, all letters."
        ),
    ] = None,
    yes: Yes = False,
) -> None:
    """Run dead letters again, and print how many."""
    with open_supervisor(store) as supervisor:
        if not job_ids:
            count = supervisor.count_dead()
            if not yes and count:
                confirm(f"Run all {count} dead letters again?")
            echo(supervisor.retry_all_dead())
            return
        ids = read_ids(job_ids)
        for job_id in ids:
            supervisor.retry_job(job_id)
        echo(len(ids))


def purge(store: StoreOptions, *, yes: Yes = False) -> None:
    """Delete all dead letters with their jobs, and print how many."""
    with open_supervisor(store) as supervisor:
        count = supervisor.count_dead()
        if not yes and count:
            confirm(f"Delete all {count} dead letters with their jobs?")
        echo(supervisor.purge_dead())


def _record(supervisor: Supervisor, job_id: str) -> JobRecord | str:
    try:
        return supervisor.get_job(job_id)
    except StoreError:
        raise
    except JobNotFound:
        return "the job is past its retention"
    except HeroJobError as e:
        return str(e)  # damaged: the letter is listed without its job
