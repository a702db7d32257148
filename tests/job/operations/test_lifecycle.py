"""A job on its way: delay, expiry, priority, pause, retries, dead letters, stop and log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hero_job import JobFailed, JobInvalid, JobNotFound, JobStateError, JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.model.retention import Retention
from hero_job.model.views import Progress
from hero_job.operations.actor_operations import Order, Recoveries
from hero_job.operations.batches import purge_dead, retry_dead
from hero_job.operations.events import entries_after
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.eventually import eventually
from tests.job.conftest import MakeActor, MakeJob
from tests.job.lane import Lane
from tests.job.steps import submit

# Times


def test_a_delayed_job_is_scheduled_and_queued_when_it_is_due(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    job_id = submit(store, operations, make_job, delay=0.05)
    far = submit(store, operations, make_job, not_before=datetime.now(UTC) + timedelta(hours=1))
    assert store.run(operations.status(job_id)) is JobStatus.SCHEDULED
    assert lane.claim() == []

    eventually(lambda: store.run(operations.admin.promote())[0])

    assert lane.claim_ids() == [job_id]
    moved, due_s = store.run(operations.admin.promote())
    assert moved == 0
    assert due_s is not None
    assert 3000 < due_s <= 3600
    assert store.run(operations.status(far)) is JobStatus.SCHEDULED


def test_a_time_in_the_past_delays_nothing(store: Store, operations: Operations, make_job: MakeJob, lane: Lane) -> None:
    job_id = submit(store, operations, make_job, not_before="2001-01-01T00:00:00+01:00")

    assert lane.claim_ids() == [job_id]


@pytest.mark.parametrize("value", ["tomorrow", "2026-11-24T06:00:00", 5])
def test_a_time_that_is_not_iso_8601_with_a_zone_is_refused(make_job: MakeJob, value: object) -> None:
    with pytest.raises(JobInvalid, match="not_before"):
        make_job(not_before=value)


def test_many_supervisors_queue_a_due_job_once(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    ids = [submit(store, operations, make_job, delay=0.001) for _ in range(50)]
    moved = 0

    def promote() -> bool:
        nonlocal moved
        moved += store.run(operations.admin.promote(7))[0]
        return moved == 50

    eventually(promote)

    assert sorted(lane.claim_ids()) == sorted(ids)


@pytest.mark.parametrize("found_by", ["sweep", "claim"])
def test_a_job_that_does_not_start_in_time_ends_as_expired(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, found_by: str
) -> None:
    job_id = submit(store, operations, make_job, expires=0.02)
    now_ms = store.run(Op(("TIME",), lambda t: int(t[0]) * 1000 + int(t[1]) // 1000))
    eventually(lambda: store.run(Op(("TIME",), lambda t: int(t[0]) * 1000 + int(t[1]) // 1000)) > now_ms + 40)

    if found_by == "sweep":
        assert store.run(operations.admin.promote())[0] == 1
    assert lane.claim() == []

    with pytest.raises(JobFailed, match="not started in its time") as failed:
        store.wait_reply(operations, job_id, 5).result()
    assert failed.value.kind == "expired"


def test_a_delayed_job_that_has_expired_is_not_due_any_more(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    job_id = submit(store, operations, make_job, delay=3600, expires=1800)
    store.run(Op(("ZADD", operations.keys.expiring, 1, job_id), int))

    assert store.run(operations.admin.promote()) == (1, None), "one moved, and nothing is due later"
    assert store.run(operations.status(job_id)) is JobStatus.ERROR


def test_both_moves_of_a_job_that_was_due_and_expired_at_once_are_told(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    job_id = submit(store, operations, make_job, delay=3600, expires=1800)
    for key in (operations.keys.scheduled, operations.keys.expiring):
        store.run(Op(("ZADD", key, 1, job_id), int))

    store.run(operations.admin.promote())

    entries = store.drive(entries_after(operations.keys.events, "", 100)).entries
    assert [moves[job_id] for _, moves in entries if job_id in moves] == ["scheduled", "dispatched", "error"]


def test_a_job_that_starts_in_time_does_not_expire(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    job_id = submit(store, operations, make_job, expires=3600)
    (job,) = lane.claim()

    assert store.run(Op(("ZCARD", operations.keys.expiring), int)) == 0
    lane.finish(job)
    assert store.run(operations.status(job_id)) is JobStatus.FINISHED


# Order


def test_high_priority_runs_first_and_low_priority_last(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    normal = [submit(store, operations, make_job) for _ in range(2)]
    low = [submit(store, operations, make_job, priority="low") for _ in range(2)]
    late = submit(store, operations, make_job)
    high = submit(store, operations, make_job, priority="high")

    assert lane.work_off() == [high, *normal, late, *low]


def test_a_job_of_low_priority_wakes_an_idle_lane_like_any_other(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    job_id = submit(store, operations, make_job, priority="low")

    assert store.run(lane.actor.take(0)) == job_id


def test_a_paused_queue_holds_its_jobs_and_a_resumed_one_gives_them_back_in_order(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    before = [submit(store, operations, make_job) for _ in range(3)]
    (running,) = lane.claim(1)
    assert store.run(operations.admin.pause(ScriptType.OSIS))
    assert not store.run(operations.admin.pause(ScriptType.OSIS))
    during = [submit(store, operations, make_job) for _ in range(2)]
    low = submit(store, operations, make_job, priority="low")

    assert lane.claim() == []
    status = store.run(operations.admin.queue(ScriptType.OSIS))
    assert status.waiting == 5
    assert status.paused_since is not None
    lane.finish(running)
    assert store.run(operations.status(running.id)) is JobStatus.FINISHED, "running jobs go on"

    # A third-party producer knows nothing of the pause. Its job is served, after those that were held.
    foreign = store.run(operations.create(make_job()))
    store.run(Op(("HSET", operations.keys.job(foreign), "status", "dispatched"), int))
    store.run(Op(("RPUSH", operations.keys.work("osis"), foreign), int))
    assert store.run(operations.admin.resume(ScriptType.OSIS))
    assert not store.run(operations.admin.resume(ScriptType.OSIS))

    assert lane.work_off() == [*before[1:], *during, foreign, low]
    assert store.run(operations.admin.queue(ScriptType.OSIS)).paused_since is None


# Failure


def test_a_failed_run_is_repeated_and_a_success_clears_the_error(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    job_id = submit(store, operations, make_job, retries=2)
    (job,) = lane.claim()
    assert (job.retries, job.failures) == (2, 0)
    lane.fail(job, retry_in_s=0)
    assert store.run(operations.record(job_id)).error == "it broke"
    assert store.run(operations.status(job_id)) is JobStatus.SCHEDULED
    store.run(operations.admin.promote())
    (job,) = lane.claim()
    assert (job.retries, job.failures, job.attempt) == (2, 1, "2")
    lane.finish(job)

    record = store.run(operations.record(job_id))
    assert (record.status, record.output, record.error, record.failures) == (JobStatus.FINISHED, "42", None, 1)
    assert store.run(Op(("LLEN", operations.keys.reply(job_id)), int)) == 1


def test_dead_letters_are_listed_retried_and_purged(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    ids = [submit(store, operations, make_job) for _ in range(4)]
    for job in lane.claim():
        lane.fail(job)
    assert {d.job_id for d in store.run(operations.admin.dead())} == set(ids)
    assert len(store.run(operations.admin.dead(2, 1))) == 1

    store.run(operations.retry(ids[0]))
    assert lane.work_off() == [ids[0]]
    assert store.wait_reply(operations, ids[0], 5).result() == f"out of {ids[0]}"
    assert store.run(operations.admin.dead_count()) == 3
    with pytest.raises(JobStateError):
        store.run(operations.retry(ids[0]))

    assert store.drive(retry_dead(operations)) == 3
    assert store.run(operations.admin.dead_count()) == 0
    for job in lane.claim():
        lane.fail(job)
    assert store.drive(purge_dead(operations)) == 3
    with pytest.raises(JobNotFound):
        store.run(operations.status(ids[1]))
    assert store.run(operations.admin.dead_count()) == 0


def test_a_dead_letter_that_fails_again_immediately_is_retried_once_per_call(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    for _ in range(3):
        submit(store, operations, make_job)
    for job in lane.claim():
        lane.fail(job)
    flow = retry_dead(operations)
    results = None
    retried = 0
    try:
        while True:
            results = store.run_many(next(flow) if results is None else flow.send(results))
            for job in lane.claim():
                retried += 1
                lane.fail(job)
    except StopIteration as end:
        assert end.value == 3

    assert retried == 3
    assert store.run(operations.admin.dead_count()) == 3


# Stop


@pytest.mark.parametrize("state", ["created", "dispatched", "scheduled", "waiting"])
def test_a_job_that_has_not_started_is_stopped_immediately(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, state: str
) -> None:
    other = store.run(operations.create(make_job()))
    fields: dict[str, object] = {}
    if state == "scheduled":
        fields["delay"] = 3600
    if state == "waiting":
        fields["prerequisites"] = [other]
    job_id = store.run(operations.create(make_job(**fields), start=state != "created"))

    assert store.run(operations.stop(job_id)) is JobStatus.STOPPED

    with pytest.raises(JobFailed) as failed:
        store.wait_reply(operations, job_id, 5).result()
    assert failed.value.kind == "stopped"
    assert lane.claim() == []
    assert store.run(Op(("ZCARD", operations.keys.scheduled), int)) == 0


def test_a_running_job_is_marked_as_stopping_and_its_actor_gets_an_order(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    job_id = submit(store, operations, make_job)
    (job,) = lane.claim()

    assert store.run(operations.stop(job_id)) is JobStatus.STOPPING
    assert store.run(operations.stop(job_id)) is JobStatus.STOPPING

    # Each request sends an order, because the answer that brings the first one may be lost.
    for _ in range(2):
        assert store.run(lane.actor.orders(1)) == Order("stop", job_id, "1")
    assert store.run(lane.actor.asked_to_stop(job))
    lane.stop(job)
    assert store.run(operations.status(job_id)) is JobStatus.STOPPED


def test_a_stop_after_the_end_leaves_the_result_as_it_is(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    job_id = submit(store, operations, make_job)
    (job,) = lane.claim()
    store.run(operations.stop(job_id))
    lane.finish(job)

    assert store.run(operations.output(job_id)) == "42"
    assert store.run(operations.stop(job_id)) is JobStatus.FINISHED
    assert store.run(operations.output(job_id)) == "42"


def test_a_stopping_job_whose_holder_dies_is_stopped_and_does_not_run_again(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, recoveries: Recoveries
) -> None:
    job_id = submit(store, operations, make_job)
    lane.claim()
    store.run(operations.stop(job_id))
    store.run(recoveries.recover(lane.actor.entry.incarnation, proven_dead=True))

    assert store.run(operations.status(job_id)) is JobStatus.STOPPED
    assert store.run(operations.admin.queue_length(ScriptType.OSIS)) == 0


def test_a_stopping_job_that_fails_is_not_repeated(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    job_id = submit(store, operations, make_job, retries=5)
    (job,) = lane.claim()
    store.run(operations.stop(job_id))
    lane.fail(job, retry_in_s=0)

    assert store.run(operations.status(job_id)) is JobStatus.STOPPED


def test_a_third_party_client_can_stop_a_job_by_the_control_list_of_the_type(
    store: Store, operations: Operations, lane: Lane
) -> None:
    store.run(Op(("LPUSH", operations.keys.control_type("osis"), "some-job"), int))

    assert store.run(lane.actor.orders(1)) == Order("stop", "some-job")


def test_an_unknown_job_cannot_be_stopped(store: Store, operations: Operations) -> None:
    with pytest.raises(JobNotFound):
        store.run(operations.stop("ghost"))


# Logs


def test_a_jobs_log_and_progress_can_be_read_while_it_runs_and_later(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    job_id = submit(store, operations, make_job)
    (job,) = lane.claim()
    assert store.run(
        lane.actor.write_log(0, job, [("info", "one"), ("debug", "two")], Progress(done=1, total=4, text="x"))
    )

    first = store.run(operations.log(job_id))
    assert [(line.level, line.text) for line in first] == [("info", "one"), ("debug", "two")]
    assert store.run(operations.record(job_id)).progress == Progress(done=1, total=4, text="x")
    store.run(lane.actor.write_log(0, job, [("info", "three")]))
    assert [line.text for line in store.run(operations.log(job_id, first[-1].cursor))] == ["three"]

    lane.finish(job)
    assert len(store.run(operations.log(job_id))) == 3
    assert store.run(Op(("PTTL", operations.keys.log(job_id)), int)) > 0


def test_a_log_keeps_its_newest_lines_and_only_the_jobs_holder_writes_it(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    lane = Lane(store, make_actor(retention=Retention(log_lines=10)))
    job_id = submit(store, operations, make_job)
    (job,) = lane.claim()
    store.run(lane.actor.write_log(0, job, [("info", str(n)) for n in range(50)]))
    assert [line.text for line in store.run(operations.log(job_id))] == [str(n) for n in range(40, 50)]

    store.run(recoveries.recover(lane.actor.entry.incarnation, proven_dead=True))
    assert not store.run(lane.actor.write_log(0, job, [("info", "late")]))
    assert len(store.run(operations.log(job_id))) == 10


def test_a_log_is_read_a_thousand_lines_at_a_time_from_where_the_reader_is(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    lane = Lane(store, make_actor(retention=Retention(log_lines=2000)))
    job_id = submit(store, operations, make_job)
    (job,) = lane.claim()
    store.run(lane.actor.write_log(0, job, [("info", str(n)) for n in range(1001)]))

    first = store.run(operations.log(job_id))
    rest = store.run(operations.log(job_id, first[-1].cursor))

    assert [line.text for line in first] == [str(n) for n in range(1000)]
    assert [line.text for line in rest] == ["1000"]
