"""What is left under the id of a deleted job does nothing to the next job of that id."""

from __future__ import annotations

import dataclasses

import pytest

from hero_job import Job, JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.operations.batches import purge_queue
from hero_job.operations.operations import Operations
from hero_job.protocol.keys import KeyPart
from hero_job.protocol.op import Op
from tests.job.conftest import MakeJob
from tests.job.lane import Lane

MANY = 450


def test_a_purge_does_not_end_a_job_that_was_not_started(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    store.run(operations.create(make_job(id="x"), start=True))
    store.run(operations.delete("x"))
    store.run(operations.create(make_job(id="x", script="2")))
    store.drive(purge_queue(operations, ScriptType.OSIS))
    assert store.run(operations.status("x")) is JobStatus.CREATED


def test_the_next_job_takes_no_place_of_the_line_in_which_the_former_stood(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    store.run(operations.create(make_job(concurrency="k"), start=True))
    (first,) = lane.claim()
    store.run(operations.create(make_job(id="x", concurrency="k"), start=True))
    assert lane.claim() == []  # it stands in line
    store.run(operations.delete("x"))
    store.run(operations.create(make_job(id="x", script="2"), start=True))
    lane.finish(first)
    assert store.run(Op(("SMEMBERS", f"{operations.keys.prefix}{KeyPart.LIMIT_RUNNING}k"), list)) == []
    assert lane.work_off() == ["x"]


@pytest.mark.parametrize("start", [False, True])
def test_a_job_does_not_read_the_next_job_of_its_prerequisites_id(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, start: bool
) -> None:
    store.run(operations.create(make_job(id="P"), start=True))
    lane.finish(*lane.claim())
    store.run(operations.create(make_job(id="D", prerequisites=["P"])))
    store.run(operations.delete("P"))
    store.run(operations.create(make_job(id="P", script="2"), start=start))
    store.run(operations.start("D"))
    assert "D" not in lane.work_off()
    assert store.run(operations.record("D")).error_kind == "prerequisite_failed"


@pytest.mark.parametrize("holds", ["a place in a batch", "a unique key"])
@pytest.mark.parametrize("again", ["deleted and created", "retried"])
def test_the_rest_of_the_end_of_a_job_is_not_done_to_the_next(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, again: str, holds: str
) -> None:
    def ask(job: Job) -> Job:
        if "batch" in holds:
            return dataclasses.replace(job, batch="b")
        return dataclasses.replace(job, unique_key=f"u-{job.id}")

    # The end of the root ends so many jobs that the holdings of most of them are released later.
    store.run(operations.create(make_job(id="root")))
    for n in range(MANY):
        store.run(operations.create(ask(make_job(id=f"d{n}", prerequisites=["root"])), start=True))
    store.run(operations.stop("root"))
    waiting = store.run(Op(("HKEYS", operations.keys.prefix + KeyPart.UNSETTLED), list))
    ended = [i for i in waiting if i != "root" and store.run(operations.status(i)) is JobStatus.ERROR]
    assert ended, "some holdings are to be released yet"
    job_id = ended[0]
    if again == "retried":
        store.run(operations.retry(job_id))
    else:
        store.run(operations.delete(job_id))
        store.run(operations.create(ask(make_job(id=job_id)), start=True))
    store.run(operations.create(make_job(id="after", prerequisites=[job_id]), start=True))
    while store.run(operations.admin.promote())[0]:
        pass
    if "batch" in holds:
        batch = store.run(operations.batch("b"))
        assert batch is not None
        assert batch.open == 1
    else:
        assert store.run(Op(("GET", f"{operations.keys.prefix}{KeyPart.UNIQUE}u-{job_id}"), str)) == job_id
    assert lane.work_off() == [job_id, "after"]
    if "batch" in holds:
        batch = store.run(operations.batch("b"))
        assert batch is not None
        assert batch.open == 0


def test_dependents_of_a_former_job_are_settled_apart_from_those_of_the_next(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    store.run(operations.create(make_job(id="root")))
    for n in range(MANY):
        store.run(operations.create(make_job(id=f"d{n}", prerequisites=["root"]), start=True))
    store.run(operations.stop("root"))
    store.run(operations.delete("root"))
    store.run(operations.create(make_job(id="root", script="2")))
    store.run(operations.create(make_job(id="after", prerequisites=["root"]), start=True))
    while store.run(operations.admin.promote())[0]:
        pass
    assert store.run(operations.status("after")) is JobStatus.WAITING_FOR_PREREQUISITES
    record = store.run(operations.record(f"d{MANY - 1}"))
    assert (record.status, record.error) == (JobStatus.ERROR, "its prerequisite root ended as stopped")
    store.run(operations.start("root"))
    assert lane.work_off() == ["root", "after"]
