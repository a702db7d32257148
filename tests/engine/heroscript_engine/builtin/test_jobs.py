"""Scripts that create jobs and keep values, through a real actor, from queue to reply."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hero_actor.lanes.script_access import ScriptAccess
from hero_engine.engine import AsksStore, Done, Failed
from hero_job.client.store import Store
from hero_job.model.retention import DEFAULT_RETENTION
from hero_job.model.status import JobStatus
from hero_job.model.views import Reply
from hero_job.operations.operations import Operations
from hero_job.operations.values import MAX_CONTEXT_BYTES, MAX_VALUE_BYTES, Values
from tests.actor.process import ActorProcess, JobClient, make_job
from tests.engine.heroscript_engine.conftest import VOCABULARY, MakeBench
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer

LAST = "!!play.output result:last\n"


@pytest.fixture(scope="module")
def actors(valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobClient]:
    """A Python actor with two lanes, an OSIS actor, and a client for both."""
    namespace = f"t{uuid.uuid4().hex[:10]}"
    folder: Path = tmp_path_factory.mktemp("actors")
    with pytest.MonkeyPatch.context() as patch, Store(valkey.url) as store:
        patch.setenv("HERO_ALLOW_JOBS", "true")
        patch.setenv("HERO_ALLOW_STORE", "true")
        patch.setenv("HERO_ACTIONS", VOCABULARY)
        patch.setenv("HERO_CHILD_JOBS", "3")
        started = [
            ActorProcess(folder, valkey.url, namespace, "python", ("--lanes", "2"), control=False),
            ActorProcess(folder, valkey.url, namespace, "osis", (), control=False),
        ]
        try:
            for actor in started:
                actor.wait_ready()
            yield JobClient(store, Operations(namespace))
        finally:
            for actor in started:
                actor.close()


def run(actors: JobClient, script: str, **fields: Any) -> Reply:
    return actors.run(LAST + script, "python", **fields)


def error(actors: JobClient, script: str, **fields: Any) -> str:
    reply = run(actors, script, **fields)
    assert reply.status is JobStatus.ERROR, reply
    return str(reply.error)


def test_script_creates_a_job_starts_it_and_waits_for_its_output(actors: JobClient) -> None:
    script = (
        "!!job.create job_id:'{JOB_ID}-a' script:'40 + 2' script_type:osis\n"
        "!!job.status job_id:'{JOB_ID}-a' result_to:before\n"
        "!!job.start job_id:'{JOB_ID}-a'\n"
        "!!job.wait job_id:'{JOB_ID}-a' result_to:sum\n"
        "!!job.output job_id:'{JOB_ID}-a' result_to:again\n"
        "!!job.get job_id:'{JOB_ID}-a' result_to:whole\n"
        "!!play.echo content:'{before} {sum} {again} {whole}'"
    )

    before, total, again, whole = run(actors, script).result().split(" ", 3)

    assert (before, total, again) == ("created", "42", "42")
    assert json.loads(whole)["script"] == "40 + 2"


def test_created_job_has_caller_and_context_of_the_script_and_the_fields_it_chose(actors: JobClient) -> None:
    script = (
        '!!job.create script_type:OSIS timeout:7.5 retries:2 priority:high env_vars:\'{"A":"b c"}\'\n'
        "    script: '\n"
        '        let who = "x";\n'
        "        CALLER_ID\n"
        "        '"
    )
    record = actors.record(run(actors, script).result())

    assert (record.job.caller_id, record.job.context_id) == ("caller-1", "context-1")
    assert record.job.script == 'let who = "x";\nCALLER_ID'
    assert (record.job.timeout, record.job.retries, record.job.env_vars) == (7.5, 2, {"A": "b c"})
    assert record.status is JobStatus.CREATED


@pytest.mark.parametrize("key", ["caller_id", "context_id", "signatures", "batch"])
def test_script_cannot_choose_the_owner_of_its_jobs(actors: JobClient, key: str) -> None:
    assert f"there is no parameter {key}" in error(actors, f"!!job.create script:1 script_type:osis {key}:other")
    # The actor checks it too, so bypassing the action does not help.
    assert f"'{key}': cannot be chosen by a script" in error(actors, f"!!test.ask_for_a_job_of key:{key}")


def test_script_can_wait_for_a_job_of_its_own_type(actors: JobClient) -> None:
    inner = "        !!play.output result:last\n        !!play.echo content:in\n"
    script = f"!!job.run script_type:python\n    script: '\n{inner}        '"
    assert run(actors, script).result() == "in"


def test_failed_job_is_an_error_in_the_waiting_script(actors: JobClient) -> None:
    message = error(actors, "!!job.run script:'1 +' script_type:osis")

    assert "job.run: JobNotDone: job '" in message
    assert "failed (UnexpectedEOF) at line 1" in message


def test_wait_ends_before_the_scripts_own_deadline_and_says_why(actors: JobClient) -> None:
    # No actor serves this type.
    message = error(actors, "!!job.run script:'!!a.b' script_type:v", timeout_s=3)

    assert "it is dispatched; there is no more time" in message
    assert "is there an actor for jobs of type V, and is it free?" in message


def test_script_of_the_only_lane_can_wait_for_a_job_of_its_own_type(
    valkey: ValkeyServer, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERO_ALLOW_JOBS", "true")
    actor = ActorProcess(tmp_path, valkey.url, namespace, "python", ("--lanes", "1"), control=False)
    try:
        actor.wait_ready()
        with Store(valkey.url) as store:
            client = JobClient(store, Operations(namespace))
            inner = "!!play.echo content:inner"
            outer = client.run(f"!!job.run script_type:python script:'{inner}'", "python")
    finally:
        actor.close()

    inner_results = json.loads(outer.result())[0]["result"]
    assert json.loads(inner_results)[0]["result"] == "inner"


def test_action_can_set_a_shorter_wait(actors: JobClient) -> None:
    script = "!!job.create script:1 script_type:osis job_id:'{JOB_ID}-c'\n!!job.wait job_id:'{JOB_ID}-c' wait_s:0.05"

    assert "has not ended after 0.05 s: it is created" in error(actors, script)


def test_waiting_script_is_stopped_immediately(actors: JobClient) -> None:
    job_id = actors.submit("!!job.run script:'!!a.b' script_type:v", "python", timeout_s=3600)
    actors.wait_status(job_id, JobStatus.STARTED)
    eventually(lambda: actors.queue_length("v") > 0)

    actors.store.run(actors.operations.stop(job_id))

    assert actors.reply(job_id).error_kind == "stopped"


def test_jobs_of_other_callers_and_contexts_are_invisible(actors: JobClient) -> None:
    own = make_job("7", "osis")
    others = [
        replace(own, id=uuid.uuid4().hex, caller_id="other"),
        replace(own, id=uuid.uuid4().hex, context_id="other"),
    ]
    for job in others:
        actors.submit_job(job)
        actors.reply(job.id)
        for name in ("get", "status", "output", "wait", "start", "stop", "retry", "delete", "log"):
            assert f"no job with id '{job.id}'" in error(actors, f"!!job.{name} job_id:{job.id}")
        created = f"!!job.create script:PREREQUISITES script_type:osis prerequisites:{job.id}"
        assert f"no job with id '{job.id}'" in error(actors, created)

    listed = json.loads(run(actors, "!!job.list count:1000").result())

    assert listed
    assert {actors.record(entry["id"]).job.caller_id for entry in listed} == {"caller-1"}
    assert {job.id for job in others}.isdisjoint(entry["id"] for entry in listed)


def test_jobs_are_listed_stopped_repeated_and_deleted(actors: JobClient) -> None:
    script = (
        "!!job.create job_id:'{JOB_ID}-a' script:1 script_type:osis\n"
        "!!job.stop job_id:'{JOB_ID}-a' result_to:stopped\n"
        "!!job.list status:stopped result_to:listed\n"
        "!!job.retry job_id:'{JOB_ID}-a'\n"
        "!!job.wait job_id:'{JOB_ID}-a' result_to:output\n"
        "!!job.create job_id:'{JOB_ID}-b' script:1 script_type:v\n"
        "!!job.update_status job_id:'{JOB_ID}-b' status:dispatched\n"
        "!!job.update_status job_id:'{JOB_ID}-b' status:stopped\n"
        "!!job.delete job_id:'{JOB_ID}-b'\n"
        "!!play.echo content:'{stopped} {output} {listed}'"
    )

    reply = run(actors, script)
    stopped, output, listed = reply.result().split(" ", 2)

    assert (stopped, output) == ("stopped", "1")
    assert f"{reply.job_id}-a" in {entry["id"] for entry in json.loads(listed)}
    assert "no job with id" in error(actors, f"!!job.get job_id:{reply.job_id}-b")


def test_log_of_a_job_can_be_read(actors: JobClient) -> None:
    script = (
        "!!job.run job_id:'{JOB_ID}-a' script:'print(7)' script_type:osis\n"
        "!!job.log job_id:'{JOB_ID}-a' result_to:log\n"
    )

    assert json.loads(run(actors, script + "!!play.echo content:'{log}'").result()) == ["7"]


def test_value_is_kept_for_the_next_script_of_the_context(actors: JobClient) -> None:
    run(actors, "!!store.set key:greeting value:'good day'").result()

    assert run(actors, "!!store.get key:greeting").result() == "good day"
    assert run(actors, "!!store.get key:nothing default:none").result() == "none"
    assert "there is no value nothing" in error(actors, "!!store.get key:nothing")
    assert "there is no value greeting" in error(actors, "!!store.get key:greeting", context_id="another")
    assert run(actors, "!!store.set key:greeting value:bye only_new:true").result() == "false"
    assert run(actors, "!!store.exists key:greeting").result() == "true"
    assert json.loads(run(actors, "!!store.list prefix:greet").result()) == ["greeting"]
    assert run(actors, "!!store.delete key:greeting").result() == "true"
    assert run(actors, "!!store.exists key:greeting").result() == "false"


def test_large_answer_comes_through(actors: JobClient) -> None:
    script = "!!job.run script_type:osis script:'let a = `0123456789`; for i in 0..20 { a += a }; a' result_to:big\n"

    assert len(run(actors, script + "!!play.echo content:'{big}'").result()) == 10 * 2**20


def test_additions_of_simultaneous_scripts_all_count(actors: JobClient) -> None:
    jobs = [actors.submit("!!store.incr key:count by:2", "python") for _ in range(8)]
    for job_id in jobs:
        actors.reply(job_id).result()

    assert run(actors, "!!store.incr key:count by:-1").result() == "15"
    assert "is not a whole number" in error(actors, "!!store.set key:word value:x\n!!store.incr key:word")


def test_marks_are_set_printed_and_reset(actors: JobClient) -> None:
    script = "!!osal.done_set key:a val:1\n!!osal.done_set key:b val:2\n!!osal.done_delete key:a\n!!osal.done_print"

    reply = run(actors, script)

    assert json.loads(reply.result()) == {"b": "2"}
    assert [line.text for line in actors.store.run(actors.operations.log(reply.job_id))] == ["b: 2"]
    assert json.loads(run(actors, "!!osal.done_reset\n!!osal.done_print").result()) == {}


def test_values_of_a_context_are_limited(store: Store, namespace: str) -> None:
    values = Values(namespace)
    full = "x" * MAX_VALUE_BYTES
    for number in range(MAX_CONTEXT_BYTES // MAX_VALUE_BYTES - 1):
        assert store.run(values.set("c", f"k{number}", full))

    with pytest.raises(Exception, match="a value may have 1048576 bytes"):
        values.set("c", "more", full + "x")
    with pytest.raises(Exception, match="would have more than 16777216 bytes"):
        for number in range(2):
            store.run(values.set("c", f"last{number}", full))
    with pytest.raises(Exception, match="must have 1 to 200 characters"):
        values.set("c", "", "x")
    # Removing or shrinking a value makes room, and an empty context leaves nothing behind.
    assert store.run(values.set("c", "k0", "small"))
    assert store.run(values.set("c", "last1", full[:-100]))
    for name in store.run(values.names("c")):
        assert store.run(values.delete("c", name))
    assert store.run(values.names("c")) == []
    assert store.run(values.get("c", "k0")) is None


@pytest.mark.parametrize(
    ("script", "variable"),
    [
        ("!!job.list", "HERO_ALLOW_JOBS"),
        ("!!store.list", "HERO_ALLOW_STORE"),
        ("!!osal.done_print", "HERO_ALLOW_STORE"),
    ],
)
def test_job_and_store_actions_are_off_unless_the_operator_allows_them(
    make_bench: MakeBench, script: str, variable: str
) -> None:
    outcome = make_bench().run(script)

    assert isinstance(outcome, Failed)
    assert f"is not allowed here: {variable} is not set" in outcome.message


def test_script_outside_an_actor_has_no_store(make_bench: MakeBench) -> None:
    outcome = make_bench(jobs=True).run("!!job.list")

    assert isinstance(outcome, Failed)
    assert "there is no store here" in outcome.message


def test_requests_leave_no_descriptor_open(make_bench: MakeBench, store: Store, namespace: str) -> None:
    bench = make_bench(jobs=True, values=True)
    assert isinstance(bench.engine, AsksStore)
    bench.engine.give_access(ScriptAccess(store, namespace, DEFAULT_RETENTION))
    job = make_job("1", "v")
    store.run(Operations(namespace).create(job, start=True))
    who: dict[str, Any] = {"CALLER_ID": job.caller_id, "CONTEXT_ID": job.context_id, "JOB_ID": "own"}

    def count_open() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def ask(times: int) -> int:
        for _ in range(times):
            assert isinstance(bench.run("!!store.incr key:n\n!!store.incr key:n", **who), Done)
            # The run ends while its request is on the way.
            assert not isinstance(bench.run(f"!!job.wait job_id:{job.id}", timeout_s=0.02, **who), Done)
        eventually(
            lambda: not [t for t in threading.enumerate() if t.name == "store-request"], what="answers have come"
        )
        return count_open()

    before = ask(5)

    # The store may keep connections for later requests, but must not keep one per request.
    assert ask(20) < before + 20
    assert bench.run(LAST + "!!store.get key:n", **who) == Done("50")
