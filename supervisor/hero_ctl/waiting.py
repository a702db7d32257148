"""Waits for a job on behalf of somebody who watches: says so when nobody is there to run it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime

from hero_client.api import QUEUE_ALLOWANCE_S, Supervisor
from hero_job.model.errors import WaitTimeout
from hero_job.model.job import Job
from hero_job.model.views import ActorPresence

NOTE_AFTER_S = 2.0


def run_and_wait(supervisor: Supervisor, job: Job, wait_s: float | None, tell: Callable[[str], None]) -> str:
    """Submit a job and wait for its output.

    Args:
        supervisor: The API.
        job: What to run.
        wait_s: Longest wait in seconds; None for its delay, its timeout, and the API's allowance for the queue.
        tell: Gets a line when the job still waits after two seconds and no actor could run it.

    Returns:
        The output.

    Raises:
        JobFailed: It ended without one.
        WaitTimeout: It has not ended by then; it goes on.
        HeroJobError: What else the API raises.
    """
    whole_s = _lead_s(job) + job.timeout + QUEUE_ALLOWANCE_S if wait_s is None else wait_s
    # The id of another job, where one that is open has this one's key of uniqueness.
    submitted = dataclasses.replace(job, id=supervisor.submit_job(job))
    return wait_for(supervisor, submitted, whole_s, tell)


def _lead_s(job: Job) -> float:
    """How long it is at least until the job may begin, in seconds."""
    if job.not_before is None:
        return job.delay_s
    return max(job.delay_s, (datetime.fromisoformat(job.not_before) - datetime.now(UTC)).total_seconds())


def wait_for(supervisor: Supervisor, job: Job, whole_s: float, tell: Callable[[str], None]) -> str:
    """The second half of `run_and_wait`."""
    if whole_s > NOTE_AFTER_S:
        try:
            return supervisor.await_result(job.id, NOTE_AFTER_S)
        except WaitTimeout:
            if not any(serves(actor, job) for actor in supervisor.list_actors()):
                tell(nobody(job))
    try:
        return supervisor.await_result(job.id, max(0.0, whole_s - NOTE_AFTER_S) if whole_s > NOTE_AFTER_S else whole_s)
    except WaitTimeout as e:
        raise WaitTimeout(e.job_id, whole_s) from e


def serves(actor: ActorPresence, job: Job) -> bool:
    """Would this actor, alive as it is, take this job?"""
    if actor.beat_at is None or actor.script_type is not job.script_type:
        return False
    return job.group in (None, actor.group) and job.instance in (None, actor.instance)


def nobody(job: Job) -> str:
    """What to say when no actor could take a job."""
    place = (
        ""
        if job.group is None
        else f" in group '{job.group}'" + (f", instance '{job.instance}'" if job.instance else "")
    )
    kind = job.script_type.suffix
    return f"no {job.script_type} actor is up{place}: the job waits; start one with `hero-actor --type {kind}`"
