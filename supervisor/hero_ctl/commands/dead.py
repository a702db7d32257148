"""The commands on dead letters: dead list, dead retry, dead purge."""

from __future__ import annotations

from typing import Annotated

import typer

from hero_client import Supervisor
from hero_ctl.connect.store import open_supervisor
from hero_ctl.options import Json, StoreOptions, Yes
from hero_ctl.output.console import confirm, print_note
from hero_job.model.errors import HeroJobError, JobNotFound, StoreError
from hero_job.model.views import JobRecord


def list_dead(
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="Most letters to list.")] = 50,
    as_json: Json = False,
    store: StoreOptions,
) -> None:
    """List the dead letters, newest first."""
    from hero_ctl.output.json_views import dead_as_json, to_json
    from hero_ctl.output.tables import print_dead

    with open_supervisor(store) as supervisor:
        letters = supervisor.list_dead(0, limit)
        found = [(letter, _record(supervisor, letter.job_id)) for letter in letters]
        total = supervisor.count_dead()
    if as_json:
        typer.echo(
            to_json([dead_as_json(letter, None if isinstance(record, str) else record) for letter, record in found])
        )
        return
    print_dead(found)
    if total > len(found):
        print_note(f"{len(found)} of {total}; --limit shows more")


def retry(
    store: StoreOptions,
    job_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[JOB_ID]...", help="Only these jobs; without any, all dead letters.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Run dead letters again, and print how many."""
    with open_supervisor(store) as supervisor:
        if not job_ids:
            count = supervisor.count_dead()
            if not yes and count:
                confirm(f"Run all {count} dead letters again?")
            typer.echo(supervisor.retry_all_dead())
            return
        for job_id in job_ids:
            supervisor.retry_job(job_id)
        typer.echo(len(job_ids))


def purge(store: StoreOptions, *, yes: Yes = False) -> None:
    """Delete all dead letters with their jobs, and print how many."""
    with open_supervisor(store) as supervisor:
        count = supervisor.count_dead()
        if not yes and count:
            confirm(f"Delete all {count} dead letters with their jobs?")
        typer.echo(supervisor.purge_dead())


def _record(supervisor: Supervisor, job_id: str) -> JobRecord | str:
    try:
        return supervisor.get_job(job_id)
    except StoreError:
        raise
    except JobNotFound:
        return "the job is past its retention"
    except HeroJobError as e:
        return str(e)  # damaged: the letter is listed without its job
