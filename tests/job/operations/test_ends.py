"""What the end of a job leaves: expiries, dead letters, places and keys that others wait for, and a retried job."""

from __future__ import annotations

import pytest

from hero_job import JobBuilder, JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.model.claim_types import Settlement
from hero_job.model.retention import Retention
from hero_job.operations.batches import purge_queue
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from tests.eventually import eventually
from tests.job.conftest import MakeActor, MakeJob
from tests.job.lane import Lane
from tests.job.steps import submit

#: A finished job is kept for ten minutes, any other for ten hours.
KEPT = Retention(result_ttl_s=600, failure_ttl_s=36_000, dead_max=2)


def kept_s(store: Store, operations: Operations, job_id: str) -> float:
    """How much longer a job's record is kept, in seconds; negative if it does not expire."""
    return store.run(Op(("PTTL", operations.keys.job(job_id)), int)) / 1000


def test_a_finished_job_is_kept_for_a_short_time_and_a_failed_or_stopped_one_for_a_long_time(
    store: Store, namespace: str, make_job: MakeJob, make_actor: MakeActor
) -> None:
    operations = Operations(namespace, KEPT)
    lane = Lane(store, make_actor(retention=KEPT))
    ids = [submit(store, operations, make_job) for _ in range(4)]
    store.run(operations.stop(ids[3]))
    finished, failed, stopped = lane.claim()
    lane.finish(finished)
    lane.fail(failed)
    store.run(operations.stop(stopped.id))
    lane.stop(stopped)

    assert 0 < kept_s(store, operations, finished.id) <= 600
    for job_id in (failed.id, stopped.id, ids[3]):
        assert 600 < kept_s(store, operations, job_id) <= 36_000


def test_only_jobs_that_ended_in_error_are_dead_letters(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    waiting, running, finished, failed = (submit(store, operations, make_job) for _ in range(4))
    store.run(operations.stop(waiting))
    claimed = {job.id: job for job in lane.claim()}
    store.run(operations.stop(running))
    lane.stop(claimed[running])
    lane.finish(claimed[finished])
    lane.fail(claimed[failed])

    assert [letter.job_id for letter in store.run(operations.admin.dead())] == [failed]


def test_dead_letters_are_trimmed_by_number_and_by_age(
    store: Store, namespace: str, make_job: MakeJob, make_actor: MakeActor
) -> None:
    operations = Operations(namespace, KEPT)
    lane = Lane(store, make_actor(retention=KEPT))
    store.run(Op(("ZADD", operations.keys.dead_jobs, 1, "of long ago"), as_is))
    ids = [submit(store, operations, make_job) for _ in range(3)]

    first, second, third = lane.claim()
    lane.fail(first)
    assert store.run(Op(("ZRANGE", operations.keys.dead_jobs, 0, -1), list)) == [first.id]
    # Scores of one millisecond would be ordered by id.
    for age_ms, job in ((2, second), (1, third)):
        lane.fail(job)
        store.run(Op(("ZINCRBY", operations.keys.dead_jobs, -age_ms, job.id), as_is))
    store.run(Op(("ZINCRBY", operations.keys.dead_jobs, -3, first.id), as_is))
    newest = submit(store, operations, make_job)
    lane.fail(lane.claim()[0])

    kept = store.run(Op(("ZRANGE", operations.keys.dead_jobs, 0, -1), list))
    assert len(kept) == 2
    assert newest in kept
    assert ids[0] not in kept


def test_a_retried_job_is_kept_until_it_ends_again(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    job_id = submit(store, operations, make_job)
    lane.fail(lane.claim()[0])
    assert kept_s(store, operations, job_id) > 0

    store.run(operations.retry(job_id))

    assert kept_s(store, operations, job_id) < 0


def test_a_failure_without_a_place_in_the_script_does_not_keep_that_of_an_earlier_failure(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    job_id = submit(store, operations, make_job, retries=2)
    for line in (7, None):
        (job,) = store.run(lane.actor.turn(0, [], 1)).jobs
        failed = Settlement(job.id, job.attempt, JobStatus.ERROR, error="x", error_kind="y", error_line=line)
        failed.retry_in_s = 0 if line else None
        store.run(lane.actor.turn(0, [failed], 0))
        assert store.run(operations.record(job_id)).error_line == line
        store.run(operations.admin.promote())


def test_a_claim_whose_answer_was_lost_says_again_how_often_the_job_is_repeated_and_has_failed(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    submit(store, operations, make_job, retries=5)
    (job,) = lane.claim()
    lane.fail(job, retry_in_s=0)
    eventually(lambda: store.run(operations.admin.promote())[0])

    for _ in range(2):
        (job,) = store.run(lane.actor.turn(0, [], 1)).jobs
        assert (job.retries, job.failures) == (5, 1)


# What waits for something


def test_the_release_by_its_last_prerequisite_neither_renews_the_expiry_of_a_job_nor_ignores_its_delay(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    submit(store, operations, make_job, id="first")
    expires = submit(store, operations, make_job, prerequisites=["first"], expires=3600)
    delayed = submit(store, operations, make_job, prerequisites=["first"], delay=3600)
    until_ms = store.run(Op(("HINCRBY", operations.keys.job(expires), "expires_ms", -1000), int))

    lane.finish(*lane.claim())

    assert store.run(Op(("HGET", operations.keys.job(expires), "expires_ms"), as_is)) == str(until_ms)
    assert store.run(operations.status(delayed)) is JobStatus.SCHEDULED
    assert lane.claim_ids() == [expires]


def test_a_job_that_waits_for_its_prerequisites_expires(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    submit(store, operations, make_job, id="first")
    waiting = submit(store, operations, make_job, prerequisites=["first"], expires=0.02)

    eventually(lambda: store.run(operations.admin.promote())[0])

    record = store.run(operations.record(waiting))
    assert (record.status, record.error_kind) == (JobStatus.ERROR, "expired")
    assert lane.work_off() == ["first"]


def test_a_job_leaves_the_key_of_uniqueness_to_the_job_that_took_it_over(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    submit(store, operations, make_job, unique="k")
    key = f"{operations.keys.prefix}meta:unique:k"
    store.run(Op(("SET", key, "another"), as_is))

    lane.work_off()

    assert store.run(Op(("GET", key), as_is)) == "another"


def test_a_job_that_its_rate_delays_leaves_its_place_to_the_next(
    store: Store, operations: Operations, lane: Lane
) -> None:
    def job(name: str) -> JobBuilder:
        return JobBuilder().id(name).caller_id("a").context_id("b").script("1").script_type("osis")

    store.run(operations.create(job("first").rate("r", 1, 3600).build(), start=True))
    store.run(operations.create(job("delayed").concurrency("k").rate("r", 1, 3600).build(), start=True))
    store.run(operations.create(job("next").concurrency("k").build(), start=True))

    assert lane.claim_ids() == ["first", "next"]
    assert store.run(operations.status("delayed")) is JobStatus.SCHEDULED


def test_jobs_of_low_priority_in_a_paused_queue_are_purged(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    before = submit(store, operations, make_job, priority="low")
    store.run(operations.admin.pause(ScriptType.OSIS))
    during = submit(store, operations, make_job, priority="low")

    assert store.drive(purge_queue(operations, ScriptType.OSIS)) == 2
    for job_id in (before, during):
        assert store.run(operations.status(job_id)) is JobStatus.STOPPED


@pytest.mark.parametrize("ended", ["finished", "failed"])
def test_a_dependent_that_another_job_named_gets_its_output(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, ended: str
) -> None:
    store.run(operations.create(make_job(id="later", run_after_failure=True)))
    first = {"id": "first", "caller_id": "caller", "context_id": "context", "script": "1", "script_type": "osis"}
    store.run(operations.create(make_job().from_fields({**first, "dependents": ["later"]}), start=True))
    store.run(operations.start("later"))
    (job,) = lane.claim()
    if ended == "finished":
        lane.finish(job, output="of the first")
    else:
        lane.fail(job)

    (later,) = lane.claim()
    assert later.prerequisites == {"first": "of the first" if ended == "finished" else None}
