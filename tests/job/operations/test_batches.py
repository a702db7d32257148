"""Batches: many jobs that are counted and awaited together."""

from __future__ import annotations

import dataclasses

import pytest

from hero_job import JobInvalid, JobNotFound, WaitTimeout
from hero_job.client.store import Store
from hero_job.operations.batches import create_jobs
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.job.conftest import MakeJob
from tests.job.lane import Lane


def test_a_batch_counts_its_jobs_and_ends_with_the_last(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    created = store.drive(create_jobs(operations, [make_job() for _ in range(5)]))
    jobs = lane.claim()
    lane.finish(*jobs[:3])
    lane.fail(jobs[3])
    with pytest.raises(WaitTimeout):
        store.wait_batch(operations, created.batch_id, 0.05)
    store.run(operations.stop(jobs[4].id))
    lane.stop(jobs[4])

    status = store.wait_batch(operations, created.batch_id, 5)
    assert (status.total, status.open, status.finished, status.error, status.stopped) == (5, 0, 3, 1, 1)


def test_a_batch_ends_without_the_jobs_that_were_refused(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    store.run(operations.create(make_job(id="taken", script="1")))
    jobs = [make_job(id="good"), make_job(id="taken", script="2"), make_job(id="lost", prerequisites=["ghost"])]

    created = store.drive(create_jobs(operations, jobs))

    assert created.job_ids == ("good",)
    assert created.refused.keys() == {"taken", "lost"}
    lane.work_off()
    assert store.wait_batch(operations, created.batch_id, 5).total == 1


def test_waiting_for_an_unknown_batch_is_an_error(store: Store, operations: Operations) -> None:
    with pytest.raises(JobNotFound):
        store.wait_batch(operations, "ghost", 60)


def test_a_batch_created_again_after_a_lost_answer_is_one_batch(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    jobs = [make_job() for _ in range(3)]
    for _ in range(2):
        created = store.drive(create_jobs(operations, jobs, batch_id="b"))

    assert created.refused == {}
    assert len(lane.work_off()) == 3
    assert store.wait_batch(operations, "b", 5).finished == 3


def test_a_job_with_a_unique_key_cannot_be_in_a_batch(store: Store, operations: Operations, make_job: MakeJob) -> None:
    with pytest.raises(JobInvalid, match="unique_key"):
        store.drive(create_jobs(operations, [make_job(), make_job(unique="k")]))


def test_a_batch_id_can_be_used_once(store: Store, operations: Operations, make_job: MakeJob) -> None:
    store.drive(create_jobs(operations, [make_job()], batch_id="b"))

    with pytest.raises(JobInvalid, match="exists"):
        store.drive(create_jobs(operations, [make_job(), make_job()], batch_id="b"))


def test_a_batch_id_that_is_used_again_opens_its_batch_again(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    for n in range(3):
        store.drive(create_jobs(operations, [make_job(), make_job()], batch_id="b"))
        with pytest.raises(WaitTimeout):
            store.wait_batch(operations, "b", 0.05)
        lane.work_off()
        status = store.wait_batch(operations, "b", 5)
        assert (status.total, status.open, status.finished) == (2 * n + 2, 0, 2 * n + 2)


def test_a_retry_opens_its_batch_again_and_never_makes_counts_negative(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    store.drive(create_jobs(operations, [make_job(id="j")], batch_id="b"))
    (job,) = lane.claim()
    lane.fail(job)
    assert store.wait_batch(operations, "b", 5).error == 1
    store.run(operations.retry("j"))
    assert store.run(operations.peek_batch("b", 0.001)) is None, "a waiter has nothing to read, so it does not spin"
    with pytest.raises(WaitTimeout):
        store.wait_batch(operations, "b", 0.05)
    (job,) = lane.claim()
    lane.fail(job)
    store.run(Op(("DEL", operations.keys.batch("b"), operations.keys.batch_reply("b")), int))
    store.run(operations.retry("j"))
    lane.work_off()
    assert store.run(operations.batch("b")) is None


def test_every_key_of_a_batch_has_a_time_to_live(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    store.run(operations.open_batch("unfilled", 2))
    store.run(operations.create(dataclasses.replace(make_job(), batch="unannounced"), start=True))
    store.drive(create_jobs(operations, [make_job()], batch_id="whole"))
    names = ("unfilled", "unannounced", "whole")
    for _ in range(2):
        for name in names:
            assert store.run(Op(("PTTL", operations.keys.batch(name)), int)) > 0
        lane.work_off()
    assert [status.open for name in names if (status := store.run(operations.batch(name)))] == [2, 0, 0]


def test_two_moves_of_a_job_in_one_script_are_two_events(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    store.run(operations.create(make_job(id="P", expires=1000)))
    store.run(operations.create(make_job(id="D", prerequisites=["P"]), start=True))
    store.run(operations.stop("P"))
    store.run(operations.create(make_job(id="E", prerequisites=["P"]), start=True))
    entries = store.run(Op(("XRANGE", operations.keys.events, "-", "+"), list))
    moves = [tuple(fields[n : n + 2]) for _, fields in entries for n in range(0, len(fields), 2)]
    assert [status for job_id, status in moves if job_id == "D"] == ["waiting_for_prerequisites", "error"]
    for _, fields in entries:
        assert len(set(fields[::2])) == len(fields) // 2
