"""What `Supervisor` and `AsyncSupervisor` share: the operations that their calls run. Pure.

Invariant: a call is defined once, as a function from `Operations` to an `Op`; each class only says how to run it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar

from hero_job.model.job import Job, JobLimits, ScriptType
from hero_job.model.status import JobStatus
from hero_job.model.views import ActorPresence, JobRecord
from hero_job.operations.admin_operations import AdminOperations
from hero_job.operations.flow import Flow
from hero_job.operations.foreign_ends import seen
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op

if TYPE_CHECKING:
    from hero_job.operations.schedules import Schedule

P = ParamSpec("P")
T = TypeVar("T")

#: How much longer than the job's timeout a wait lasts when its caller names no length, in seconds: time in the queue.
QUEUE_ALLOWANCE_S: Final = 60.0


def admin(build: Callable[Concatenate[AdminOperations, P], Op[T]]) -> Callable[Concatenate[Operations, P], Op[T]]:
    """Make an operation of `AdminOperations` one of `Operations`."""

    @functools.wraps(build)
    def operation(operations: Operations, /, *args: P.args, **kwargs: P.kwargs) -> Op[T]:
        return build(operations.admin, *args, **kwargs)

    return operation


def list_actors(operations: Operations) -> Flow[list[ActorPresence]]:
    """List the actors of all hosts, by script type and name."""
    return operations.admin.actors()


def submit(operations: Operations, job: Job) -> Op[str]:
    """Store a job and start it, in one round trip.

    Returns:
        The job's id. The same job sent again is started once; an open job with the same unique key answers with its own
        id.

    Raises:
        JobConflict: A different job has this id.
        JobInvalid: A prerequisite is unknown, or a dependent cannot wait for the job any more.
    """
    return operations.create(job, start=True)


def create(operations: Operations, job: Job) -> Op[str]:
    """Store a job without starting it; `start_job` starts it.

    Returns:
        The job's id. The same job sent again gives the same answer.

    Raises:
        JobConflict: A different job has this id.
        JobInvalid: A prerequisite is unknown, or a dependent cannot wait for the job any more.
    """
    return operations.create(job)


def get_job(operations: Operations, job_id: str) -> Flow[JobRecord]:
    """Read a whole job.

    Args:
        operations: Of the job's namespace.
        job_id: The job.

    Returns:
        The job, its status, and what the runtime has noted about it.

    Raises:
        JobNotFound: There is no such job.
        JobDamaged: The job's hash cannot be read.
    """
    return seen(operations, job_id, operations.record(job_id))


def get_job_status(operations: Operations, job_id: str) -> Flow[JobStatus]:
    """Read a job's status.

    Args:
        operations: Of the job's namespace.
        job_id: The job.

    Raises:
        JobNotFound: There is no such job.
        JobDamaged: The job's hash cannot be read.
    """
    return seen(operations, job_id, operations.status(job_id))


def get_job_output(operations: Operations, job_id: str) -> Flow[str | None]:
    """Read a job's output.

    Args:
        operations: Of the job's namespace.
        job_id: The job.

    Returns:
        The output; None while the job has not ended.

    Raises:
        JobNotFound: There is no such job.
        JobFailed: The job ended without an output; carries kind, message, line and column.
        JobDamaged: The job's hash cannot be read.
    """
    return seen(operations, job_id, operations.output(job_id))


def wait_length_s(job: Job, wait_s: float | None) -> float:
    """Give the length of a wait for a job's result, in seconds."""
    return job.timeout + QUEUE_ALLOWANCE_S if wait_s is None else wait_s


def first_tick_ms(schedule: Schedule, now_ms: int, limits: JobLimits) -> int:
    """Find the first tick of a new schedule, and check the job that it makes then.

    Args:
        schedule: The schedule.
        now_ms: The store's time, in milliseconds since 1970.
        limits: What the deployment accepts.

    Returns:
        The tick, in milliseconds since 1970.

    Raises:
        JobInvalid: The deployment does not accept the schedule's job.
    """
    tick_ms = next(schedule.ticks_after(now_ms / 1000))
    schedule.job_at(tick_ms, limits)
    return tick_ms


def queue_names(actors: Sequence[ActorPresence]) -> list[tuple[ScriptType, str | None, str | None]]:
    """Name the queue of every script type, and those of the groups and instances that actors serve.

    Args:
        actors: All registered actors.

    Returns:
        Script type, group and instance of each queue; None where the queue is that of the type or the group.
    """
    served: dict[ScriptType, set[tuple[str, str]]] = {script_type: set() for script_type in ScriptType}
    for actor in actors:
        if actor.group:
            served[actor.script_type] |= {(actor.group, ""), (actor.group, actor.instance or "")}
    names: list[tuple[ScriptType, str | None, str | None]] = []
    for script_type, groups in served.items():
        names.append((script_type, None, None))
        names += [(script_type, group, instance or None) for group, instance in sorted(groups)]
    return names
