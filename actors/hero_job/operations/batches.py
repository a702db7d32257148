"""Many jobs at once: the order in which they are created, and the steps of doing so. Pure.

A `Flow` is a generator that yields lists of operations and is sent their results; the stores drive it, synchronously or
on asyncio, so that each procedure of several round trips is written once.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeVar

from hero_job.model.errors import HeroJobError, JobInvalid
from hero_job.model.job import Job, ScriptType
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op

T = TypeVar("T")

#: A procedure of several round trips: yields operations to run together, is sent a result or an error for each.
Flow = Generator[Sequence[Op[Any]], list[Any], T]

#: Operations sent together. More would only make the server's answers wait in memory.
_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCreated:
    """What became of a batch.

    Attributes:
        batch_id: The batch.
        job_ids: The jobs that were created, in the order in which they were given.
        refused: Why the others were not, by id.
    """

    batch_id: str
    job_ids: tuple[str, ...]
    refused: Mapping[str, HeroJobError]


def creation_order(jobs: Sequence[Job]) -> list[Job]:
    """Put jobs into an order in which each comes after those that it names.

    Raises:
        JobInvalid: Two have one id, or some wait for each other.
    """
    by_id = {job.id: job for job in jobs}
    if len(by_id) != len(jobs):
        raise JobInvalid("id", "two jobs of the batch have the same id")
    if not any(job.prerequisites or job.dependents for job in jobs):
        return list(jobs)
    waits_for: dict[str, set[str]] = {job.id: set(job.prerequisites) & by_id.keys() for job in jobs}
    for job in jobs:
        for dependent in set(job.dependents) & by_id.keys():
            waits_for[dependent].add(job.id)
    try:
        tuple(TopologicalSorter(waits_for).static_order())
    except CycleError as e:
        raise JobInvalid("prerequisites", f"these jobs wait for each other: {' -> '.join(e.args[1])}") from e
    # Created is first what is named, be it as prerequisite or as dependent.
    named = {job.id: (set(job.prerequisites) | set(job.dependents)) & by_id.keys() for job in jobs}
    try:
        return [by_id[i] for i in TopologicalSorter(named).static_order()]
    except CycleError as e:
        raise JobInvalid("dependents", f"name each edge at one of its ends only: {' -> '.join(e.args[1])}") from e


def create_jobs(
    operations: Operations, jobs: Sequence[Job], *, start: bool = True, batch_id: str | None = None
) -> Flow[BatchCreated]:
    """Create many jobs as a batch; they may name each other in any order.

    Args:
        operations: Of the namespace.
        jobs: One or more.
        start: Send them on their way too.
        batch_id: Chosen by the caller; a UUID otherwise.

    Raises:
        JobInvalid: No jobs, an id twice, a cycle, a key of uniqueness, or a batch with this id exists.
        StoreError: What was done before stays done.
    """
    if not jobs:
        raise JobInvalid("jobs", "a batch has at least one")
    if any(job.unique_key is not None for job in jobs):
        raise JobInvalid(
            "unique_key", "a job of a batch cannot have one: the batch would wait for a job that is not its own"
        )
    batch = batch_id or str(uuid.uuid4())
    ordered = [dataclasses.replace(job, batch=batch) for job in creation_order(jobs)]
    (opened,) = yield [operations.open_batch(batch, len(ordered))]
    if opened is False:
        raise JobInvalid("batch", f"a batch with the id '{batch}' exists")
    _raise_any([opened])
    # A dependent must exist, unstarted, when the job is created that it is to wait for.
    at_once = start and not any(job.dependents for job in ordered)
    refused: dict[str, HeroJobError] = {}
    for chunk in _chunks(ordered):
        results = yield [operations.create(job, start=at_once) for job in chunk]
        refused |= {job.id: r for job, r in zip(chunk, results, strict=True) if isinstance(r, HeroJobError)}
    created = tuple(job.id for job in jobs if job.id not in refused)
    if start and not at_once:
        for ids in _chunks(created):
            _raise_any((yield [operations.start(job_id) for job_id in ids]))
    if refused:
        _raise_any((yield [operations.shrink_batch(batch, len(refused))]))
    return BatchCreated(batch_id=batch, job_ids=created, refused=refused)


def retry_dead(operations: Operations, most: int = 10_000) -> Flow[int]:
    """Run the dead letters of now again, each once, the oldest last; gives how many."""
    ids = yield from _dead_ids(operations, most)
    count = 0
    for chunk in _chunks(ids):
        results = yield [operations.retry(job_id) for job_id in chunk]
        # A letter whose job is past its retention leaves the list; one that is damaged stays.
        count += sum(not isinstance(r, HeroJobError) for r in results)
    return count


def purge_dead(operations: Operations, most: int = 10_000) -> Flow[int]:
    """Delete the dead letters of now with their jobs; gives how many."""
    ids = yield from _dead_ids(operations, most)
    for chunk in _chunks(ids):
        yield [operations.delete(job_id) for job_id in chunk]
        yield [operations.admin.forget_dead(chunk)]
    return len(ids)


def purge_queue(
    operations: Operations, script_type: ScriptType, group: str | None = None, instance: str | None = None
) -> Flow[int]:
    """End the jobs that wait in a queue now, page by page; gives how many. What comes meanwhile may stay."""
    (queue,) = yield [operations.admin.queue(script_type, group, instance)]
    _raise_any([queue])
    left, count = queue.waiting, 0
    while left > 0:
        (page,) = yield [operations.admin.purge(script_type, group, instance, min(left, _CHUNK))]
        _raise_any([page])
        taken, ended = page
        if not taken:
            break
        left -= taken
        count += ended
    return count


def _dead_ids(operations: Operations, most: int) -> Flow[list[str]]:
    """List them before anything is done: a job that fails again at once is a letter of later."""
    ids: list[str] = []
    while len(ids) < most:
        (letters,) = yield [operations.admin.dead(len(ids), min(_CHUNK, most - len(ids)))]
        _raise_any([letters])
        if not letters:
            break
        ids += [letter.job_id for letter in letters]
    return ids


def _chunks(items: Sequence[T]) -> Iterable[Sequence[T]]:
    return (items[i : i + _CHUNK] for i in range(0, len(items), _CHUNK))


def _raise_any(results: Iterable[object]) -> None:
    for result in results:
        if isinstance(result, HeroJobError):
            raise result
