"""The operations of an actor: claim, settle, release, the fence, and presence."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from hero_job import JobFailed, JobNotFound, JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.model.retention import Retention
from hero_job.operations.actor_operations import ActorOperations, Settlement
from hero_job.operations.operations import Op, Operations
from tests.eventually import eventually
from tests.job.conftest import MakeActor, MakeJob
from tests.job.steps import claimed_ids, finished, submit_many
from tests.valkey_server import ValkeyServer


def test_jobs_are_claimed_in_the_order_of_submission(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    ids = submit_many(store, operations, make_job, 10)
    actor = make_actor()

    first = store.run(actor.turn(0, [], 4))
    second = store.run(actor.turn(0, finished(first.jobs), 10))

    assert [j.id for j in first.jobs + second.jobs] == ids
    assert claimed_ids(store, actor) == ids[4:]
    assert {store.run(operations.status(i)) for i in ids[:4]} == {JobStatus.FINISHED}
    assert {store.run(operations.status(i)) for i in ids[4:]} == {JobStatus.STARTED}


def test_a_blocked_lane_is_woken_by_a_submission_and_holds_the_id(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    actor = make_actor()
    taken: list[str | None] = []
    lane = threading.Thread(target=lambda: taken.append(store.run(actor.take(0))))
    lane.start()
    eventually(lambda: "blocked_clients:0" not in str(store.run(Op(("INFO", "clients"), str))))

    (job_id,) = submit_many(store, operations, make_job, 1)
    lane.join()

    assert taken == [job_id]
    assert claimed_ids(store, actor) == [job_id]
    assert [j.id for j in store.run(actor.turn(0, [], 1)).jobs] == [job_id]


def test_unblock_wakes_a_blocked_lane_with_nothing(store: Store, make_actor: MakeActor, valkey: ValkeyServer) -> None:
    actor = make_actor()
    with Store(valkey.url) as own:
        own.run(actor.beat(busy=0, jobs=0))
        taken: list[str | None] = []
        lane = threading.Thread(target=lambda: taken.append(own.run(actor.take(0))))
        lane.start()
        eventually(lambda: "blocked_clients:0" not in str(store.run(Op(("INFO", "clients"), str))))
        own.unblock()
        lane.join()

    assert taken == [None]


def test_instance_and_group_queues_come_before_the_type(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    (by_type,) = submit_many(store, operations, make_job, 1)
    (by_group,) = submit_many(store, operations, make_job, 1, group="io")
    (by_instance,) = submit_many(store, operations, make_job, 1, group="io", instance="7")
    (other,) = submit_many(store, operations, make_job, 1, group="io", instance="8")

    turn = store.run(make_actor(group="io", instance="7").turn(0, [], 10))

    assert [j.id for j in turn.jobs] == [by_instance, by_group, by_type]
    assert store.run(operations.status(other)) is JobStatus.DISPATCHED


def test_a_lost_answer_loses_nothing_and_runs_nothing_twice(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    ids = submit_many(store, operations, make_job, 3)
    actor = make_actor()
    lost = store.run(actor.turn(0, [], 2))

    again = store.run(actor.turn(0, [], 2))

    assert again.jobs == lost.jobs
    assert [j.id for j in again.jobs] == ids[:2]
    assert {j.attempt for j in again.jobs} == {"1"}


def test_a_settlement_sent_twice_counts_once_and_is_not_refused(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    (job_id,) = submit_many(store, operations, make_job, 1)
    actor = make_actor()
    settlements = finished(store.run(actor.turn(0, [], 1)).jobs)

    first = store.run(actor.turn(0, settlements, 1))
    second = store.run(actor.turn(0, settlements, 1))

    assert (first.refused, second.refused) == ([], [])
    assert store.run(Op(("LLEN", operations.keys.reply(job_id)), int)) == 1
    events = store.run(Op(("XRANGE", operations.keys.events, "-", "+"), list))
    assert [fields for _, fields in events] == [[job_id, s] for s in ("dispatched", "started", "finished")]


def test_a_settlement_sent_again_keeps_the_jobs_that_the_lost_answer_claimed(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    ids = submit_many(store, operations, make_job, 2)
    actor = make_actor()
    settlements = finished(store.run(actor.turn(0, [], 1)).jobs)
    store.run(actor.turn(0, settlements, 1))  # The answer, with the second job, is lost.

    again = store.run(actor.turn(0, settlements, 1))

    assert [j.id for j in again.jobs] == ids[1:]
    assert claimed_ids(store, actor) == ids[1:]


def test_a_turn_that_is_sent_while_the_lane_runs_jobs_settles_earlier_ones_and_claims_only_others(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    ids = submit_many(store, operations, make_job, 6)
    actor = make_actor()
    settled = finished(store.run(actor.turn(0, [], 2)).jobs)
    runs = store.run(actor.turn(0, [], 2, held=2)).jobs

    ahead = store.run(actor.turn(0, settled, 2, held=2))

    assert [j.id for j in runs] == ids[2:4]
    assert [j.id for j in ahead.jobs] == ids[4:]
    assert claimed_ids(store, actor) == ids[2:]


def test_a_turn_that_is_sent_while_the_lane_runs_jobs_finds_an_id_that_came_behind_them(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    ids = submit_many(store, operations, make_job, 3)
    actor = make_actor()
    store.run(actor.turn(0, [], 1))
    store.run(actor.take(0))  # the command of a connection that is gone, executed late

    ahead = store.run(actor.turn(0, [], 1, held=1))

    assert [j.id for j in ahead.jobs] == ids[1:2]
    assert claimed_ids(store, actor) == ids[:2]


def test_ids_are_cleared_from_a_claimed_list_in_any_order(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    ids = submit_many(store, operations, make_job, 5)
    actor = make_actor()
    a, _, c, _, e = finished(store.run(actor.turn(0, [], 5)).jobs)

    store.run(actor.turn(0, [a, e, c], 0))

    assert claimed_ids(store, actor) == [ids[1], ids[3]]


def test_a_failed_job_keeps_kind_message_and_position(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    (job_id,) = submit_many(store, operations, make_job, 1)
    actor = make_actor()
    (job,) = store.run(actor.turn(0, [], 1)).jobs
    failure = Settlement(
        job.id, job.attempt, JobStatus.ERROR, error="no such thing", error_kind="ErrorVariableNotFound",
        error_line=3, error_column=7,
    )  # fmt: skip
    store.run(actor.turn(0, [failure], 0))

    ways: list[Callable[[], str | None]] = [
        lambda: store.run(operations.output(job_id)),
        lambda: store.wait_reply(operations, job_id, 5).result(),
    ]
    for read in ways:
        with pytest.raises(JobFailed) as e:
            read()
        assert (e.value.kind, e.value.message, e.value.line, e.value.column) == (
            "ErrorVariableNotFound", "no such thing", 3, 7,
        )  # fmt: skip
    record = store.run(operations.record(job_id))
    assert (record.error_line, record.error_column, record.output) == (3, 7, None)


def test_ended_jobs_and_their_replies_expire(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    good, bad = submit_many(store, operations, make_job, 2)
    actor = make_actor(retention=Retention(reply_ttl_s=10, result_ttl_s=100, failure_ttl_s=1000))
    first, second = store.run(actor.turn(0, [], 2)).jobs
    store.run(actor.turn(0, [*finished([first]), Settlement(second.id, second.attempt, JobStatus.ERROR, error="e")], 0))

    def ttl_s(key: str) -> float:
        return store.run(Op(("PTTL", key), int)) / 1000

    assert 5 < ttl_s(operations.keys.reply(good)) <= 10
    assert 50 < ttl_s(operations.keys.job(good)) <= 100
    assert 500 < ttl_s(operations.keys.job(bad)) <= 1000


def test_released_jobs_go_back_to_the_head_in_order_and_do_not_count_as_attempts(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    ids = submit_many(store, operations, make_job, 5)
    slow, quick = make_actor(), make_actor()
    held = store.run(slow.turn(0, [], 4)).jobs

    assert store.run(slow.release(0, held[1:])) == 3

    taken = store.run(quick.turn(0, [], 10)).jobs
    assert [j.id for j in taken] == ids[1:]
    assert {store.run(operations.record(i)).attempt for i in ids[:4]} == {1}
    assert claimed_ids(store, slow) == ids[:1]
    assert store.run(slow.release(0, held[1:])) == 0, "another actor owns them now"


def test_an_id_queued_twice_runs_once(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    (job_id,) = submit_many(store, operations, make_job, 1)
    store.run(Op(("RPUSH", operations.keys.work("osis"), job_id), int))
    one, two = make_actor(), make_actor()

    held = store.run(one.turn(0, [], 1)).jobs
    assert store.run(two.turn(0, [], 1)).jobs == []
    store.run(Op(("RPUSH", operations.keys.work("osis"), job_id), int))
    store.run(one.turn(0, finished(held), 0))
    assert store.run(two.turn(0, [], 1)).jobs == []
    assert claimed_ids(store, two) == []


def test_a_job_whose_key_was_overwritten_ends_in_error_and_the_lane_goes_on(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    broken, good = submit_many(store, operations, make_job, 2)
    store.run(Op(("SET", operations.keys.job(broken), "gone"), str))

    turn = store.run(make_actor().turn(0, [], 10))

    assert [j.id for j in turn.jobs] == [good]
    with pytest.raises(JobFailed) as failed:
        store.run(operations.output(broken))
    assert failed.value.kind == "damaged"
    with pytest.raises(JobFailed):
        store.wait_reply(operations, broken, 5).result()


def test_the_registry_lists_an_actor_with_its_presence(
    store: Store, operations: Operations, make_actor: MakeActor
) -> None:
    actor = make_actor(ScriptType.SAL, lanes=4, group="io")
    store.run(actor.beat(busy=3, jobs=17))

    (shown,) = store.drive(operations.admin.actors())
    assert (shown.incarnation, shown.script_type, shown.lanes, shown.group) == (
        "sal-1",
        ScriptType.SAL,
        4,
        "io",
    )
    assert (shown.busy, shown.jobs) == (3, 17)
    assert shown.beat_at is not None


def test_jobs_of_a_third_party_producer_are_claimed_in_either_spelling(
    store: Store, operations: Operations, make_actor: MakeActor
) -> None:
    key = operations.keys.job("foreign")
    store.run(Op(("HSET", key, "callerId", "a", "contextId", "b", "scriptType", "osis", "script", "1",
                  "status", "Dispatched"), int))  # fmt: skip
    store.run(Op(("LPUSH", operations.keys.work("osis"), "foreign"), int))
    actor = make_actor()

    (job,) = store.run(actor.turn(0, [], 1)).jobs
    store.run(actor.turn(0, finished([job], "1"), 0))

    assert (job.caller_id, job.context_id, job.script_type) == ("a", "b", "osis")
    assert store.run(Op(("BLPOP", operations.keys.reply("foreign"), 1), lambda a: a))[1].startswith("{")
    assert store.run(Op(("HGET", key, "output"), str)) == "1"


def test_an_id_without_a_job_is_dropped(store: Store, operations: Operations, make_actor: MakeActor) -> None:
    store.run(Op(("RPUSH", operations.keys.work("osis"), "ghost"), int))
    actor = make_actor()

    assert store.run(actor.turn(0, [], 1)).jobs == []
    assert claimed_ids(store, actor) == []
    with pytest.raises(JobNotFound):
        store.run(operations.status("ghost"))


def test_an_id_queued_twice_runs_neither_in_two_lanes_of_an_actor_nor_twice_in_one_turn(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    (job_id,) = submit_many(store, operations, make_job, 1)
    for _ in range(3):
        store.run(Op(("RPUSH", operations.keys.work("osis"), job_id), int))
    actor = make_actor(lanes=2)

    assert [j.id for j in store.run(actor.turn(0, [], 2)).jobs] == [job_id]
    assert store.run(actor.turn(1, [], 2)).jobs == []
    assert claimed_ids(store, actor, 0) == [job_id]
    assert claimed_ids(store, actor, 1) == []


def test_a_queued_job_that_was_stopped_and_retried_runs_once(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    (job_id,) = submit_many(store, operations, make_job, 1)
    store.run(operations.stop(job_id))
    store.run(operations.retry(job_id))

    assert [j.id for j in store.run(make_actor().turn(0, [], 10)).jobs] == [job_id]


def test_a_claimed_job_that_is_stopped_before_it_starts_never_runs(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    ids = submit_many(store, operations, make_job, 3)
    actor = make_actor()
    held = store.run(actor.turn(0, [], 3)).jobs
    for job_id in ids[1:]:
        store.run(operations.stop(job_id))

    # The lane hands back the first; its next turn finds the second in its claimed list.
    store.run(actor.release(0, held[1:2]))
    assert store.run(operations.status(ids[1])) is JobStatus.STOPPED
    store.run(actor.turn(0, finished(held[:1]), 5))
    assert store.run(operations.status(ids[2])) is JobStatus.STOPPED
    assert claimed_ids(store, actor) == []


def test_the_queues_of_older_programs_are_served_only_on_request(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, namespace: str
) -> None:
    ids = [store.run(operations.create(make_job())) for _ in range(2)]
    for job_id in ids:
        store.run(Op(("HDEL", operations.keys.job(job_id), "extra"), int))  # as an older program creates it
    for job_id, key in zip(ids, (f"{namespace}:job:actor_queue:osis", f"{namespace}:work_queue:osis"), strict=True):
        store.run(Op(("LPUSH", key, job_id), int))
    actor = make_actor()

    assert store.run(actor.turn(0, [], 10)).jobs == []
    wider = ActorOperations(actor.entry, namespace, legacy_queues=True)
    assert [j.id for j in store.run(wider.turn(0, [], 10)).jobs] == ids
    assert wider.routed


def test_a_release_that_arrives_late_does_not_take_the_job_from_the_lane_that_claimed_it_again(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    submit_many(store, operations, make_job, 1)
    actor = make_actor()
    held = store.run(actor.turn(0, [], 1)).jobs
    late = actor.release(0, held)
    store.run(late)
    again = store.run(actor.turn(0, [], 1)).jobs

    assert store.run(late) == 0
    assert store.run(actor.turn(0, finished(again), 0)).refused == []
