"""The actions `job.*`: a script creates jobs, waits for them and manages them.

They are off until `HERO_ALLOW_JOBS` is true. The actor carries out each request on behalf of the running job: a new job
always has the same caller and context as the running one, and a script sees no other jobs. The key is `job_id`, because
the language reserves `id` [Q22].

Source: HeroScript specification, section 10 (the job actor).
"""

from __future__ import annotations

from typing import Any, Literal

from hero_engine.heroscript_engine import Context, action

#: How long one request may wait, in seconds. The actor does not accept longer waits.
_SLICE_S = 2.0
#: A wait ends this long before the job's own deadline, so that the script can report it: in seconds, or as a part of
#: the remaining time if that is less.
_MARGIN_S = 1.0
_MARGIN_PART = 0.1


#: The actor's words for the types of a job's fields -> the types.
_TYPES: dict[str, Any] = {
    "text": str,
    "whole": int,
    "number": float,
    "flag": bool,
    "texts": tuple[str, ...],
    "mapping": dict[str, str],
}


class JobNotDone(Exception):
    """A script waits for the output of a job that has none."""


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
    return _create(ctx, fields | (_read_options(ctx) if options else {}), start=start)


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


def _create(ctx: Context, fields: dict[str, Any], *, start: bool) -> str:
    given = {name: value for name, value in fields.items() if value is not None}
    return str(ctx.ask("job.create", fields=given, start=start))


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
    fields = {"script": script, "script_type": script_type, "id": job_id, "timeout": timeout, "env_vars": env_vars}
    created = _create(ctx, fields, start=True)
    return wait(ctx, created, wait_s)


@action("job.wait")
def wait(ctx: Context, job_id: str, wait_s: float | None = None) -> str:
    """Wait until a job has ended. The result is its output; it is an error if the job ended without one."""
    begin_s = ctx.remaining_s
    own_s = begin_s - min(_MARGIN_S, begin_s * _MARGIN_PART)
    patience_s = own_s if wait_s is None else min(wait_s, own_s)
    while True:
        left_s = patience_s - (begin_s - ctx.remaining_s)
        answer = ctx.ask("job.wait", id=job_id, wait_s=max(0.0, min(left_s, _SLICE_S)))
        if answer["ended"]:
            return _output(job_id, answer)
        if left_s <= 0:
            raise JobNotDone(_too_late(job_id, answer, patience_s, own=patience_s == own_s))


@action("job.output")
def output(ctx: Context, job_id: str) -> str:
    """Return the output of a job that has ended."""
    answer = ctx.ask("job.wait", id=job_id, wait_s=0)
    if not answer["ended"]:
        raise JobNotDone(f"job '{job_id}' has not ended: it is {answer['status']}")
    return _output(job_id, answer)


@action("job.get", "job.log", "job.status", "job.stop")
def ask_about(ctx: Context, job_id: str) -> object:
    """Return a job with all its fields, the lines that it has printed, its status, or its status after a stop."""
    return ctx.ask(ctx.action.full_name, id=job_id)


@action("job.delete", "job.retry", "job.start")
def change(ctx: Context, job_id: str) -> None:
    """Remove a job that does not run, run again one that failed or was stopped, or start one that was created."""
    ctx.ask(ctx.action.full_name, id=job_id)


@action("job.list")
def list_jobs(ctx: Context, status: str = "", count: int = 100) -> object:
    """List jobs of this caller and context, up to 1000."""
    return ctx.ask("job.list", status=status, count=count)


@action("job.update_status")
def update_status(ctx: Context, job_id: str, status: Literal["dispatched", "stopped"]) -> None:
    """Start or stop a job. Only the runtime sets the other statuses."""
    ctx.ask("job.start" if status == "dispatched" else "job.stop", id=job_id)


def _output(job_id: str, answer: dict[str, Any]) -> str:
    if answer["status"] == "finished":
        return str(answer["output"] or "")
    where = f" at line {answer['line']}" if answer["line"] else ""
    kind = answer["error_kind"] or answer["status"]
    raise JobNotDone(f"job '{job_id}' failed ({kind}){where}: {answer['error'] or answer['status']}")


def _too_late(job_id: str, answer: dict[str, Any], waited_s: float, *, own: bool) -> str:
    said = f"job '{job_id}' has not ended after {waited_s:.3g} s: it is {answer['status']}"
    if own:
        said += "; there is no more time, because this job's own timeout is near"
        if answer["status"] == "dispatched":
            said += (
                ". No lane has started it. A lane that waits runs nothing else, so there must be another lane for jobs"
                f" of type {answer['script_type']}"
            )
    return said
