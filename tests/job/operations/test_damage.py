"""Every script contains the damage of one record: its neighbours are served, and the record itself can be got rid of.

A generator damages each field of a job in each way, puts other types under each key that belongs to a job, and damages
the records of actors, schedules, batches and tokens; every script then meets the result.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson
import pytest

from hero_job import HeroJobError, Job, JobStatus, StoreRefused
from hero_job.client.store import Store
from hero_job.model.job import JOB_FIELDS
from hero_job.operations.actor_operations import ActorOperations, Recoveries, Settlement
from hero_job.operations.credentials import Credentials
from hero_job.operations.damaged_records import damaged_records, delete_damaged
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Schedule, Schedules
from hero_job.operations.values import Values
from hero_job.protocol.keys import KeyPart
from hero_job.protocol.op import Op, as_is
from tests.job.conftest import MakeActor, MakeJob

MISSING: Final = None
DAMAGES: Final[dict[str, str | bytes | None]] = {
    "missing": MISSING,
    "empty": "",
    "a word": "x",
    "null": "null",
    "negative": "-1",
    "zero": "0",
    "a fraction": "0.5",
    "not a number": "nan",
    "infinite": "1e999",
    "NUL": "\0",
    "not UTF-8": b"\xff\xfe",
    "huge": "9" * 5000,
    "cut JSON": '["a"',
    "an array of numbers": "[1, 2]",
    "nested": '[["a"], {"b": 1}]',
    "an object": '{"a": 1}',
    "a text": '"a"',
}
ODD_VALUES: Final[tuple[Any, ...]] = (None, "", "x", 7, -1, 1e300, [], {"a": 1}, "\0")
RUNTIME_FIELDS: Final = (
    "status", "owner", "attempt", "released", "failures", "redeliveries", "pending", "prerequisites_added",
    "prerequisite_failed", "expires_ms", "due_ms", "extra", "created_at", "updated_at", "started_at", "progress",
)  # fmt: skip
FIELDS: Final = sorted({field.name for field in JOB_FIELDS} | set(RUNTIME_FIELDS))
STATES: Final = ("dispatched", "scheduled", "waiting_for_prerequisites", "created", "started", "stopping", "error")


class Stage:
    """A namespace with one damaged job between good ones, and an actor that has claimed nothing yet."""

    def __init__(self, store: Store, operations: Operations, make_job: MakeJob, actor: ActorOperations) -> None:
        self.store = store
        self.operations = operations
        self.make_job = make_job
        self.actor = actor
        self.n = 0

    def tell(self, *command: Any) -> Any:
        return self.store.run(Op(command, as_is))

    def attempt(self, op: Op[Any]) -> Any:
        """Run an operation that may be refused for what the record says, but must not make its script fail."""
        try:
            return self.store.run(op)
        except StoreRefused:
            raise
        except HeroJobError as e:
            return e

    def add_good(self, **fields: object) -> str:
        return self.store.run(self.operations.create(self.make_job(**fields), start=True))

    def add_full(self) -> str:
        """Add a job that uses every option, in the state after its start."""
        first = self.add_good()
        for claimed in self.store.run(self.actor.turn(0, [], 1)).jobs:
            self.store.run(self.actor.turn(0, [Settlement(claimed.id, claimed.attempt, JobStatus.FINISHED, "1")], 0))
        self.n += 1
        self.store.run(self.operations.open_batch(f"batch-{self.n}", 1))
        options = {
            "prerequisites": [first], "retries": 3, "unique_key": f"u{self.n}", "concurrency_key": "c",
            "concurrency_max": 100_000, "rate_key": "r", "rate_max": 1_000_000, "rate_window_s": 1,
            "batch": f"batch-{self.n}", "expires_s": 1000, "priority": "high",
        }  # fmt: skip
        job = Job.from_fields({"caller_id": "a", "context_id": "b", "script": "1", "script_type": "osis", **options})
        return self.store.run(self.operations.create(job, start=True))

    def meet_every_script(self, job_id: str, recoveries: Recoveries, make_actor: MakeActor) -> None:
        """Let every script that may read the job do so, and see that good jobs are served meanwhile."""
        ops, actor = self.operations, self.actor
        self.attempt(ops.start(job_id))
        self.attempt(ops.create(dataclasses.replace(self.make_job(), prerequisites=(job_id,)), start=True))
        self.attempt(ops.create(dataclasses.replace(self.make_job(), dependents=(job_id,))))
        self.store.run(ops.admin.promote())
        self.tell("RPUSH", ops.keys.work("osis"), job_id)
        behind = self.add_good()
        self.store.run(ops.admin.queue_head(self.make_job().script_type))
        turn = self.store.run(actor.turn(0, [], 100))
        assert behind in [job.id for job in turn.jobs]
        for job in turn.jobs[:1]:
            self.attempt(actor.write_log(0, job, [("info", "line")]))
        failed = [
            Settlement(j.id, j.attempt, JobStatus.ERROR, error="e", error_kind="k", retry_in_s=0) for j in turn.jobs
        ]
        self.store.run(actor.turn(0, failed, 0))
        self.store.run(ops.admin.promote())
        again = self.store.run(actor.turn(0, [], 100)).jobs
        assert behind in [job.id for job in again]
        self.store.run(actor.release(0, again))
        dying = make_actor()
        assert behind in [job.id for job in self.store.run(dying.turn(0, [], 100)).jobs]
        assert behind in self.store.run(recoveries.recover(dying.entry.incarnation, proven_dead=True)).handed_back
        self.store.run(ops.admin.purge(self.make_job().script_type))
        assert self.store.run(ops.status(behind)) is JobStatus.STOPPED
        self.store.run(ops.admin.page())
        for op in (ops.record(job_id), ops.status(job_id), ops.outcome(job_id), ops.log(job_id), ops.stop(job_id)):
            self.attempt(op)
        self.attempt(ops.retry(job_id))
        self.attempt(ops.stop(job_id))
        gone = self.attempt(ops.delete(job_id))
        if isinstance(gone, HeroJobError):
            # It seems to run: only an actor or its recovery ends it.
            assert self.tell("HGET", ops.keys.job(job_id), "status") in ("started", "stopping", None)


@pytest.fixture
def stage(store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor) -> Stage:
    return Stage(store, operations, make_job, make_actor())


@pytest.mark.parametrize("field", FIELDS)
def test_a_job_with_one_damaged_field_stops_nothing_else(
    stage: Stage, field: str, recoveries: Recoveries, make_actor: MakeActor
) -> None:
    for value in DAMAGES.values():
        job_id = stage.add_full()
        key = stage.operations.keys.job(job_id)
        stage.tell("HDEL", key, field) if value is None else stage.tell("HSET", key, field, value)
        stage.meet_every_script(job_id, recoveries, make_actor)


@pytest.mark.parametrize("state", STATES)
def test_a_damaged_job_stops_nothing_else_in_any_state(
    stage: Stage, state: str, recoveries: Recoveries, make_actor: MakeActor
) -> None:
    for field in ("prerequisites", "pending", "expires_ms", "rate_max", "failures", "attempt", "script_type", "batch"):
        for value in ("", "x", "[1", b"\xff"):
            job_id = stage.add_full()
            stage.tell("HSET", stage.operations.keys.job(job_id), "status", state, field, value)
            if state == "scheduled":
                stage.tell("ZADD", stage.operations.keys.scheduled, 1, job_id)
            stage.meet_every_script(job_id, recoveries, make_actor)


def other_types(stage: Stage, key: str) -> Iterator[None]:
    for command in (("SET", key, "x"), ("RPUSH", key, "x"), ("SADD", key, "x"), ("HSET", key, "x", "y")):
        stage.tell("DEL", key)
        stage.tell(*command)
        yield


@pytest.mark.parametrize(
    "key_of",
    [
        lambda keys, i, n: keys.job(i),
        lambda keys, i, n: keys.reply(i),
        lambda keys, i, n: keys.log(i),
        lambda keys, i, n: keys.batch(f"batch-{n}"),
        lambda keys, i, n: keys.batch_reply(f"batch-{n}"),
        lambda keys, i, n: keys.prefix + KeyPart.DEPENDENTS + i,
        lambda keys, i, n: f"{keys.prefix}{KeyPart.UNIQUE}u{n}",
        lambda keys, i, n: f"{keys.prefix}{KeyPart.LIMIT_RUNNING}c",
        lambda keys, i, n: f"{keys.prefix}{KeyPart.LIMIT_WAITING}c",
        lambda keys, i, n: f"{keys.prefix}{KeyPart.LIMIT_RATE}r",
    ],
    ids=["job", "reply", "log", "batch", "batch_reply", "dependents", "unique", "running", "waiting", "rate"],
)
def test_another_type_under_a_key_of_a_job_stops_nothing_else(
    stage: Stage, key_of: Callable[[Any, str, int], str], recoveries: Recoveries, make_actor: MakeActor
) -> None:
    keys = stage.operations.keys
    for what in range(4):
        job_id = stage.add_full()
        variants = other_types(stage, key_of(keys, job_id, stage.n))
        for _ in range(what + 1):
            next(variants)
        stage.meet_every_script(job_id, recoveries, make_actor)


@pytest.mark.parametrize("field", ["name", "suffix", "host", "pid", "lanes", "engine", "engine_version", "group", ""])
def test_a_damaged_entry_of_the_registry_hides_no_other_and_its_jobs_are_recovered(
    stage: Stage, field: str, recoveries: Recoveries, make_actor: MakeActor
) -> None:
    store, ops = stage.store, stage.operations
    for value in ODD_VALUES:
        dying = make_actor()
        name = dying.entry.incarnation
        held = stage.add_good()
        store.run(dying.turn(0, [], 1))
        entry = orjson.loads(stage.tell("HGET", ops.keys.actors, name))
        entry[field] = value
        stage.tell("HSET", ops.keys.actors, name, orjson.dumps(entry if field else value))
        damaged = {record.name for record in store.drive(damaged_records(ops))}
        assert stage.actor.entry.incarnation in {actor.incarnation for actor in store.drive(ops.admin.actors())}
        assert stage.actor.entry.incarnation not in damaged
        recovered = store.run(recoveries.recover(name, proven_dead=True))
        if recovered.handed_back:
            assert recovered.handed_back == [held]
            assert [job.id for job in store.run(stage.actor.turn(0, [], 1)).jobs] == [held]
        store.run(recoveries.recover(name, proven_dead=False))
        store.run(stage.actor.turn(0, [Settlement(held, "2", JobStatus.FINISHED, "1")], 0))


@pytest.mark.parametrize("damage", ["type", "fields"])
def test_an_actor_whose_presence_was_damaged_beats_on_and_is_missed_when_it_is_gone(
    stage: Stage, recoveries: Recoveries, make_actor: MakeActor, damage: str
) -> None:
    actor = make_actor()
    key = stage.operations.keys.actor(actor.entry.incarnation)
    if damage == "type":
        stage.tell("SET", key, "x")
    else:
        stage.tell("HSET", key, "busy", "x", "jobs", b"\xff")
    assert stage.actor.entry.incarnation in {a.incarnation for a in stage.store.drive(stage.operations.admin.actors())}
    assert stage.store.run(actor.beat(busy=0, jobs=1))
    assert actor.entry.incarnation in {a.incarnation for a in stage.store.drive(stage.operations.admin.actors())}
    stage.tell("SET", key, "x")
    assert actor.entry.incarnation in stage.store.drive(recoveries.expired())[1]


SCHEDULE: Final[dict[str, Any]] = {
    "name": "bad",
    "job": {"caller_id": "a", "context_id": "b", "script": "1", "script_type": "osis"},
    "cron": None,
    "interval_s": 60,
    "tz": "UTC",
    "overlap": "skip",
    "missed": "once",
}


def test_a_damaged_schedule_hides_no_other_and_is_named_and_deleted(stage: Stage, namespace: str) -> None:
    store, ops, schedules = stage.store, stage.operations, Schedules(namespace)
    store.run(schedules.put(Schedule(name="good", job=SCHEDULE["job"], interval_s=60), 2))
    texts: list[str | bytes] = ["", "x", "[]", "null", "7", b"\xff", "\0", "9" * 5000]
    for name in SCHEDULE:
        texts += [orjson.dumps({**SCHEDULE, name: value}) for value in ODD_VALUES]
    texts.append(orjson.dumps({**SCHEDULE, "of_a_newer_version": 1}))
    for text in texts:
        stage.tell("HSET", ops.keys.schedules, "bad", text)
        stage.tell("ZADD", ops.keys.ticks, 1, "bad")
        due = store.run(schedules.due())
        assert "good" in [found.schedule.name for found in due.schedules]
        assert "good" in [schedule.name for schedule in store.run(schedules.list())]
        damaged = store.drive(damaged_records(ops))
        if damaged:
            assert [(record.kind, record.name) for record in damaged] == [("schedule", "bad")]
            assert [record.name for record in due.damaged] == ["bad"]
            assert store.drive(delete_damaged(ops, damaged)) == damaged
        else:
            assert "bad" in [schedule.name for schedule in store.run(schedules.list())]
    assert [schedule.name for schedule in store.run(schedules.list())] == ["good"]


def test_damaged_batches_and_tokens_are_named_and_deleted(stage: Stage, namespace: str) -> None:
    store, ops = stage.store, stage.operations
    store.run(ops.open_batch("good", 1))
    for value in ("", "x", "1.5", b"\xff", "nan", "9" * 400, "-1" + "0" * 20):
        stage.tell("HSET", ops.keys.batch("bad"), "open", value)
        stage.tell("HSET", ops.keys.tokens, "bad", value)
        found = store.drive(damaged_records(ops))
        assert {(record.kind, record.name) for record in found} == {("batch", "bad"), ("token", "bad")}
        assert store.drive(delete_damaged(ops, found)) == found
        assert store.drive(damaged_records(ops)) == []
    assert store.run(ops.batch("good")) is not None
    assert store.run(Credentials(namespace).tokens()).damaged == []


def test_a_context_whose_size_was_damaged_is_counted_again(stage: Stage, namespace: str) -> None:
    values = Values(namespace)
    stage.store.run(values.set("context", "a", "1"))
    for size in DAMAGES.values():
        if size is not None:
            stage.tell("HSET", stage.operations.keys.values("context"), "", size)
            stage.store.run(values.set("context", "a", "2"))
