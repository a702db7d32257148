"""What a running script may ask of the store: its own jobs alone, waits that end in time, and values of its context."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest

from hero_actor.lanes import script_access
from hero_actor.lanes.script_access import ScriptAccess
from hero_engine.engine import Asker
from hero_engine.errors import AccessRefused
from hero_job import JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.model.claim_types import ActorEntry, Settlement
from hero_job.model.job import JOB_FIELDS, Priority
from hero_job.model.retention import DEFAULT_RETENTION
from hero_job.operations.actor_operations import ActorOperations
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.actor.process import make_job


class Running(Exception):
    """The job must end."""


class ScriptInTest:
    """A running job that asks the store."""

    def __init__(self, store: Store, namespace: str, **options: Any) -> None:
        self.store, self.operations = store, Operations(namespace)
        self.access = ScriptAccess(store, namespace, DEFAULT_RETENTION, **options)
        self.asker = Asker(
            job_id="me", caller_id="caller-1", context_id="context-1", deadline_mono=time.monotonic() + 3600
        )

    def ask(self, method: str, **params: Any) -> Any:
        return self.access.call(self.asker, method, params)

    def create(self, *, start: bool = False, **fields: Any) -> str:
        job_id = self.ask("job.create", start=start, fields={"script": "1", "script_type": "osis", **fields})
        assert isinstance(job_id, str)
        return job_id

    def foreign(self) -> str:
        """A job of another caller in the same context, which the script must not see."""
        job = dataclasses.replace(make_job("1", "osis"), caller_id="somebody-else")
        return self.store.run(self.operations.create(job))

    def status(self, job_id: str) -> JobStatus:
        return self.store.run(self.operations.status(job_id))


@pytest.fixture
def script(store: Store, namespace: str) -> ScriptInTest:
    return ScriptInTest(store, namespace)


@pytest.fixture
def actor(store: Store, namespace: str) -> ActorOperations:
    """An actor for what the script creates; the test is its lane."""
    entry = ActorEntry(
        incarnation="osis-1.h.1", name="osis-1", script_type=ScriptType.OSIS, host="h", pid=1, lanes=1, engine="test",
        engine_version="1",
    )  # fmt: skip
    actor = ActorOperations(entry, namespace)
    assert store.run(actor.join())
    return actor


def finish(store: Store, actor: ActorOperations, count: int = 1) -> None:
    jobs = store.run(actor.turn(0, [], count)).jobs
    assert len(jobs) == count
    done = [Settlement(job.id, job.attempt, JobStatus.FINISHED, f"out of {job.id}") for job in jobs]
    assert store.run(actor.turn(0, done, 0)).refused == []


def test_a_script_chooses_what_describes_its_job_and_neither_owner_nor_signatures(script: ScriptInTest) -> None:
    options = script.ask("job.options")

    assert set(options) == {field.name for field in JOB_FIELDS if field.for_scripts}
    assert options["priority"] == [one.value for one in Priority]
    assert (options["script"], options["timeout"], options["retries"]) == ("text", "number", "whole")
    assert (options["prerequisites"], options["env_vars"]) == ("texts", "mapping")
    for name in ("caller_id", "context_id", "signatures", "batch", "no_such_field"):
        with pytest.raises(AccessRefused, match=f"'{name}': cannot be chosen by a script"):
            script.ask("job.create", start=False, fields={"script": "1", "script_type": "osis", name: "x"})


@pytest.mark.parametrize("start", [False, True])
def test_a_new_job_belongs_to_the_owner_of_the_script_and_starts_if_it_says_so(
    script: ScriptInTest, *, start: bool
) -> None:
    job_id = script.create(start=start, retries=2)

    record = script.store.run(script.operations.record(job_id))
    assert (record.job.caller_id, record.job.context_id, record.job.retries) == ("caller-1", "context-1", 2)
    assert record.status is (JobStatus.DISPATCHED if start else JobStatus.CREATED)
    if not start:
        script.ask("job.start", id=job_id)
        assert script.status(job_id) is JobStatus.DISPATCHED


def test_many_jobs_may_name_each_other_in_any_order(script: ScriptInTest) -> None:
    plain = {"script": "1", "script_type": "osis"}
    jobs = [{**plain, "id": "b", "prerequisites": ["a"]}, {**plain, "id": "a"}]

    assert script.ask("job.create_many", jobs=jobs, start=True) == ["b", "a"]

    assert script.status("a") is JobStatus.DISPATCHED
    assert script.status("b") is JobStatus.WAITING_FOR_PREREQUISITES


def test_more_jobs_than_allowed_are_refused_together(script: ScriptInTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script_access, "MAX_JOBS", 2)
    jobs = [{"script": "1", "script_type": "osis", "id": name} for name in "abc"]

    with pytest.raises(AccessRefused, match="are 3; 2 can be created together"):
        script.ask("job.create_many", jobs=jobs, start=False)
    assert script.ask("job.list", status="", count=10) == []
    assert script.ask("job.create_many", jobs=jobs[:2], start=False) == ["a", "b"]
    with pytest.raises(AccessRefused, match="are 3; 2 can be waited for together"):
        script.ask("job.wait_many", ids=["a", "b", "a"], wait_s=0)


@pytest.mark.parametrize("method", ["get", "status", "start", "stop", "retry", "delete", "log", "wait"])
def test_the_job_of_somebody_else_does_not_exist(script: ScriptInTest, method: str) -> None:
    foreign = script.foreign()

    for job_id in (foreign, "no-such-job"):
        with pytest.raises(AccessRefused, match=job_id):
            script.ask(f"job.{method}", id=job_id, wait_s=0)

    assert script.status(foreign) is JobStatus.CREATED
    assert script.ask("job.list", status="", count=10) == []


def test_a_script_reads_stops_retries_and_deletes_its_own_job(script: ScriptInTest, actor: ActorOperations) -> None:
    job_id = script.create(start=True, timeout=7)
    finish(script.store, actor)

    found = script.ask("job.get", id=job_id)
    assert (found["id"], found["status"], found["output"]) == (job_id, "finished", f"out of {job_id}")
    assert (found["script"], found["timeout"], found["attempt"], found["error"]) == ("1", 7, 1, None)
    other = script.create(start=True)
    assert script.ask("job.stop", id=other) == "stopped"
    assert script.ask("job.status", id=other) == "stopped"
    script.ask("job.retry", id=other)
    assert script.status(other) is JobStatus.DISPATCHED
    script.ask("job.delete", id=job_id)
    with pytest.raises(AccessRefused, match=job_id):
        script.ask("job.status", id=job_id)


def test_the_list_has_the_own_jobs_of_a_status_the_oldest_first_and_no_more_than_asked(script: ScriptInTest) -> None:
    created = [script.create() for _ in range(3)]
    started = script.create(start=True)
    script.foreign()
    by_age = sorted(created, key=lambda job_id: (script.store.run(script.operations.record(job_id)).created_at, job_id))

    assert [job["id"] for job in script.ask("job.list", status="created", count=10)] == by_age
    assert [job["id"] for job in script.ask("job.list", status="dispatched", count=10)] == [started]
    assert len(script.ask("job.list", status="", count=10)) == 4
    assert len(script.ask("job.list", status="", count=2)) == 2
    with pytest.raises(AccessRefused, match=r"'status': must be one of .*, not 'done'"):
        script.ask("job.list", status="done", count=1)


def test_a_wait_brings_how_each_job_has_ended_in_the_given_order(script: ScriptInTest, actor: ActorOperations) -> None:
    first, second, third = (script.create(start=True) for _ in range(3))
    finish(script.store, actor, 2)

    ended, same, still_open = script.ask("job.wait_many", ids=[second, first, third], wait_s=0.05)

    assert [one["output"] for one in (ended, same)] == [f"out of {second}", f"out of {first}"]
    assert ended["ended"] is True
    assert still_open == {"status": "dispatched", "ended": False, "script_type": "OSIS"}
    finish(script.store, actor)
    assert script.ask("job.wait", id=third, wait_s=3600)["output"] == f"out of {third}"


def test_a_wait_ends_when_its_job_must_end(store: Store, namespace: str) -> None:
    script = ScriptInTest(store, namespace)
    job_id = script.create(start=True)

    def check() -> None:
        raise Running

    script.asker = dataclasses.replace(script.asker, check=check)
    with pytest.raises(Running):
        script.ask("job.wait", id=job_id, wait_s=3600)


def test_a_wait_is_not_longer_than_its_job_may_run(script: ScriptInTest) -> None:
    job_id = script.create(start=True)
    script.asker = dataclasses.replace(script.asker, deadline_mono=time.monotonic() + 0.05, check=lambda: None)

    assert script.ask("job.wait", id=job_id, wait_s=3600)["ended"] is False


def test_a_job_does_not_wait_for_itself_nor_for_one_that_its_actor_runs_after_it(store: Store, namespace: str) -> None:
    script = ScriptInTest(store, namespace, by_context=ScriptType.OSIS)
    later, apart = script.create(start=True), script.create(start=True, concurrency_key="k")
    elsewhere = script.create(start=True, script_type="sal")
    script.create(id="me", start=True)

    with pytest.raises(AccessRefused, match="a job cannot wait for itself"):
        script.ask("job.wait", id="me", wait_s=1)
    with pytest.raises(AccessRefused, match="runs only after this one"):
        script.ask("job.wait", id=later, wait_s=1)
    for job_id in (apart, elsewhere):
        assert script.ask("job.wait", id=job_id, wait_s=0.01)["ended"] is False
    assert script.ask("job.wait", id=later, wait_s=0)["ended"] is False, "it does not wait"


def test_outputs_that_are_too_large_together_are_refused(
    script: ScriptInTest, actor: ActorOperations, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = script.create(start=True, id="a"), script.create(start=True, id="b")
    finish(script.store, actor, 2)
    monkeypatch.setattr(script_access, "MAX_OUTPUT_CHARS", len("out of a") + len("out of b"))
    assert len(script.ask("job.wait_many", ids=[first, second], wait_s=0)) == 2
    monkeypatch.setattr(script_access, "MAX_OUTPUT_CHARS", len("out of a") + len("out of b") - 1)

    with pytest.raises(AccessRefused, match="wait for fewer together"):
        script.ask("job.wait_many", ids=[first, second], wait_s=0)


def test_values_belong_to_the_context_of_the_script(script: ScriptInTest) -> None:
    assert script.ask("store.set", key="k", value="v") is True
    assert script.ask("store.set", key="k", value="w", only_new=True) is False
    assert script.ask("store.get", key="k") == "v"
    assert script.ask("store.compare_and_set", key="k", expected="x", value="w") is False
    assert script.ask("store.compare_and_set", key="k", expected="v", value="w", kept_s=3600) is True
    assert script.ask("store.add", key="n", by=2) == 2
    assert script.ask("store.add", key="n", by="3") == 5
    assert script.ask("store.list", prefix="") == ["k", "n"]
    assert script.ask("store.expire", key="n", kept_s=3600) is True

    mine, script.asker = script.asker, dataclasses.replace(script.asker, context_id="another")
    assert script.ask("store.get", key="k") is None
    assert script.ask("store.list", prefix="") == []
    script.asker = mine
    assert script.ask("store.delete", key="k") is True
    assert script.ask("store.get", key="k") is None


def test_what_a_script_asks_wrongly_is_refused_and_says_what_is_wrong(script: ScriptInTest) -> None:
    for method, params, says in (
        ("job.dance", {}, "unknown method job.dance"),
        ("osis.get", {}, "unknown method osis.get"),
        ("job.get", {}, "job.get: invalid params: 'id' is missing"),
        ("job.create_many", {"jobs": 7, "start": True}, "invalid params: one has another type"),
        ("job.create", {"start": True, "fields": {"script": ""}}, "script"),
    ):
        with pytest.raises(AccessRefused, match=says):
            script.ask(method, **params)


def test_only_an_actor_with_objects_offers_them(store: Store, namespace: str) -> None:
    script = ScriptInTest(store, namespace, max_object_bytes=1000)

    with pytest.raises(AccessRefused, match="is missing"):
        script.ask("osis.get")


def test_a_script_knows_which_database_the_store_of_the_jobs_is(script: ScriptInTest, namespace: str) -> None:
    found = script.ask("redis.identity")

    info = str(script.store.run(Op(("INFO", "server"), str)))
    assert f"run_id:{found['run_id']}" in info
    assert (found["db"], found["namespace"]) == ("0", namespace)
