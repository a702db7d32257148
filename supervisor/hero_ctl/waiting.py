"""Waits for a job while a person watches: says so when no actor is up that could run it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime

from hero_client import Supervisor
from hero_client.calls import QUEUE_ALLOWANCE_S
from hero_job.model.errors import WaitTimeout
from hero_job.model.job import Job
from hero_job.model.views import ActorPresence

NOTE_AFTER_S = 2.0


def run_and_wait(supervisor: Supervisor, job: Job, wait_s: float | None, note: Callable[[str], None]) -> str:
    """Submit a job and wait for its output.

    Args:
        supervisor: The API.
        job: What to run.
        wait_s: Longest wait in seconds; None for its delay, its timeout, and the API's allowance for the queue.
        note: Called with a line of text if the job still waits after two seconds and no actor could run it.

    Returns:
        The output.

    Raises:
        JobFailed: It ended without an output.
        WaitTimeout: It has not ended in that time; it goes on.
        HeroJobError: Any other error of the API.
    """
    if wait_s is None:
        wait_s = _seconds_until_start(job) + job.timeout + QUEUE_ALLOWANCE_S
    # The store answers with another id if an open job has the same unique key.
    submitted = dataclasses.replace(job, id=supervisor.submit_job(job))
    return _wait(supervisor, submitted, wait_s, note)


def _seconds_until_start(job: Job) -> float:
    """How long from now the job starts at the earliest."""
    if job.not_before is None:
        return job.delay_s
    return max(job.delay_s, (datetime.fromisoformat(job.not_before) - datetime.now(UTC)).total_seconds())


def _wait(supervisor: Supervisor, job: Job, wait_s: float, note: Callable[[str], None]) -> str:
    rest_s = wait_s
    if wait_s > NOTE_AFTER_S:
        rest_s = wait_s - NOTE_AFTER_S
        try:
            return supervisor.await_result(job.id, NOTE_AFTER_S)
        except WaitTimeout:
            if not any(serves(actor, job) for actor in supervisor.list_actors()):
                note(f"the job waits: {missing_actor(job)}")
    try:
        return supervisor.await_result(job.id, rest_s)
    except WaitTimeout as e:
        raise WaitTimeout(e.job_id, wait_s) from e


def serves(actor: ActorPresence, job: Job) -> bool:
    """Tell whether this actor is alive and would take this job."""
    if actor.beat_at is None or actor.script_type is not job.script_type:
        return False
    return job.group in (None, actor.group) and job.instance in (None, actor.instance)


def missing_actor(job: Job) -> str:
    """Say which actor is missing for a job, and how to start one."""
    place = ""
    if job.group is not None:
        place = f" in group '{job.group}'" + (f", instance '{job.instance}'" if job.instance else "")
    return f"no {job.script_type} actor is up{place}; start one with `hero-actor --type {job.script_type.suffix}`"
