"""Says why a job does not run, and what would change that.

Called by `show`. Invariant: it only reads, and a reason that cannot be found out is left away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hero_ctl.connect.store import is_remote
from hero_ctl.running.waiting import missing_actor, serves
from hero_job.model.errors import HeroJobError
from hero_job.model.status import JobStatus
from hero_job.protocol.op import Op, as_is

if TYPE_CHECKING:
    from hero_client import Supervisor
    from hero_job.model.views import JobRecord


def why_not_running(supervisor: Supervisor, record: JobRecord) -> list[str]:
    """Find out why a job waits.

    Args:
        supervisor: The API.
        record: The job.

    Returns:
        Sentences; none if it runs or has ended.
    """
    match record.status:
        case JobStatus.CREATED:
            return ["it was created but not started: call start_job, or submit it with `heroctl submit`"]
        case JobStatus.WAITING_FOR_PREREQUISITES:
            return list(_prerequisites(supervisor, record))
        case JobStatus.SCHEDULED:
            return _scheduled(supervisor, record)
        case JobStatus.DISPATCHED:
            return _dispatched(supervisor, record)
        case JobStatus.STOPPING:
            return ["it was asked to stop; its script ends soon"]
    return []


def _prerequisites(supervisor: Supervisor, record: JobRecord) -> list[str]:
    reasons = []
    for job_id in record.job.prerequisites:
        try:
            status = supervisor.get_job_status(job_id)
        except HeroJobError:
            reasons.append(f"it waits for the job {job_id}, which is gone: heroctl stop {record.job.id}")
            continue
        if status is not JobStatus.FINISHED:
            reasons.append(f"it waits for the job {job_id}, which is {status.value}: heroctl show {job_id}")
    return reasons or ["it waits for jobs that named it as their dependent"]


def _scheduled(supervisor: Supervisor, record: JobRecord) -> list[str]:
    from hero_ctl.output.json_views import time_text

    due = None
    if not is_remote(supervisor):
        keys = supervisor.operations.keys
        due = supervisor.store.run(Op(("ZSCORE", keys.scheduled, record.job.id), as_is))
    at = f" until {time_text(int(float(due)))}" if due is not None else ""
    if record.failures:
        return [f"it failed {record.failures} times, and waits{at} to run again"]
    return [f"it is delayed{at}"]


def _dispatched(supervisor: Supervisor, record: JobRecord) -> list[str]:
    job = record.job
    reasons = []
    queue = supervisor.get_queue(job.script_type, job.group, job.instance)
    if queue.paused_since is not None:
        reasons.append(f"its queue is paused since {queue.paused_since[:19]}: heroctl resume {job.script_type.suffix}")
    serving = [actor for actor in supervisor.list_actors() if serves(actor, job)]
    if not serving:
        reasons.append(missing_actor(job))
    broken = next((actor.unavailable for actor in serving if actor.unavailable), None)
    if broken and all(actor.unavailable for actor in serving):
        reasons.append(f"its actors cannot run scripts: {broken}")
    if job.concurrency_key is not None and not is_remote(supervisor):
        key = supervisor.operations.keys.prefix + "limit:run:" + job.concurrency_key
        running = supervisor.store.run(Op(("SCARD", key), int))
        if running >= job.concurrency_max:
            reasons.append(f"{running} jobs with the concurrency key '{job.concurrency_key}' run, and no more may")
    if not reasons:
        busy, lanes = sum(actor.busy for actor in serving), sum(actor.lanes for actor in serving)
        reasons.append(f"{queue.waiting} jobs wait in its queue, and {busy} of {lanes} lanes are busy")
    return reasons
