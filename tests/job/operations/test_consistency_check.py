"""The consistency check: which jobs it reports, and which it leaves alone."""

from __future__ import annotations

import pytest

from hero_job import ScriptType, StoreRefused
from hero_job.client.store import Store
from hero_job.operations.consistency_check import Survey, Trouble, survey
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from tests.job.conftest import MakeActor, MakeJob
from tests.job.lane import Lane
from tests.job.steps import submit

LONG_AGO = "2020-01-01T00:00:00.000Z"


def command(store: Store, *args: str | int) -> None:
    store.run(Op(args, as_is))


def age(store: Store, operations: Operations, *job_ids: str) -> None:
    for job_id in job_ids:
        command(store, "HSET", operations.keys.job(job_id), "updated_at", LONG_AGO)


def found(done: Survey) -> dict[str, Trouble]:
    return {stray.job_id: stray.trouble for stray in done.strays}


def test_a_sound_deployment_has_no_strays(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    lane = Lane(store, make_actor())
    ended, running = (submit(store, operations, make_job) for _ in range(2))
    first, _ = lane.claim()
    lane.finish(first)
    queued = submit(store, operations, make_job)
    low = submit(store, operations, make_job, priority="low")
    grouped = submit(store, operations, make_job, group="g")
    held = submit(store, operations, make_job, script_type=ScriptType.SAL)
    store.run(operations.admin.pause(ScriptType.SAL))
    place = submit(store, operations, make_job, concurrency="k")
    in_line = submit(store, operations, make_job, concurrency="k")
    later = submit(store, operations, make_job, delay=3600)
    waiting = submit(store, operations, make_job, prerequisites=[queued])
    created = store.run(operations.create(make_job()))
    age(store, operations, ended, running, queued, low, grouped, held, place, in_line, later, waiting, created)

    done = store.drive(survey(operations))

    assert done.strays == ()
    assert (done.jobs, done.complete, done.late_s) == (11, True, 0)
    assert done.waiting == {
        "q:work:type:osis": 3, "q:work:type:osis:low": 1, "q:work:type:osis:group:g": 1,
        "q:work:type:sal:held": 1,
    }  # fmt: skip
    assert [actor.incarnation for actor in done.actors] == [lane.actor.entry.incarnation]


def test_each_stray_is_reported_with_its_trouble(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    lane = Lane(store, make_actor())
    orphan, late = submit(store, operations, make_job), submit(store, operations, make_job, timeout=1)
    lane.claim()
    lost, damaged, wrong = (submit(store, operations, make_job) for _ in range(3))
    command(store, "LREM", operations.keys.work("osis"), 1, lost)
    command(store, "LREM", operations.keys.work("osis"), 1, wrong)
    command(store, "RPUSH", operations.keys.work("sal"), wrong)
    command(store, "RPUSH", operations.keys.work("v"), "nobody")
    command(store, "HSET", operations.keys.job(damaged), "timeout", "soon")
    command(store, "HSET", operations.keys.job(orphan), "owner", "osis-9.elsewhere/0")
    command(store, "HSET", operations.keys.job(late), "started_at", LONG_AGO)
    age(store, operations, orphan, late, lost, damaged, wrong)

    done = store.drive(survey(operations))

    assert found(done) == {
        orphan: Trouble.DEAD_OWNER, late: Trouble.OVERDUE, lost: Trouble.IN_NO_QUEUE, damaged: Trouble.DAMAGED,
        wrong: Trouble.WRONG_QUEUE, "nobody": Trouble.NO_SUCH_JOB,
    }  # fmt: skip


def test_a_damaged_job_in_a_queue_hides_no_other_one(store: Store, operations: Operations) -> None:
    command(store, "SET", operations.keys.job("damaged"), "no hash")
    command(store, "RPUSH", operations.keys.work("osis"), "damaged", "nobody")

    done = store.drive(survey(operations))

    assert found(done) == {"damaged": Trouble.DAMAGED, "nobody": Trouble.NO_SUCH_JOB}


def test_a_job_that_has_just_moved_is_not_reported(store: Store, operations: Operations, make_job: MakeJob) -> None:
    on_its_way = submit(store, operations, make_job)
    command(store, "LREM", operations.keys.work("osis"), 1, on_its_way)

    assert store.drive(survey(operations)).strays == ()


def test_a_delayed_job_that_no_supervisor_queues_is_reported_as_late(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    job_id = submit(store, operations, make_job, delay=3600)
    command(store, "ZADD", operations.keys.scheduled, 1000, job_id)

    assert store.drive(survey(operations)).late_s > 3600


@pytest.mark.parametrize("most", [10, 25])
def test_a_check_that_stops_early_says_that_it_is_not_complete(
    store: Store, operations: Operations, make_job: MakeJob, most: int
) -> None:
    for _ in range(3000):
        store.run(operations.create(make_job()))

    done = store.drive(survey(operations, most))

    assert not done.complete
    assert most <= done.jobs < 3000


def test_a_job_with_foreign_names_of_fields_is_in_its_right_queue(
    store: Store, operations: Operations, make_actor: MakeActor
) -> None:
    make_actor()
    keys = operations.keys
    fields = ("callerId", "a", "contextId", "b", "script", "1", "scriptType", "osis", "status", "Dispatched")
    command(store, "HSET", keys.job("foreign"), *fields)
    command(store, "RPUSH", keys.work("osis"), "foreign")

    assert store.drive(survey(operations)).strays == ()


@pytest.mark.parametrize("key", ["scheduled", "dead", "actors"])
def test_a_check_whose_question_the_store_refuses_says_so(store: Store, operations: Operations, key: str) -> None:
    command(store, "SET", getattr(operations.keys, key), "neither a hash nor a sorted set")

    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        store.drive(survey(operations))
