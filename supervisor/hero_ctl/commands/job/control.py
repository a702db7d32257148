"""The commands on one job after its submission: stop, retry, delete, logs."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer

from hero_ctl.connect.store import open_supervisor
from hero_ctl.options import JobId, StoreOptions
from hero_ctl.output.console import print_note, print_result
from hero_job.model.status import JobStatus
from hero_job.model.views import LogLine

#: How often `logs --follow` asks for new lines, in seconds.
_POLL_S = 0.5
_PAGE = 500


def stop(job_id: JobId, store: StoreOptions) -> None:
    """Stop a job, and print its new status: stopping if it runs, else stopped."""
    with open_supervisor(store) as supervisor:
        status = supervisor.stop_job(job_id)
    typer.echo(status.value)
    if status in (JobStatus.FINISHED, JobStatus.ERROR):
        print_note(f"job {job_id} had ended before; nothing was changed")


def retry(job_id: JobId, store: StoreOptions) -> None:
    """Run a job again that failed or was stopped."""
    with open_supervisor(store) as supervisor:
        supervisor.retry_job(job_id)


def delete(job_id: JobId, store: StoreOptions) -> None:
    """Delete a job that is not running."""
    with open_supervisor(store) as supervisor:
        supervisor.delete_job(job_id)


def logs(
    *,
    job_id: JobId,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing new lines until the job has ended.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    store: StoreOptions,
) -> None:
    """Print what the script of a job has printed."""
    cursor = ""
    with open_supervisor(store) as supervisor:
        while True:
            # Ask for the status first: lines that were printed before the end are then in the page that follows.
            ended = supervisor.get_job_status(job_id).terminal
            lines = supervisor.get_job_log(job_id, cursor, _PAGE)
            for line in lines:
                print_result(_as_json(line) if as_json else line.text + "\n")
            if lines:
                cursor = lines[-1].cursor
            if len(lines) == _PAGE:
                continue
            if ended or not follow:
                return
            time.sleep(_POLL_S)


def _as_json(line: LogLine) -> str:
    from hero_ctl.output.json_views import time_text

    shown = {"cursor": line.cursor, "at": time_text(line.at_ms), "level": line.level, "text": line.text}
    return json.dumps(shown, ensure_ascii=False)
