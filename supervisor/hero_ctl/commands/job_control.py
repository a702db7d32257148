"""The commands on one job after its submission: stop, retry, logs, delete."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from hero_ctl import options
from hero_ctl.connect import open_supervisor
from hero_ctl.exits import HELP
from hero_ctl.output import print_output, tell
from hero_job.model.status import JobStatus
from hero_job.model.views import LogLine
from hero_job.protocol.keys import DEFAULT_NAMESPACE

#: How often `logs --follow` looks, in seconds.
_LOOK_S = 0.5
_PAGE = 500

app = typer.Typer()


@app.command(epilog=HELP)
def stop(
    job_id: options.JobId,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Stop a job wherever it is, and print its status: stopping while it runs, else stopped."""
    with open_supervisor(redis_url, namespace) as supervisor:
        status = supervisor.stop_job(job_id)
    typer.echo(status.value)
    if status in (JobStatus.FINISHED, JobStatus.ERROR):
        tell(f"job {job_id} had ended before; it stays as it is")


@app.command(epilog=HELP)
def retry(
    job_id: options.JobId,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Run a job again that failed or was stopped."""
    with open_supervisor(redis_url, namespace) as supervisor:
        supervisor.retry_job(job_id)


@app.command(epilog=HELP)
def delete(
    job_id: options.JobId,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Delete a job that does not run."""
    with open_supervisor(redis_url, namespace) as supervisor:
        supervisor.delete_job(job_id)


@app.command(epilog=HELP)
def logs(
    *,
    job_id: options.JobId,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until the job has ended.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Print what the script of a job has printed."""
    cursor = ""
    with open_supervisor(redis_url, namespace) as supervisor:
        while True:
            # In this order: what was printed before the end was seen is then in the lines that are read after it.
            ended = supervisor.get_job_status(job_id).terminal
            lines = supervisor.get_job_log(job_id, cursor, _PAGE)
            for line in lines:
                print_output(_as_json(line) if as_json else line.text + "\n")
            if lines:
                cursor = lines[-1].cursor
            if len(lines) == _PAGE:
                continue
            if ended or not follow:
                return
            time.sleep(_LOOK_S)


def _as_json(line: LogLine) -> str:
    import json

    from hero_ctl.tables import time_text

    shown = {"cursor": line.cursor, "at": time_text(line.at_ms), "level": line.level, "text": line.text}
    return json.dumps(shown, ensure_ascii=False)
