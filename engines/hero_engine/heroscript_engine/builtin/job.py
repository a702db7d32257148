"""The actions `job.*`: a script creates jobs, waits for them and manages them.

They are the functions of the family `job`, and are off until `HERO_ALLOW_JOBS` is true. The key is `job_id`, because
the language reserves `id` [Q22].

Source: HeroScript specification, section 10 (the job actor).
"""

from __future__ import annotations

from typing import Any, Literal

from hero_engine.heroscript_engine import Context, action
from hero_engine.host.families import job as functions

#: The actor's words for the types of a job's fields -> the types.
_TYPES: dict[str, Any] = {
    "text": str,
    "whole": int,
    "number": float,
    "flag": bool,
    "texts": tuple[str, ...],
    "mapping": dict[str, str],
}


@action("job.create")
def create(
    ctx: Context,
    script: str,
    script_type: str,
    *,
    start: bool = False,
    job_id: str | None = None,
    **options: str,
) -> str:
    """Create a job, and with `start` also start it. The result is its id.

    The further parameters are the other fields of a job. The actor knows their names and types.
    """
    fields = {"script": script, "script_type": script_type, "id": job_id}
    return functions.create_job(ctx.call, fields | (_read_options(ctx) if options else {}), start=start)


def _read_options(ctx: Context) -> dict[str, Any]:
    # Here, because it comes with pydantic, which only the children load.
    from hero_engine.heroscript_engine.run.binding import read_further_parameters

    offered: dict[str, str | list[str]] = ctx.ask("job.options")
    types = {
        name: _TYPES[kind] if isinstance(kind, str) else Literal[tuple(kind)]
        for name, kind in offered.items()
        if name not in ("id", "script", "script_type")
    }
    return read_further_parameters(ctx.action, create, types)


@action("job.run")
def run(
    ctx: Context,
    script: str,
    script_type: str,
    *,
    job_id: str | None = None,
    timeout: float | None = None,
    env_vars: dict[str, str] | None = None,
    wait_s: float | None = None,
) -> str:
    """Create and start a job, and wait for its output, which is the result."""
    options: dict[str, object] = {"id": job_id, "timeout": timeout, "env_vars": env_vars}
    return functions.job_wait(ctx.call, functions.job_submit(ctx.call, script, script_type, options), wait_s)


@action("job.wait")
def wait(ctx: Context, job_id: str, wait_s: float | None = None) -> str:
    """Wait until a job has ended. The result is its output; it is an error if the job ended without one."""
    return functions.job_wait(ctx.call, job_id, wait_s)


@action("job.output")
def output(ctx: Context, job_id: str) -> str:
    """Return the output of a job that has ended."""
    return functions.job_output(ctx.call, job_id)


@action("job.get", "job.log", "job.status", "job.stop")
def ask_about(ctx: Context, job_id: str) -> object:
    """Return a job with all its fields, the lines that it has printed, its status, or its status after a stop."""
    asked = {
        "get": functions.job_get,
        "log": functions.job_log,
        "status": functions.job_status,
        "stop": functions.job_stop,
    }
    return asked[ctx.action.name](ctx.call, job_id)


@action("job.delete", "job.retry", "job.start")
def change(ctx: Context, job_id: str) -> None:
    """Remove a job that does not run, run again one that failed or was stopped, or start one that was created."""
    changes = {"delete": functions.job_delete, "retry": functions.job_retry, "start": functions.job_start}
    changes[ctx.action.name](ctx.call, job_id)


@action("job.list")
def list_jobs(ctx: Context, status: str = "", count: int = 100) -> object:
    """List jobs of this caller and context, up to 1000."""
    return functions.job_list(ctx.call, status, count)


@action("job.update_status")
def update_status(ctx: Context, job_id: str, status: Literal["dispatched", "stopped"]) -> None:
    """Start or stop a job. Only the runtime sets the other statuses."""
    if status == "dispatched":
        functions.job_start(ctx.call, job_id)
    else:
        functions.job_stop(ctx.call, job_id)
