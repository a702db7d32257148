"""The family `job`: a script creates jobs, waits for them and manages them.

The actor carries out each request on behalf of the running job: a new job has the same caller and context as the
running one, and a script sees no other jobs. While a script waits, its actor lends the slot of its lane, so that the
awaited jobs may be of the same queue. The actions `job.*` of HeroScript call these functions.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from hero_engine.errors import FunctionError
from hero_engine.host.call import Call
from hero_engine.host.definition import Family

FAMILY = Family("job", "Jobs of the caller and the context of the script.", prefix="Job error: ", needs="jobs")

#: A wait ends this long before the script's own deadline, so that the script can report it: in seconds, or as a part of
#: the remaining time if that is less.
_MARGIN_S = 1.0
_MARGIN_PART = 0.1
#: Longest wait, in seconds, of a script without a deadline.
_LONGEST_S = 86_400.0


class JobNotDone(FunctionError):
    """A script waits for the output of a job that has none."""


@FAMILY.function(blocks=True, action="job.create")
def job_submit(call: Call, script: str, script_type: str, options: dict[str, object] | None = None) -> str:
    """Create a job and start it. The result is its id. The options have the names of a job's fields, such as
    `timeout`, `retries`, `prerequisites`, `env_vars` and `id`.

    Example:
        let id = job_submit("40 + 2", "sal", #{timeout: 10, retries: 2});
    """
    return create_job(call, {"script": script, "script_type": script_type, **(options or {})}, start=True)


@FAMILY.function("job_submit", blocks=True)
def job_submit_map(call: Call, job: dict[str, object]) -> str:
    """Create a job of a map with its fields, and start it. The result is its id.

    Example:
        let id = job_submit(#{script: "40 + 2", script_type: "sal", priority: "high"});
    """
    return create_job(call, job, start=True)


@FAMILY.function("job_submit", blocks=True)
def job_submit_many(call: Call, jobs: list[dict[str, object]]) -> list[str]:
    """Create and start many jobs in few round trips: up to 10,000. They may name each other as prerequisites. The
    result has their ids in order. If one is refused, those before it stay.

    Example:
        let ids = job_submit([#{script: "1", script_type: "sal"}, #{script: "2", script_type: "sal"}]);
    """
    if not all(isinstance(job, dict) for job in jobs):
        raise FunctionError("job_submit takes an array of maps, with the fields of one job each")
    created: list[str] = call.ask("job.create_many", {"jobs": [_given(job) for job in jobs], "start": True})
    return created


@FAMILY.function(blocks=True)
def job_create(call: Call, script: str, script_type: str, options: dict[str, object] | None = None) -> str:
    """Create a job without starting it; see `job_submit`. It waits for `job_start`.

    Example:
        let id = job_create("40 + 2", "sal", #{});
        job_start(id);
    """
    return create_job(call, {"script": script, "script_type": script_type, **(options or {})}, start=False)


@FAMILY.function(blocks=True, action="job.run")
def job_run(call: Call, script: str, script_type: str, options: dict[str, object] | None = None) -> str:
    """Create and start a job, and wait for its output, which is the result. It throws what `job_wait` throws.

    Example:
        let sum = job_run("40 + 2", "sal");       // "42"
    """
    return job_wait(call, job_submit(call, script, script_type, options))


@FAMILY.function(blocks=True, action="job.wait")
def job_wait(call: Call, job_id: str, wait_s: float | None = None) -> str:
    """Wait until a job has ended. The result is its output. It throws if the job failed or was stopped, if `wait_s`
    seconds have passed, and shortly before the script's own deadline.

    Example:
        try { print(job_wait(id, 30)); } catch (e) { print(e); }
    """
    answers, waited_s, is_own = _wait(call, [job_id], wait_s)
    if not answers[0]["ended"]:
        raise JobNotDone(_too_late(job_id, answers[0], waited_s, own=is_own))
    return _output(job_id, answers[0])


@FAMILY.function(blocks=True)
def job_wait_all(call: Call, job_ids: list[str], wait_s: float | None = None) -> list[dict[str, object]]:
    """Wait until all these jobs have ended, however they ended. The result has a map for each, in order: `id`,
    `status`, `ended`, `output`, `error`, `error_kind`, `line`. After `wait_s` seconds `ended` is false for those that
    go on; without `wait_s` it throws shortly before the script's own deadline.

    Example:
        for job in job_wait_all(ids) { print(`${job.id}: ${job.status} ${job.output}`); }
    """
    if not all(isinstance(job_id, str) for job_id in job_ids):
        raise FunctionError("job_wait_all takes an array of ids")
    answers, waited_s, is_own = _wait(call, job_ids, wait_s)
    if is_own:
        for job_id, answer in zip(job_ids, answers, strict=True):
            if not answer["ended"]:
                raise JobNotDone(_too_late(job_id, answer, waited_s, own=True))
    names = ("status", "ended", "output", "error", "error_kind", "line")
    return [
        {"id": job_id, **{name: answer.get(name) for name in names}}
        for job_id, answer in zip(job_ids, answers, strict=True)
    ]


@FAMILY.function(blocks=True, action="job.output")
def job_output(call: Call, job_id: str) -> str:
    """Return the output of a job that has ended. It throws if the job has none, or has not ended.

    Example:
        let text = job_output(id);
    """
    (answer,) = call.ask("job.wait_many", {"ids": [job_id], "wait_s": 0})
    if not answer["ended"]:
        raise JobNotDone(f"job '{job_id}' has not ended: it is {answer['status']}")
    return _output(job_id, answer)


@FAMILY.function(blocks=True, action="job.status")
def job_status(call: Call, job_id: str) -> str:
    """Return the status of a job, for example `started` or `finished`.

    Example:
        if job_status(id) == "dispatched" { print("it waits for a lane"); }
    """
    return str(call.ask("job.status", {"id": job_id}))


@FAMILY.function(blocks=True, action="job.stop")
def job_stop(call: Call, job_id: str) -> str:
    """Stop a job, whatever it does. The result is its status: `stopping` if it runs. A job that has ended stays so.

    Example:
        job_stop(id);
    """
    return str(call.ask("job.stop", {"id": job_id}))


@FAMILY.function(blocks=True, action="job.get")
def job_get(call: Call, job_id: str) -> dict[str, object]:
    """Return what is known of a job: `script`, `status`, `output`, `error`, `created_at`, `attempt` and more.

    Example:
        let job = job_get(id);
        print(job.started_at);
    """
    found: dict[str, object] = call.ask("job.get", {"id": job_id})
    return found


@FAMILY.function(blocks=True, action="job.log")
def job_log(call: Call, job_id: str) -> list[str]:
    """Return the lines that a job has printed: the first 1000.

    Example:
        for line in job_log(id) { print(line); }
    """
    lines: list[str] = call.ask("job.log", {"id": job_id})
    return lines


@FAMILY.function(blocks=True, action="job.list")
def job_list(call: Call, status: str = "", count: int = 100) -> list[dict[str, object]]:
    """List jobs of this caller and context, up to 1000; with a status, only those that have it.

    Example:
        let failed = job_list("error", 20);
    """
    jobs: list[dict[str, object]] = call.ask("job.list", {"status": status, "count": count})
    return jobs


@FAMILY.function(blocks=True, action="job.start")
def job_start(call: Call, job_id: str) -> None:
    """Start a job that was created without being started.

    Example:
        job_start(id);
    """
    call.ask("job.start", {"id": job_id})


@FAMILY.function(blocks=True, action="job.retry")
def job_retry(call: Call, job_id: str) -> None:
    """Run a job again that ended in an error or was stopped.

    Example:
        job_retry(id);
    """
    call.ask("job.retry", {"id": job_id})


@FAMILY.function(blocks=True, action="job.delete")
def job_delete(call: Call, job_id: str) -> None:
    """Remove a job that does not run.

    Example:
        job_delete(id);
    """
    call.ask("job.delete", {"id": job_id})


def create_job(call: Call, fields: Mapping[str, object], *, start: bool) -> str:
    """Create a job of its fields; a field that is None is left out."""
    return str(call.ask("job.create", {"fields": _given(fields), "start": start}))


def _given(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _wait(call: Call, job_ids: list[str], wait_s: float | None) -> tuple[list[dict[str, Any]], float, bool]:
    """Wait for jobs; return their states, the seconds waited for, and whether the script's own deadline ended that."""
    begin_mono, remaining_s = time.monotonic(), call.remaining_s
    own_s = min(remaining_s - min(_MARGIN_S, remaining_s * _MARGIN_PART), _LONGEST_S)
    patience_s = own_s if wait_s is None else max(0.0, min(wait_s, own_s))
    answers: dict[str, dict[str, Any]] = {}
    while True:
        left_s = patience_s - (time.monotonic() - begin_mono)
        still = [job_id for job_id in dict.fromkeys(job_ids) if not answers.get(job_id, {}).get("ended")]
        states = call.ask("job.wait_many", {"ids": still, "wait_s": max(0.0, left_s)})
        answers |= zip(still, states, strict=True)
        if left_s <= 0 or all(state["ended"] for state in states):
            return [answers[job_id] for job_id in job_ids], patience_s, patience_s == own_s


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
                f". No lane has started it: is there an actor for jobs of type {answer['script_type']}, and is it free?"
            )
    return said
