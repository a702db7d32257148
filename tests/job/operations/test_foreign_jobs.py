"""What a hash of another program says counts as if the job had been created here, and an id means one life of a job."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import orjson
import pytest

from hero_actor.lanes.execute import timeout_of
from hero_job import JobStatus
from hero_job.client.store import Store
from hero_job.model.job import JOB_FIELDS
from hero_job.operations.actor_operations import ActorOperations, Settlement
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from tests.job.conftest import MakeActor, MakeJob
from tests.job.lane import Lane

_ids = itertools.count(1)


def put(store: Store, operations: Operations, *, queue: bool = True, **fields: Any) -> str:
    """Write a job as a plain Redis client does, and queue it."""
    job_id = f"foreign-{next(_ids)}"
    written: dict[str, Any] = {
        "id": job_id, "caller_id": "a", "context_id": "b", "script": "1", "script_type": "OSIS", "status": "dispatched",
        "timeout": 10, **fields,
    }  # fmt: skip
    flat = [part for name, value in written.items() if value is not None for part in (name, value)]
    store.run(Op(("HSET", operations.keys.job(job_id), *flat), as_is))
    if queue:
        store.run(Op(("RPUSH", operations.keys.work("osis"), job_id), as_is))
    return job_id


@pytest.mark.parametrize(
    "status",
    [
        *("created", "dispatched", "Dispatched", "pending", "PENDING", "", None, "waiting_for_prerequisites"),
        *("WaitingForPrerequisites", "started", "scheduled", "processing", "new", "null", "stopping", "\0", "x" * 300),
    ],
)
def test_a_queued_id_ends_with_a_reply_no_matter_which_status_it_has(
    store: Store, operations: Operations, lane: Lane, status: str | None
) -> None:
    job_id = put(store, operations, status=status)
    jobs = lane.claim()
    lane.finish(*jobs)
    ended = store.run(operations.status(job_id))
    assert ended is (JobStatus.STOPPED if status == "stopping" else JobStatus.FINISHED)
    assert store.run(operations.peek_reply(job_id, 0.001)) is not None


@pytest.mark.parametrize("order", ["dependent first", "prerequisite first"])
@pytest.mark.parametrize("named_at", ["prerequisite", "dependent", "both"])
@pytest.mark.parametrize("status", ["dispatched", "waiting_for_prerequisites", "created"])
def test_a_foreign_job_waits_for_its_prerequisites_and_gets_their_outputs(
    store: Store, operations: Operations, lane: Lane, order: str, named_at: str, status: str
) -> None:
    first = put(store, operations, queue=False)
    told = orjson.dumps([first]) if named_at != "prerequisite" else "[]"
    second = put(store, operations, queue=False, prerequisites=told, status=status)
    if named_at != "dependent":
        if named_at == "prerequisite" and status == "dispatched":
            return  # nothing at the second one says that it waits
        store.run(Op(("HSET", operations.keys.job(first), "dependents", orjson.dumps([second])), as_is))
    if named_at == "prerequisite" and (status == "created" or order == "dependent first"):
        return  # it may run before anybody has read the hash that names it
    for job_id in (second, first) if order == "dependent first" else (first, second):
        store.run(Op(("RPUSH", operations.keys.work("osis"), job_id), as_is))
    (job,) = lane.claim()
    assert job.id == first
    lane.finish(job, output="the output")
    (job,) = lane.claim()
    assert job.id == second
    assert job.prerequisites == {first: "the output"}
    lane.finish(job)
    assert lane.claim() == []


def test_options_of_a_foreign_hash_count(store: Store, operations: Operations, lane: Lane) -> None:
    retried = put(store, operations, retries=2)
    (job,) = lane.claim()
    assert (job.id, job.retries) == (retried, 2)
    lane.finish(job)
    put(store, operations, delay_s=1000)
    put(store, operations, not_before="2999-01-01T00:00:00+01:00")
    assert lane.claim() == []
    due = store.run(Op(("ZRANGE", operations.keys.scheduled, 1, 1, "WITHSCORES"), as_is))
    assert float(due[1]) == 32472140400000
    holder = put(store, operations, unique_key="k")
    other = put(store, operations, unique_key="k")
    (job,) = lane.claim()
    assert job.id == holder
    assert store.run(operations.record(other)).error_kind == "not_unique"
    lane.finish(job)
    assert [j.id for j in [*lane.claim()]] == []
    unknown = put(store, operations, prerequisites='["nobody"]')
    assert lane.claim() == []
    assert store.run(operations.record(unknown)).error_kind == "prerequisite_failed"


@pytest.mark.parametrize("nothing", ["", "null"])
def test_fields_that_are_written_as_not_set_count_as_not_set(
    store: Store, operations: Operations, lane: Lane, nothing: str
) -> None:
    names = ["unique_key", "rate_key", "concurrency_key", "delay_s", "expires_s", "batch", "retries", "log_path"]
    if nothing == "null":
        names += ["prerequisites", "dependents"]
    fields: dict[str, Any] = dict.fromkeys(names, nothing)
    job_id = put(store, operations, **fields)
    (job,) = lane.claim()
    assert (job.id, job.options) == (job_id, None)
    store.run(operations.record(job_id))


def test_a_job_without_a_script_type_has_that_of_its_queue(store: Store, operations: Operations, lane: Lane) -> None:
    job_id = put(store, operations, script_type=None)
    (job,) = lane.claim()
    assert (job.id, job.script_type) == (job_id, "osis")
    assert store.run(operations.record(job_id)).job.script_type.suffix == "osis"


FORMS: dict[str, dict[str, Any]] = {
    "camel": {"callerId": "c", "contextId": "X", "scriptType": "OSIS", "caller_id": None, "context_id": None},
    "no status": {"context_id": "X", "status": None},
    "capital": {"context_id": "X", "status": "Dispatched"},
    "created": {"context_id": "X", "status": "created"},
    "pending": {"context_id": "X", "status": "Pending"},
}


@pytest.mark.parametrize("form", FORMS)
def test_foreign_jobs_of_one_context_run_one_after_another(
    store: Store, operations: Operations, make_actor: MakeActor, namespace: str, form: str
) -> None:
    first, second = (put(store, operations, **FORMS[form]) for _ in range(2))
    lane = Lane(store, ActorOperations(make_actor().entry, namespace, by_context=True))
    (job,) = lane.claim()
    assert job.id == first
    lane.finish(job)
    assert lane.claim_ids() == [second]


def test_an_id_left_in_a_queue_does_not_start_a_new_job_of_that_id(
    store: Store, operations: Operations, lane: Lane, make_job: MakeJob
) -> None:
    job = make_job(id="X")
    store.run(operations.create(job, start=True))
    store.run(operations.delete("X"))
    store.run(operations.create(job))
    assert lane.claim() == []
    assert store.run(operations.status("X")) is JobStatus.CREATED
    store.run(operations.start("X"))
    assert lane.claim_ids() == ["X"]


def test_a_new_job_of_an_id_is_not_released_by_a_prerequisite_of_the_old_one(
    store: Store, operations: Operations, lane: Lane, make_job: MakeJob
) -> None:
    for name in ("P", "Q"):
        store.run(operations.create(make_job(id=name)))
    store.run(operations.create(make_job(id="D", prerequisites=["P"]), start=True))
    store.run(operations.stop("D"))
    store.run(operations.delete("D"))
    store.run(operations.create(make_job(id="D", prerequisites=["Q"]), start=True))
    store.run(operations.start("P"))
    lane.finish(*lane.claim())
    assert store.run(operations.status("D")) is JobStatus.WAITING_FOR_PREREQUISITES


def test_reply_and_log_of_a_former_job_are_not_those_of_the_new_one(
    store: Store, operations: Operations, lane: Lane, make_job: MakeJob
) -> None:
    store.run(operations.create(make_job(id="X"), start=True))
    (claimed,) = lane.claim()
    store.run(lane.actor.write_log(0, claimed, [("info", "old")]))
    lane.finish(claimed, output="old")
    store.run(Op(("DEL", operations.keys.job("X")), as_is))  # as if it had expired before its reply
    for start in (False, True):
        store.run(operations.create(make_job(id="X"), start=start))
        assert store.run(operations.peek_reply("X", 0.001)) is None
        assert store.run(operations.log("X")) == []
        store.run(Op(("DEL", operations.keys.job("X")), as_is))


def test_creating_a_job_again_is_harmless_after_it_ran_by_context_or_was_retried(
    store: Store, operations: Operations, make_actor: MakeActor, make_job: MakeJob, namespace: str
) -> None:
    lane = Lane(store, ActorOperations(make_actor().entry, namespace, by_context=True))
    plain, timed = make_job(id="plain"), make_job(id="timed", not_before="2020-01-01T00:00:00Z")
    for job in (plain, timed):
        store.run(operations.create(job, start=True))
        (claimed,) = lane.claim()
        lane.fail(claimed)
        assert store.run(operations.create(job, start=True)) == job.id
        store.run(operations.retry(job.id))
        assert store.run(operations.create(job, start=True)) == job.id
        (claimed,) = lane.claim()
        lane.finish(claimed)


def test_an_expiry_ends_a_job_only_before_it_has_begun(
    store: Store, operations: Operations, lane: Lane, make_job: MakeJob
) -> None:
    job_id = store.run(operations.create(make_job(expires=1000, retries=3), start=True))
    (claimed,) = lane.claim()
    store.run(Op(("HSET", operations.keys.job(job_id), "expires_ms", 1), as_is))
    failed = Settlement(job_id, claimed.attempt, JobStatus.ERROR, error="e", error_kind="k", retry_in_s=0)
    store.run(lane.actor.turn(0, [failed], 0))
    store.run(operations.admin.promote())
    assert [j.id for j in store.run(lane.actor.turn(0, [], 10)).jobs] == [job_id]


@pytest.mark.parametrize("timeout", ["10", "10.0", '{"secs":10,"nanos":0}', '{"secs": 9, "nanos": 1000000000}'])
def test_a_timeout_is_read_in_the_forms_that_serde_writes(
    store: Store, operations: Operations, lane: Lane, timeout: str
) -> None:
    job_id = put(store, operations, timeout=timeout)
    (job,) = lane.claim()
    assert timeout_of(job) == 10
    assert store.run(operations.record(job_id)).job.timeout == 10


def test_null_means_a_field_that_is_not_set(
    store: Store, operations: Operations, lane: Lane, make_job: MakeJob
) -> None:
    optional = [field.name for field in JOB_FIELDS if not field.required and field.name != "id"]
    fields: dict[str, Any] = dict.fromkeys(optional, "null")
    job_id = put(store, operations, **fields)
    plain = put(store, operations, timeout=None)
    for claimed in (0, 2):
        found, expected = (store.run(operations.record(i)).job for i in (job_id, plain))
        assert dataclasses.replace(found, id=plain) == expected
        assert len(lane.claim()) == 2 - claimed
    ours = make_job(id="ours", group="null", unique="null")
    store.run(operations.create(ours))
    assert store.run(operations.record("ours")).job == ours
