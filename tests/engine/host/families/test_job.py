"""The family `job`, through real actors: fan-out, waits for jobs of the own queue, bounds of a wait, and ownership."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hero_actor.lanes.lent_slots import MOST_SPARE_LANES
from hero_job.client.store import Store
from hero_job.model.status import JobStatus
from hero_job.operations.actor_operations import Recoveries
from hero_job.operations.operations import Operations
from tests.actor.process import ActorProcess, JobClient, make_job
from tests.engine.host.bench_script import ScriptBench
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer

ALLOW = json.dumps({"jobs": True, "store": True})


@pytest.fixture(scope="module")
def actors(valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobClient]:
    """An OSIS actor, a SAL actor with two lanes, and a client for both."""
    namespace = f"t{uuid.uuid4().hex[:10]}"
    folder: Path = tmp_path_factory.mktemp("actors")
    with pytest.MonkeyPatch.context() as patch, Store(valkey.url) as store:
        patch.setenv("HERO_ALLOW", ALLOW)
        started = [
            ActorProcess(folder, valkey.url, namespace, "osis", (), control=False),
            ActorProcess(folder, valkey.url, namespace, "sal", ("--lanes", "2"), control=False),
        ]
        try:
            for actor in started:
                actor.wait_ready()
            yield JobClient(store, Operations(namespace))
        finally:
            for actor in started:
                actor.close()


StartOsis = Callable[..., ActorProcess]


@pytest.fixture
def start_osis(
    valkey: ValkeyServer, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StartOsis]:
    """Start OSIS actors that may use jobs."""
    monkeypatch.setenv("HERO_ALLOW", ALLOW)
    started: list[ActorProcess] = []

    def start(*flags: str) -> ActorProcess:
        started.append(ActorProcess(tmp_path, valkey.url, namespace, "osis", flags, control=False))
        started[-1].wait_ready()
        return started[-1]

    yield start
    for actor in started:
        actor.close()


@pytest.fixture
def client(store: Store, operations: Operations) -> JobClient:
    """Return a client on the shared server."""
    return JobClient(store, operations)


def thrown(actors: JobClient, script: str, script_type: str = "osis", **fields: Any) -> str:
    """Run a script that throws, and return what it catches."""
    script = f"let caught = ''; try {{ {script}; }} catch (e) {{ caught = e; }} caught".replace("''", "``")
    return actors.run(script, script_type, **fields).result()


def test_script_runs_a_job_of_another_actor_with_options(actors: JobClient) -> None:
    output = actors.run('job_run("ENV.WHO + CALLER_ID", "sal", #{timeout: 60, env_vars: #{WHO: "me "}})').result()

    assert output == "me caller-1"


def test_job_of_a_sequential_actor_waits_for_a_job_of_the_same_queue(actors: JobClient) -> None:
    assert actors.run('job_run("40 + 2", "osis")').result() == "42"


def test_waits_nest_in_a_sequential_actor(actors: JobClient) -> None:
    script = "1"
    for _ in range(6):
        script = f"parse_int(job_run({json.dumps(script)}, `osis`)) + 1"

    assert actors.run(script).result() == "7"


def test_many_scripts_of_a_sequential_actor_wait_for_jobs_behind_them(actors: JobClient) -> None:
    ids = [actors.submit(f'job_run("{n} + 1", "osis")') for n in range(20)]

    assert [actors.reply(job_id).result() for job_id in ids] == [str(n + 1) for n in range(20)]


def test_sequential_actor_runs_one_script_at_a_time_even_while_scripts_wait(actors: JobClient) -> None:
    # Each script counts those that run while it runs, itself included.
    alone = 'n += store_increment("running"); for i in 0..3000 {} store_increment("running", -1);'
    inner = f"let n = 0; {alone} n"
    outer = f"let n = 0; {alone} let inner = job_run({json.dumps(inner)}, `osis`); {alone} `${{n}} ${{inner}}`"
    ids = [actors.submit(outer) for _ in range(20)]

    assert {actors.reply(job_id).result() for job_id in ids} == {"2 1"}


def test_more_scripts_than_there_are_spare_lanes_are_refused_to_wait(actors: JobClient) -> None:
    waiting = 'let id = ""; try { job_run("1", "v") } catch (e) { if !e.contains("spare lanes") { throw e; } }'
    ids = [actors.submit(waiting) for _ in range(MOST_SPARE_LANES)]
    eventually(lambda: actors.queue_length("osis") == 0, what="all lanes wait")

    assert f"its {MOST_SPARE_LANES} spare lanes too" in thrown(actors, 'job_run("1", "v")')
    for job_id in ids:
        actors.stop(job_id)
    assert {actors.reply(job_id).status for job_id in ids} == {JobStatus.STOPPED}
    assert actors.run('job_run("1", "osis")').result() == "1"


def test_script_fans_out_500_jobs_and_gathers_them_in_order(actors: JobClient) -> None:
    script = """
        let jobs = [];
        for n in 0..500 { jobs.push(#{script: `${n} * 2`, script_type: "sal"}); }
        let ids = job_submit(jobs);
        let sum = 0;
        for job in job_wait_all(ids) {
            if job.status != "finished" { throw `${job.id}: ${job.error}`; }
            sum += parse_int(job.output);
        }
        `${ids.len()} ${sum}`
    """
    for script_type in ("osis", "sal"):
        assert actors.run(script, script_type).result() == f"500 {sum(2 * n for n in range(500))}"


def test_jobs_of_one_call_may_name_each_other_in_any_order(actors: JobClient) -> None:
    script = """
        let ids = job_submit([
            #{script: "PREREQUISITES.values()[0] + `!`", script_type: "sal", prerequisites: [JOB_ID + "-a"]},
            #{id: JOB_ID + "-a", script: "`first`", script_type: "sal"},
        ]);
        job_wait(ids[0])
    """
    assert actors.run(script).result() == "first!"


@pytest.mark.parametrize("fields", ['"40 + 2", "sal"', '#{script: "40 + 2", script_type: "sal"}'])
def test_job_that_is_submitted_runs_by_itself(actors: JobClient, fields: str) -> None:
    assert actors.run(f"job_wait(job_submit({fields}))").result() == "42"


def test_job_that_is_created_waits_until_it_is_started(actors: JobClient) -> None:
    script = 'let id = job_create("40 + 2", "sal"); let before = job_status(id); job_start(id); before + job_wait(id)'

    assert actors.run(script).result() == "created42"


def test_wait_for_all_tells_how_each_job_ended(actors: JobClient) -> None:
    script = """
        let ids = job_submit([
            #{script: "1", script_type: "sal"},
            #{script: "\\n throw `no`", script_type: "sal"},
            #{script: "2", script_type: "v"},
        ]);
        job_wait_all([ids[0], ids[1]]);
        let found = job_wait_all(ids, 0.1);
        job_stop(ids[2]);
        found += job_wait_all(ids);
        found.map(|job| [job.status, job.ended, job.output, job.line])
    """
    first, failed, opened, *_, stopped = json.loads(actors.run(script).result())

    assert first == ["finished", True, "1", None]
    assert failed[:2] == ["error", True] and failed[3] == 2
    assert opened == ["dispatched", False, None, None]
    assert stopped[:2] == ["stopped", True]


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ('job_run("\\n 1 +", "sal")', "failed (UnexpectedEOF) at line 2"),
        ('job_wait("none")', "Job error: no job with id 'none'"),
        ('job_wait_all(["none"])', "Job error: no job with id 'none'"),
        ("job_wait(JOB_ID)", "a job cannot wait for itself"),
        ('job_output(job_create("1", "sal"))', "has not ended: it is created"),
        ('job_wait(job_submit("1", "v"), 0.05)', "has not ended after 0.05 s: it is dispatched"),
        ('job_submit("1", "cobol")', "script_type"),
        ('job_submit("1", "sal", #{timeout: -1})', "timeout"),
        ('job_submit("1", "sal", #{retries: 1.5})', "retries"),
        ('job_submit("1", "sal", #{caller_id: "bob"})', "'caller_id': cannot be chosen by a script"),
        ('job_submit([#{script: "1", script_type: "sal"}, 2])', "an array of maps"),
        ('job_submit([#{script: "1", script_type: "sal", batch: "b"}])', "cannot be chosen by a script"),
        (
            'let a = []; a.pad(10001, #{script: "1", script_type: "sal"}); job_submit(a)',
            "10000 can be created",
        ),
    ],
)
def test_mistake_is_caught_as_a_text(actors: JobClient, script: str, text: str) -> None:
    message = thrown(actors, script)

    assert message.startswith("Job error: ")
    assert text in message


def test_wait_ends_before_the_scripts_own_deadline_and_says_why(actors: JobClient) -> None:
    message = thrown(actors, 'job_run("1", "v")', timeout_s=2)

    assert "there is no more time, because this job's own timeout is near" in message
    assert "is there an actor for jobs of type V" in message


def test_stopped_script_ends_its_wait_and_the_actor_goes_on(actors: JobClient) -> None:
    job_id = actors.submit('job_run("1", "v")', timeout_s=3600)
    actors.wait_status(job_id, JobStatus.STARTED)
    eventually(lambda: actors.queue_length("v") > 0)

    actors.stop(job_id)

    assert actors.reply(job_id).error_kind == "stopped"
    assert actors.run('job_run("1", "osis")').result() == "1"


def test_jobs_of_other_callers_and_contexts_do_not_exist(actors: JobClient) -> None:
    own = make_job("7", "sal")
    for job in (
        replace(own, id=uuid.uuid4().hex, caller_id="other"),
        replace(own, id=uuid.uuid4().hex, context_id="other"),
    ):
        actors.submit_job(job)
        actors.reply(job.id)
        for name in ("get", "status", "output", "wait", "start", "stop", "retry", "delete", "log"):
            assert thrown(actors, f"job_{name}(`{job.id}`)") == f"Job error: no job with id '{job.id}'"
        assert f"no job with id '{job.id}'" in thrown(actors, f"job_wait_all([`{job.id}`])")
        assert "with id" in thrown(actors, f"job_submit(`1`, `sal`, #{{prerequisites: [`{job.id}`]}})")
        listed = json.loads(actors.run("job_list().map(|job| job.id)").result())
        assert job.id not in listed


def test_list_of_a_status_that_does_not_exist_names_those_that_do(actors: JobClient) -> None:
    text = actors.run('let text = ""; try { job_list("foo"); } catch (e) { text = e; } text').result()

    assert "must be one of created, waiting_for_prerequisites" in text
    assert text.endswith("not 'foo'")


def test_jobs_are_created_listed_repeated_and_deleted(actors: JobClient) -> None:
    script = """
        let id = job_create("print(`hello`); 1", "sal", #{id: JOB_ID + "-x"});
        let seen = [job_status(id), job_stop(id)];
        seen.push(job_list("stopped").some(|job| job.id == id));
        job_retry(id);
        seen.push(job_wait(id));
        seen.push(job_log(id));
        seen.push(job_get(id).output);
        job_delete(id);
        try { job_get(id) } catch (e) { seen.push(e.contains("no job")); }
        seen
    """
    assert json.loads(actors.run(script).result()) == ["created", "stopped", True, "1", ["hello"], "1", True]


def test_actor_that_serves_contexts_in_order_refuses_to_wait_for_what_comes_later(
    client: JobClient, start_osis: StartOsis
) -> None:
    start_osis("--by-context")

    assert "runs only after this one: its actor has by_context" in thrown(client, 'job_run("1", "osis")')


def test_job_in_a_spare_lane_of_a_killed_actor_runs_again(client: JobClient, start_osis: StartOsis) -> None:
    first = start_osis()
    client.submit('job_run("while true {}", "osis", #{id: "inner", timeout: 60})')
    eventually(lambda: "inner" in _running(client), what="the inner job runs")
    incarnation = client.incarnations()[0]

    first.close()
    recovery = client.store.run(Recoveries(client.operations.keys.prefix[:-1]).recover(incarnation, proven_dead=True))

    assert "inner" in recovery.handed_back


def _running(client: JobClient) -> list[str]:
    page = client.store.run(client.operations.admin.page("", 100))
    return [record.job.id for record in page.records if record.status is JobStatus.STARTED]


def test_family_is_off_unless_allowed() -> None:
    outcome = ScriptBench().run('job_run("1", "sal")')

    assert "job: job_run is not allowed here; the operator enables it with jobs = true in [actors.allow]" in str(
        outcome
    )
