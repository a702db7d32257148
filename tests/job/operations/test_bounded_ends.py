"""The end of a job that very many jobs wait for is done in pages, by any process, and holds up nobody."""

from __future__ import annotations

import pytest

from hero_job import JobStatus
from hero_job.client.store import Store
from hero_job.operations.batches import create_jobs
from hero_job.operations.operations import Operations
from hero_job.protocol.keys import KeyPart
from hero_job.protocol.op import Op
from tests.job.conftest import MakeJob
from tests.job.lane import Lane

MANY = 700
#: Jobs that one call of a script may move, with some room.
MOST = 250


def in_status(store: Store, operations: Operations, status: JobStatus) -> int:
    return sum(store.run(operations.status(f"d{n}")) is status for n in range(MANY))


def pages(store: Store, operations: Operations, status: JobStatus) -> int:
    """Let the clock go on until nothing is left; return how many calls moved jobs, none of them too many."""
    count, before = 0, in_status(store, operations, status)
    assert before <= MOST
    while store.run(operations.admin.promote())[0]:
        count, now = count + 1, in_status(store, operations, status)
        assert now - before <= MOST
        before = now
    return count


@pytest.mark.parametrize("end", ["finished", "stopped"])
def test_dependents_of_a_job_are_settled_in_pages(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, end: str
) -> None:
    store.run(operations.create(make_job(id="root")))
    jobs = [make_job(id=f"d{n}", prerequisites=["root"]) for n in range(MANY)]
    store.drive(create_jobs(operations, jobs, batch_id="b"))
    if end == "finished":
        store.run(operations.start("root"))
        lane.finish(*lane.claim(1))
    else:
        store.run(operations.stop("root"))

    expected = JobStatus.DISPATCHED if end == "finished" else JobStatus.ERROR
    assert pages(store, operations, expected) >= 2
    assert in_status(store, operations, expected) == MANY
    assert store.run(Op(("EXISTS", operations.keys.prefix + KeyPart.UNSETTLED), int)) == 0
    if end == "stopped":
        batch = store.run(operations.batch("b"))
        assert batch is not None
        assert (batch.open, batch.error) == (0, MANY)


def test_a_chain_of_jobs_fails_in_pages(store: Store, operations: Operations, make_job: MakeJob) -> None:
    store.run(operations.create(make_job(id="d0")))
    for n in range(1, MANY):
        store.run(operations.create(make_job(id=f"d{n}", prerequisites=[f"d{n - 1}"]), start=True))
    store.run(operations.stop("d0"))
    assert pages(store, operations, JobStatus.ERROR) >= 2
    assert in_status(store, operations, JobStatus.ERROR) == MANY - 1


def test_a_place_passes_a_long_line_of_stopped_jobs(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    ids = [store.run(operations.create(make_job(concurrency="k"), start=True)) for _ in range(MANY)]
    (first,) = lane.claim(MANY)
    for job_id in ids[1:-1]:
        store.run(operations.stop(job_id))
    lane.finish(first)
    while store.run(operations.admin.promote())[0]:
        pass
    assert lane.claim_ids() == ids[-1:]
