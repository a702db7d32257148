"""What scripts say that they have done: how many moved, were stopped or taken out, and which events they leave."""

from __future__ import annotations

import dataclasses

import pytest

from hero_job import JobNotFound, JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.operations.actor_operations import Recoveries
from hero_job.operations.batches import purge_queue, resume_queue
from hero_job.operations.operations import Operations
from hero_job.protocol.keys import KeyPart
from hero_job.protocol.op import Op, as_is
from tests.job.conftest import MakeActor, MakeJob
from tests.job.lane import Lane
from tests.job.steps import submit, submit_many


def moves(store: Store, operations: Operations) -> list[str]:
    """All entries of the event stream, flat."""
    entries: list[tuple[str, list[str]]] = store.run(Op(("XRANGE", operations.keys.events, "-", "+"), as_is))
    return [part for _, fields in entries for part in fields]


def test_the_dead_letter_of_a_job_that_is_gone_goes_with_the_try_to_retry_it(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    gone, other = (submit(store, operations, make_job) for _ in range(2))
    for job in lane.claim():
        lane.fail(job)
    assert {letter.job_id for letter in store.run(operations.admin.dead())} == {other, gone}
    store.run(Op(("DEL", operations.keys.job(gone)), int))
    with pytest.raises(JobNotFound):
        store.run(operations.retry(gone))
    assert store.run(Op(("ZRANGE", operations.keys.dead_jobs, 0, -1), list)) == [other]


@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_a_purge_counts_each_job_that_it_ends_and_no_other_id(
    store: Store, operations: Operations, make_job: MakeJob, damaged: int
) -> None:
    ids = submit_many(store, operations, make_job, 4)
    for job_id in ids[:damaged]:
        store.run(Op(("DEL", operations.keys.job(job_id)), int))
        store.run(Op(("SET", operations.keys.job(job_id), "x"), as_is))
    store.run(operations.stop(ids[3]))
    assert store.drive(purge_queue(operations, ScriptType.OSIS)) == 3
    for job_id in ids[:damaged]:
        ended = store.run(Op(("HMGET", operations.keys.job(job_id), "status", "error_kind"), list))
        assert ended == ["error", "damaged"]
    assert all(store.run(operations.status(job_id)) is JobStatus.STOPPED for job_id in ids[damaged:])
    assert store.drive(purge_queue(operations, ScriptType.OSIS)) == 0


def test_a_batch_that_ends_because_no_job_of_it_was_created_is_announced(store: Store, operations: Operations) -> None:
    assert store.run(operations.open_batch("b", 2))
    assert store.run(operations.shrink_batch("b")) == 2
    assert moves(store, operations) == ["batch:b", "ended"]
    assert store.run(operations.shrink_batch("b")) == 0
    assert moves(store, operations) == ["batch:b", "ended"]
    batch = store.run(operations.batch("b"))
    assert batch is not None
    assert (batch.open, batch.total) == (0, 0)


def test_a_batch_of_which_some_jobs_were_created_goes_on(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    store.run(operations.open_batch("b", 3))
    job_id = store.run(operations.create(dataclasses.replace(make_job(), batch="b"), start=True))
    assert store.run(operations.shrink_batch("b")) == 2
    batch = store.run(operations.batch("b"))
    assert batch is not None
    assert (batch.open, batch.total) == (1, 1)
    assert "batch:b" not in moves(store, operations)
    lane.finish(*lane.claim())
    assert moves(store, operations)[-2:] == ["batch:b", "ended"]
    assert store.run(operations.status(job_id)) is JobStatus.FINISHED


def test_a_promotion_tells_how_many_jobs_it_has_moved_and_when_the_next_is_due(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    keys = operations.keys
    assert store.run(operations.admin.promote()) == (0, None)
    due = [submit(store, operations, make_job, delay=1000) for _ in range(2)]
    later = submit(store, operations, make_job, delay=1000)
    expired = submit(store, operations, make_job, expires=500)
    for job_id in due:
        store.run(Op(("ZADD", keys.scheduled, 1, job_id), int))
    store.run(Op(("ZADD", keys.expiring, 1, expired), int))
    store.run(Op(("HSET", keys.prefix + KeyPart.UNSETTLED, "a", "error", "b", "+stopped"), as_is))
    moved, next_s = store.run(operations.admin.promote())
    assert moved == 5, "two rests of earlier ends, two starts and an expiry"
    assert next_s is not None
    assert 0 < next_s <= 1000
    assert [store.run(operations.status(one)).value for one in (*due, later, expired)] == [
        *("dispatched", "dispatched", "scheduled", "error"),
    ]
    store.run(operations.stop(later))
    submit(store, operations, make_job, expires=5000, delay=9000)
    _, next_s = store.run(operations.admin.promote())
    assert next_s is not None
    assert next_s <= 5000, "the sooner one of the next expiry and the next start"


def test_a_queue_is_paused_and_resumed_once(store: Store, operations: Operations, make_job: MakeJob) -> None:
    admin = operations.admin
    assert not store.drive(resume_queue(operations, ScriptType.OSIS))
    assert store.run(admin.pause(ScriptType.OSIS))
    assert not store.run(admin.pause(ScriptType.OSIS))
    ids = submit_many(store, operations, make_job, 3)
    assert store.run(Op(("LLEN", operations.keys.work("osis")), int)) == 0
    assert store.drive(resume_queue(operations, ScriptType.OSIS))
    assert store.run(Op(("LRANGE", operations.keys.work("osis"), 0, -1), list)) == ids


@pytest.mark.parametrize("kind", ["string", "hash"])
def test_a_claimed_list_that_is_none_is_removed_by_the_recovery_which_goes_on(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, kind: str
) -> None:
    dead = make_actor(lanes=2)
    (job_id,) = submit_many(store, operations, make_job, 1)
    store.run(dead.turn(1, [], 1))
    claimed = operations.keys.claimed(dead.entry.incarnation, 0)
    store.run(Op(("SET", claimed, "x") if kind == "string" else ("HSET", claimed, "a", "b"), as_is))
    recoveries = Recoveries(operations.keys.namespace)
    assert store.run(recoveries.recover(dead.entry.incarnation, proven_dead=True)).handed_back == [job_id]
    assert store.run(Op(("EXISTS", claimed), int)) == 0
