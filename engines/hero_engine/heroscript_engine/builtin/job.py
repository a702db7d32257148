"""The actions `job.*`: a script that creates jobs and waits for them. Off until `HERO_ALLOW_JOBS` is true.

The work is the actor's, which knows the running job: whatever a script says, the jobs that it creates have the caller
and the context of its own, and it sees no others. The key is `job_id`, because the language keeps
`id` for itself [Q22].

Source: HeroScript specification, section 10 (the job actor).
"""

from __future__ import annotations

from typing import Any, Literal

from hero_engine.heroscript_engine.run.actions import action
from hero_engine.heroscript_engine.run.context import Context

#: One question waits for so long, in seconds; the actor takes no longer ones.
_SLICE_S = 2.0
#: A wait ends so much before the job's own deadline, in seconds or as a part of what is left: to say why.
_MARGIN_S = 1.0
_MARGIN_PART = 0.1

_Texts = tuple[str, ...]


class JobNotDone(Exception):
    """A job that a script waits for has no result."""


@action("job.create")
def create(
    ctx: Context,
    script: str,
    script_type: str,
    *,
    start: bool = False,
    job_id: str | None = None,
    timeout: float | None = None,
    retries: int | None = None,
    env_vars: dict[str, str] | None = None,
    prerequisites: _Texts | None = None,
    group: str | None = None,
    instance: str | None = None,
    priority: Literal["high", "normal", "low"] | None = None,
    not_before: str | None = None,
    delay_s: float | None = None,
    expires_s: float | None = None,
    unique_key: str | None = None,
    unique_for_s: float | None = None,
    concurrency_key: str | None = None,
    concurrency_max: int | None = None,
    rate_key: str | None = None,
    rate_max: int | None = None,
    rate_window_s: float | None = None,
    run_after_failure: bool | None = None,
) -> str:
    """Create a job, and with `start` send it on its way. The result is its id."""
    fields: dict[str, Any] = {
        "script": script,
        "script_type": script_type,
        "id": job_id,
        "timeout": timeout,
        "retries": retries,
        "env_vars": env_vars,
        "prerequisites": prerequisites,
        "group": group,
        "instance": instance,
        "priority": priority,
        "not_before": not_before,
        "delay_s": delay_s,
        "expires_s": expires_s,
        "unique_key": unique_key,
        "unique_for_s": unique_for_s,
        "concurrency_key": concurrency_key,
        "concurrency_max": concurrency_max,
        "rate_key": rate_key,
        "rate_max": rate_max,
        "rate_window_s": rate_window_s,
        "run_after_failure": run_after_failure,
    }
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
    """Create and start a job and wait for its output, which is the result."""
    created = create(ctx, script, script_type, start=True, job_id=job_id, timeout=timeout, env_vars=env_vars)
    return wait(ctx, created, wait_s)


@action("job.start")
def start(ctx: Context, job_id: str) -> None:
    """Send a created job on its way."""
    ctx.ask("job.start", id=job_id)


@action("job.wait")
def wait(ctx: Context, job_id: str, wait_s: float | None = None) -> str:
    """Wait until a job has ended; the result is its output. A job that ended without one is an error."""
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
    """Give the output of a job that has ended."""
    answer = ctx.ask("job.wait", id=job_id, wait_s=0)
    if not answer["ended"]:
        raise JobNotDone(f"job '{job_id}' has not ended: it is {answer['status']}")
    return _output(job_id, answer)


@action("job.get")
def get(ctx: Context, job_id: str) -> object:
    """Give a job with what became of it."""
    return ctx.ask("job.get", id=job_id)


@action("job.status")
def status(ctx: Context, job_id: str) -> object:
    """Give a job's status."""
    return ctx.ask("job.status", id=job_id)


@action("job.list")
def list_jobs(ctx: Context, status: str = "", count: int = 100) -> object:
    """List jobs of this caller and context, 1000 at most."""
    return ctx.ask("job.list", status=status, count=count)


@action("job.log")
def log(ctx: Context, job_id: str) -> object:
    """Give the lines that a job has printed."""
    return ctx.ask("job.log", id=job_id)


@action("job.stop")
def stop(ctx: Context, job_id: str) -> object:
    """Stop a job, wherever it is; the result is its status now."""
    return ctx.ask("job.stop", id=job_id)


@action("job.retry")
def retry(ctx: Context, job_id: str) -> None:
    """Run a job again that ended without a result."""
    ctx.ask("job.retry", id=job_id)


@action("job.delete")
def delete(ctx: Context, job_id: str) -> None:
    """Remove a job that does not run."""
    ctx.ask("job.delete", id=job_id)


@action("job.update_status")
def update_status(ctx: Context, job_id: str, status: Literal["dispatched", "stopped"]) -> None:
    """Start or stop a job. The other statuses are what becomes of a job, which nobody can say but the runtime."""
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
                f". Nobody has begun it: a lane that waits runs nothing else, so there must be another lane for jobs"
                f" of type {answer['script_type']}"
            )
    return said
