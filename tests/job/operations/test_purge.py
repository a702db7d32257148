"""Purging a queue stops its waiting jobs, each with a reply; and the head of a queue as the scaler sees it."""

from __future__ import annotations

import time

import pytest

from hero_job import ScriptType
from hero_job.client.store import Store
from hero_job.model.errors import JobNotFound
from hero_job.model.status import JobStatus
from hero_job.operations.batches import purge_queue
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.job.conftest import MakeActor, MakeJob

OSIS = ScriptType.OSIS


def test_waiting_jobs_are_stopped_with_their_replies_and_running_jobs_go_on(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    runs = store.run(operations.create(make_job(), start=True))
    actor = make_actor()
    (held,) = store.run(actor.turn(0, [], 1)).jobs
    assert held.id == runs
    waiting = [store.run(operations.create(make_job(), start=True)) for _ in range(3)]
    low = store.run(operations.create(make_job(priority="low"), start=True))
    gone = store.run(operations.create(make_job(), start=True))
    store.run(operations.delete(gone))
    dependent = store.run(operations.create(make_job(prerequisites=[waiting[0]]), start=True))

    assert store.drive(purge_queue(operations, OSIS)) == 4
    for job_id in (*waiting, low):
        reply = store.wait_reply(operations, job_id, 1)
        assert (reply.status, reply.error_kind, reply.error) == (JobStatus.STOPPED, "stopped", "purged from its queue")
        assert store.run(operations.status(job_id)) is JobStatus.STOPPED
    assert store.run(operations.status(dependent)) is JobStatus.ERROR
    assert store.run(operations.status(runs)) is JobStatus.STARTED
    assert store.run(operations.admin.queue(OSIS)).waiting == 0
    with pytest.raises(JobNotFound):
        store.run(operations.status(gone))
    assert store.drive(purge_queue(operations, OSIS)) == 0


def test_a_paused_queue_of_a_group_is_purged_page_by_page_and_stays_paused(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    other = store.run(operations.create(make_job(), start=True))
    ids = store.run_many([operations.create(make_job(group="g"), start=True) for _ in range(3)])
    low = store.run(operations.create(make_job(group="g", priority="low"), start=True))
    store.run(operations.admin.pause(OSIS, "g"))
    ids += store.run_many([operations.create(make_job(group="g"), start=True) for _ in range(1200)])

    assert store.run(operations.admin.purge(OSIS, "g", most=2)) == (2, 2)
    assert [store.run(operations.status(str(i))) for i in ids[:3]] == ["stopped", "stopped", "dispatched"]
    assert store.drive(purge_queue(operations, OSIS, "g")) == 1202
    assert store.run(operations.status(low)) is JobStatus.STOPPED, "what was held back when the queue was paused, too"
    assert store.run(operations.admin.queue(OSIS, "g")).paused_since is not None
    assert store.run(operations.status(other)) is JobStatus.DISPATCHED


def test_a_job_whose_key_is_no_hash_is_purged_and_says_so(
    store: Store, operations: Operations, make_job: MakeJob, namespace: str
) -> None:
    job_id = store.run(operations.create(make_job(), start=True))
    store.run_many([Op(("DEL", f"{namespace}:job:{job_id}"), int), Op(("SET", f"{namespace}:job:{job_id}", "x"), str)])

    assert store.drive(purge_queue(operations, OSIS)) == 1

    reply = store.wait_reply(operations, job_id, 1)
    assert (reply.error_kind, reply.error) == ("damaged", "the job's key does not hold a hash")


def test_the_head_of_a_queue_says_how_long_its_first_job_has_waited(
    store: Store, operations: Operations, make_job: MakeJob, namespace: str
) -> None:
    assert store.run(operations.admin.queue_head(OSIS)) == store.run(operations.admin.queue_head(OSIS, "g"))
    assert store.run(operations.admin.queue_head(OSIS)).waiting == 0
    job_id = store.run(operations.create(make_job(), start=True))
    made_mono = time.monotonic()
    store.run(operations.create(make_job(), start=True))
    first = store.run(operations.admin.queue_head(OSIS))
    assert first.waiting == 2
    assert 0 <= first.wait_s <= time.monotonic() - made_mono + 1
    key = f"{namespace}:job:{job_id}"
    store.run(Op(("HSET", key, "updated_at", "2020-01-01T00:00:00.000Z"), int))
    assert store.run(operations.admin.queue_head(OSIS)).wait_s > 1e7
    store.run(Op(("HSET", key, "updated_at", "yesterday"), int))
    assert store.run(operations.admin.queue_head(OSIS)).wait_s == 0.0
    store.run(operations.admin.pause(OSIS))
    assert store.run(operations.admin.queue_head(OSIS)).waiting == 0
