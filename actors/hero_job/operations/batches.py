"""Procedures on many jobs: create a batch, retry or delete the dead letters, purge a queue. Pure.

Each is a `Flow` (see `flow.py`), which both stores drive. The Python API, the RPC and `heroctl` call them. Invariant: a
batch is announced with its number of jobs before the first one is created, so it cannot seem to have ended too early.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from hero_job.model.errors import HeroJobError, JobInvalid
from hero_job.model.job import Job, ScriptType
from hero_job.model.reach import Reach
from hero_job.operations.admin_operations import MOST_ENDED
from hero_job.operations.flow import FEW, PAGE, PAUSE, Flow, chunks, raise_first_error
from hero_job.operations.operations import Operations

__all__ = [
    "BatchCreated",
    "Flow",
    "create_jobs",
    "creation_order",
    "purge_dead",
    "purge_queue",
    "resume_queue",
    "retry_dead",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCreated:
    """The jobs of a batch that were created, and those that were refused.

    Attributes:
        batch_id: The batch.
        job_ids: The jobs that were created, in the order in which they were given.
        refused: The error of each other job, by id.
    """

    batch_id: str
    job_ids: tuple[str, ...]
    refused: Mapping[str, HeroJobError]


def creation_order(jobs: Sequence[Job]) -> list[Job]:
    """Sort jobs so that each comes after those that it names.

    Args:
        jobs: They may name each other as prerequisites and dependents, in any order.

    Returns:
        The same jobs; in the given order when none names another.

    Raises:
        JobInvalid: Two jobs have the same id, or jobs wait for each other.
    """
    pauses = _creation_order(jobs)
    try:
        while True:
            next(pauses)
    except StopIteration as end:
        return cast("list[Job]", end.value)


def _creation_order(jobs: Sequence[Job]) -> Flow[list[Job]]:
    by_id = {job.id: job for job in jobs}
    if len(by_id) != len(jobs):
        raise JobInvalid("id", "two jobs of the batch have the same id")
    if not any(job.prerequisites or job.dependents for job in jobs):
        return list(jobs)
    # A job that another one names must exist first, no matter at which end of the edge it stands.
    waits_for: dict[str, set[str]] = {}
    named: dict[str, set[str]] = {}
    for few in chunks(jobs, FEW):
        for job in few:
            waits_for.setdefault(job.id, set()).update(set(job.prerequisites) & by_id.keys())
            named[job.id] = (set(job.prerequisites) | set(job.dependents)) & by_id.keys()
            for dependent in set(job.dependents) & by_id.keys():
                waits_for.setdefault(dependent, set()).add(job.id)
        yield PAUSE
    yield from _sort(waits_for, "prerequisites", "these jobs wait for each other")
    order = yield from _sort(named, "dependents", "name each edge at one of its ends only")
    return [by_id[job_id] for job_id in order]


def _sort(before: Mapping[str, set[str]], field: str, problem: str) -> Flow[list[str]]:
    """Sort ids topologically, as `graphlib` does, but with pauses.

    Args:
        before: Each id with those that come before it.
        field: For the error.
        problem: What a cycle means.
    """
    after: dict[str, list[str]] = {}
    for job_id, ids in before.items():
        for other in ids:
            after.setdefault(other, []).append(job_id)
    open_count = {job_id: len(ids) for job_id, ids in before.items()}
    order = [job_id for job_id, count in open_count.items() if count == 0]
    for at, job_id in enumerate(order):  # it grows meanwhile
        for other in after.get(job_id, ()):
            open_count[other] -= 1
            if open_count[other] == 0:
                order.append(other)
        if at % (10 * FEW) == 0:
            yield PAUSE
    if len(order) < len(before):
        raise JobInvalid(field, f"{problem}: {' -> '.join(_cycle(before, open_count))}")
    return order


def _cycle(before: Mapping[str, set[str]], open_count: Mapping[str, int]) -> list[str]:
    """Find jobs that come before each other, in the order in which they would have to run."""
    path = [next(job_id for job_id, count in open_count.items() if count > 0)]
    seen = {path[0]: 0}
    while True:
        other = next(other for other in before[path[-1]] if open_count[other] > 0)
        path.append(other)
        if other in seen:
            return path[: seen[other] - 1 : -1] if seen[other] else path[::-1]
        seen[other] = len(path) - 1


def create_jobs(
    operations: Operations,
    jobs: Sequence[Job],
    *,
    start: bool = True,
    batch_id: str | None = None,
    reach_of: Callable[[Job], Reach | None] = lambda _job: None,
) -> Flow[BatchCreated]:
    """Create many jobs as a batch; they may name each other in any order.

    Args:
        operations: Of the namespace.
        jobs: One or more.
        start: Start them too.
        batch_id: Chosen by the caller; None for a new UUID.
        reach_of: Job -> what its submitter may name, None for everything. The submitter is the same for all.

    Returns:
        The jobs that were created and those that were refused.

    Raises:
        JobInvalid: There are no jobs, two have the same id, jobs wait for each other, a job has a unique key, or
            another batch has this id.
        StoreError: The store failed; the jobs that were created before stay.
    """
    if not jobs:
        raise JobInvalid("jobs", "a batch has at least one")
    if any(job.unique_key is not None for job in jobs):
        raise JobInvalid(
            "unique_key", "a job of a batch cannot have one: the batch would wait for a job that is not its own"
        )
    batch = batch_id or str(uuid.uuid4())
    # A job that names a dependent requires that the dependent exists and has not been started.
    start_with_create = start and not any(job.dependents for job in jobs)
    ordered: list[Job] = []
    creations = []
    # Built before the batch is opened: a job that is refused here must not leave a batch behind that never ends.
    for few in chunks((yield from _creation_order(jobs)), FEW):
        ordered += [dataclasses.replace(job, batch=batch) for job in few]
        creations += [
            operations.create(job, start=start_with_create, reach=reach_of(job)) for job in ordered[-len(few) :]
        ]
        yield PAUSE
    reach = reach_of(ordered[0])
    owner = None if reach is None else reach.caller_id
    (opened,) = yield [operations.open_batch(batch, len(ordered), owner)]
    if opened is False:
        raise JobInvalid("batch", f"a batch with the id '{batch}' exists")
    raise_first_error([opened])
    refused: dict[str, HeroJobError] = {}
    for chunk in chunks(list(zip(ordered, creations, strict=True))):
        results = yield [op for _, op in chunk]
        refused |= {job.id: r for (job, _), r in zip(chunk, results, strict=True) if isinstance(r, HeroJobError)}
    created = tuple(job.id for job in jobs if job.id not in refused)
    if start and not start_with_create:
        for ids in chunks(created):
            raise_first_error((yield [operations.start(job_id) for job_id in ids]))
    if refused:
        raise_first_error((yield [operations.shrink_batch(batch)]))
    return BatchCreated(batch_id=batch, job_ids=created, refused=refused)


def retry_dead(operations: Operations, most: int = 10_000) -> Flow[int]:
    """Run the current dead letters again, each once, the newest first.

    Args:
        operations: Of the namespace.
        most: Most jobs to run again.

    Returns:
        How many jobs will run again.
    """
    ids = yield from _dead_ids(operations, most)
    count = 0
    for chunk in chunks(ids):
        results = yield [operations.retry(job_id) for job_id in chunk]
        # An expired job leaves the list of dead letters here; a damaged one stays in it.
        count += sum(not isinstance(r, HeroJobError) for r in results)
    return count


def purge_dead(operations: Operations, most: int = 10_000) -> Flow[int]:
    """Delete the current dead letters and their jobs.

    Args:
        operations: Of the namespace.
        most: Most jobs to delete.

    Returns:
        How many letters were deleted.
    """
    ids = yield from _dead_ids(operations, most)
    for chunk in chunks(ids):
        yield [operations.delete(job_id) for job_id in chunk]
        yield [operations.admin.forget_dead(chunk)]
    return len(ids)


def purge_queue(
    operations: Operations, script_type: ScriptType, group: str | None = None, instance: str | None = None
) -> Flow[int]:
    """Stop the jobs that wait in a queue now; jobs that are queued meanwhile may stay.

    Args:
        operations: Of the namespace.
        script_type: The queue's script type.
        group: The queue's group; None for the queue of the type.
        instance: The queue's instance in the group; None for the queue of the group.

    Returns:
        How many jobs were stopped.
    """
    (queue,) = yield [operations.admin.queue(script_type, group, instance)]
    raise_first_error([queue])
    left, count = queue.waiting, 0
    while left > 0:
        (page,) = yield [operations.admin.purge(script_type, group, instance, min(left, MOST_ENDED))]
        raise_first_error([page])
        taken, ended = page
        if not taken:
            break
        left -= taken
        count += ended
    return count


def resume_queue(
    operations: Operations, script_type: ScriptType, group: str | None = None, instance: str | None = None
) -> Flow[bool]:
    """Resume a paused queue; its jobs keep their order.

    Args:
        operations: Of the deployment's namespace.
        script_type: The queue's script type.
        group: The queue's group; None for the queue of the type.
        instance: The queue's instance in the group; None for the queue of the group.

    Returns:
        False if it was not paused.
    """
    while True:
        (answer,) = yield [operations.admin.resume(script_type, group, instance)]
        raise_first_error([answer])
        if answer != 2:
            return bool(answer)


def _dead_ids(operations: Operations, most: int) -> Flow[list[str]]:
    """List all ids first: a job that runs again and fails immediately would otherwise be listed twice."""
    ids: list[str] = []
    while len(ids) < most:
        (letters,) = yield [operations.admin.dead(len(ids), min(PAGE, most - len(ids)))]
        raise_first_error([letters])
        if not letters:
            break
        ids += [letter.job_id for letter in letters]
    return ids
