"""The life of a job in real actors: stop, retry, prerequisites, logs, progress and order."""

from __future__ import annotations

import itertools
from pathlib import Path

import psutil
import pytest

from hero_job import JobStatus
from hero_job.client.store import Store
from hero_job.model.builder import JobBuilder
from hero_job.model.views import Progress
from hero_job.operations.actor_operations import Recoveries
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.actor.conftest import StartActor
from tests.actor.engines import TEST_ENGINE, until
from tests.actor.process import JobClient
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer


def builder(script: str, script_type: str = "osis") -> JobBuilder:
    return JobBuilder().caller_id("a").context_id("b").script_type(script_type).script(script).timeout(60)


@pytest.mark.parametrize("script", ["sleep(600)", "loop {}", "loop { [1, 2, 3].map(|x| x + 1); }"])
def test_a_running_script_is_stopped_wherever_it_is(start_actor: StartActor, client: JobClient, script: str) -> None:
    actor = start_actor("sal", "--lanes", "2")
    stopped = client.submit_started(script, "sal")
    client.stop(stopped)

    reply = client.reply(stopped)
    assert (reply.status, reply.error_kind) == (JobStatus.STOPPED, "stopped")
    assert client.run("1 + 1", "sal").output == "2", "the actor goes on"
    assert psutil.pid_exists(actor.pid)


def test_jobs_behind_a_slow_one_are_stopped_before_they_begin(
    start_actor: StartActor, client: JobClient, tmp_path: Path
) -> None:
    start_actor("osis", *TEST_ENGINE)
    gate = tmp_path / "gate"
    slow = client.submit_started(until(gate))
    others = [client.submit("1") for _ in range(5)]
    for job_id in others:
        client.stop(job_id)
    gate.touch()

    assert {client.reply(job_id).status for job_id in others} == {JobStatus.STOPPED}
    assert client.reply(slow).status is JobStatus.FINISHED


def test_many_jobs_stopped_at_any_moment_end_stopped_or_finished_never_both(
    start_actor: StartActor, client: JobClient, store: Store, operations: Operations
) -> None:
    start_actor("sal", "--lanes", "4")
    # A few of those that are stopped would not end by themselves: on any machine some end stopped.
    ids = [client.submit(f"sleep({60 if n % 60 == 0 else n % 7 / 100.0})", "sal") for n in range(300)]
    for job_id in ids[::2]:
        client.stop(job_id)

    statuses = {client.reply(job_id).status for job_id in ids}
    assert statuses == {JobStatus.STOPPED, JobStatus.FINISHED}
    assert {store.run(Op(("LLEN", operations.keys.reply(i)), int)) for i in ids} == {1}
    assert {client.status(job_id) for job_id in ids[1::2]} == {JobStatus.FINISHED}


def test_a_foreign_client_stops_a_job_through_the_control_list_of_its_type(
    start_actor: StartActor, client: JobClient, store: Store, operations: Operations
) -> None:
    start_actor("osis")
    job_id = client.submit_started("sleep(600)")

    store.run(Op(("LPUSH", operations.keys.control_type("osis"), job_id), int))

    assert client.reply(job_id).status is JobStatus.STOPPED


def test_a_stopped_job_that_is_retried_or_created_again_is_not_stopped_by_the_old_order(
    start_actor: StartActor, client: JobClient, store: Store, operations: Operations, tmp_path: Path
) -> None:
    start_actor("osis", *TEST_ENGINE)
    gate = tmp_path / "gate"
    job_id = client.submit_started(until(gate))
    for _ in range(3):
        client.stop(job_id)
    assert client.reply(job_id).status is JobStatus.STOPPED

    store.run(operations.retry(job_id))
    client.wait_status(job_id, JobStatus.STARTED)
    gate.touch()

    assert client.reply(job_id).status is JobStatus.FINISHED


def test_a_stop_is_obeyed_although_its_order_was_lost(
    start_actor: StartActor, client: JobClient, store: Store, operations: Operations
) -> None:
    start_actor("osis")
    job_id = client.submit_started("sleep(600)")
    # The actor took the order, and the answer never arrived.
    store.run(Op(("HSET", operations.keys.job(job_id), "status", "stopping"), int))

    assert client.reply(job_id).status is JobStatus.STOPPED


def test_a_stop_is_obeyed_after_the_control_connection_was_cut(
    start_actor: StartActor, client: JobClient, valkey: ValkeyServer
) -> None:
    start_actor("osis")
    job_id = client.submit_started("sleep(600)")
    valkey.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    client.stop(job_id)

    assert client.reply(job_id).status is JobStatus.STOPPED


def test_a_failing_job_is_repeated_as_often_as_it_asks_and_a_broken_script_is_not(
    start_actor: StartActor, client: JobClient, store: Store, operations: Operations
) -> None:
    start_actor("osis")
    failing = client.submit_job(builder("throw 1").retries(2).build())
    broken = client.submit_job(builder("let = ;").retries(2).build())

    assert client.reply(broken).status is JobStatus.ERROR
    assert client.record(broken).failures == 0
    for failures in (1, 2):
        client.wait_status(failing, JobStatus.SCHEDULED)
        assert client.record(failing).failures == failures
        # No supervisor runs here: the job stays scheduled until the test makes it due.
        store.run(Op(("ZADD", operations.keys.scheduled, 1, failing), int))
        store.run(operations.admin.promote())
    assert client.reply(failing).status is JobStatus.ERROR
    assert client.record(failing).attempt == 3


def test_a_script_reads_the_outputs_of_its_prerequisites(
    start_actor: StartActor, client: JobClient, store: Store, operations: Operations
) -> None:
    start_actor("osis")
    first = client.submit_job(builder("20 + 1").id("first").build())
    second = client.submit_job(
        builder('fn twice() { parse_int(PREREQUISITES["first"]) * 2 } twice()').prerequisites([first]).build()
    )

    assert client.reply(second).output == "42"


def test_what_a_script_prints_and_how_far_it_is_can_be_read_while_it_runs_and_after(
    start_actor: StartActor, client: JobClient, store: Store, operations: Operations
) -> None:
    start_actor("sal")
    job_id = client.submit('print("one"); debug(2); progress(1, 4, "half way"); sleep(600)', "sal")

    eventually(lambda: client.record(job_id).progress == Progress(done=1, total=4, text="half way"))
    assert [(line.level, line.text) for line in store.run(operations.log(job_id))] == [("info", "one"), ("debug", "2")]
    client.stop(job_id)
    client.reply(job_id)
    assert len(store.run(operations.log(job_id))) == 2

    done = client.run('print("last\\nwords"); 7', "sal")
    assert done.output == "7"
    assert [line.text for line in store.run(operations.log(done.job_id))] == ["last", "words"]


def test_a_script_that_prints_without_end_keeps_its_newest_lines(
    start_actor: StartActor, client: JobClient, store: Store, operations: Operations
) -> None:
    start_actor("sal")
    reply = client.run("for n in 0..20000 { print(n); } 1", "sal")

    assert reply.output == "1"
    lines = [line.text for line in store.run(operations.log(reply.job_id))]
    assert len(lines) <= 1000
    assert lines[-1] == "19999"


def test_jobs_of_one_context_run_one_after_the_other_and_in_order_over_two_actors(
    start_actor: StartActor, client: JobClient, tmp_path: Path
) -> None:
    for _ in range(2):
        start_actor("osis", *TEST_ENGINE, "--by-context")
    gate = tmp_path / "gate"
    ids = [client.submit_started(until(gate)), *(client.submit("nap 0.01") for _ in range(40))]
    gate.touch()
    for job_id in ids:
        client.reply(job_id)

    records = [client.record(job_id) for job_id in ids]
    assert all(str(a.finished_at) <= str(b.started_at) for a, b in itertools.pairwise(records))


def test_two_actors_of_one_name_do_not_take_each_others_jobs(
    start_actor: StartActor, client: JobClient, store: Store, operations: Operations, tmp_path: Path
) -> None:
    recoveries = Recoveries(operations.keys.namespace)
    first, second = (start_actor("osis", *TEST_ENGINE, "--name", "same") for _ in range(2))
    gate = tmp_path / "gate"
    ids = [client.submit_started(until(gate)) for _ in range(2)]
    owners = {str(client.record(job_id).owner).partition("/")[0]: job_id for job_id in ids}
    assert len(owners) == 2

    # The first dies and its job is handed back; the job of the second runs on under its first claim.
    first.close()
    dead = next(owner for owner in owners if f".{first.pid}." in owner)
    store.run(recoveries.recover(dead, proven_dead=True))
    gate.touch()

    assert {client.reply(job_id).output for job_id in ids} == {until(gate)}
    assert client.record(owners[dead]).attempt == 2
    (other,) = owners.keys() - {dead}
    assert client.record(owners[other]).attempt == 1
    assert psutil.pid_exists(second.pid)
