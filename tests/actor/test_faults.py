"""Faults: broken connections, a dead server, engines that do not yield, and actors that were declared dead."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from hero_job.model.status import JobStatus
from hero_job.operations.actor_operations import Recoveries
from tests.actor.conftest import StartActor
from tests.actor.engines import TEST_ENGINE, announced, once, until
from tests.actor.process import LONG_S, ActorProcess, JobClient
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer, free_port


def every_job_ended_once(client: JobClient, valkey: ValkeyServer, job_ids: list[str]) -> None:
    for number, job_id in enumerate(job_ids):
        assert client.reply(job_id).result() == str(number)
    for job_id in job_ids:
        assert valkey.command("LLEN", client.operations.keys.reply(job_id)) == 1


def test_connections_cut_in_the_middle_lose_and_double_nothing(
    start_actor: StartActor, own_client: JobClient, own_valkey: ValkeyServer
) -> None:
    start_actor("osis", url=own_valkey.url)
    start_actor("sal", "--lanes", "4", url=own_valkey.url)
    osis, sal = [], []
    for number in range(600):
        osis.append(own_client.submit(f"{number}"))
        sal.append(own_client.submit(f"sleep(0.001); {number}", "sal"))
        if number % 20 == 0:
            own_valkey.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    every_job_ended_once(own_client, own_valkey, osis)
    every_job_ended_once(own_client, own_valkey, sal)


def test_server_killed_and_restarted_under_load_loses_nothing(
    start_actor: StartActor, own_client: JobClient, own_valkey: ValkeyServer
) -> None:
    lanes, kills = 4, 3
    actor = start_actor("sal", "--lanes", f"{lanes}", url=own_valkey.url)
    job_ids = [own_client.submit(f"sleep(0.005); {number}", "sal") for number in range(1000)]
    for number in range(kills):
        own_client.reply(job_ids[300 * number])
        own_valkey.kill()
        own_valkey.start()

    every_job_ended_once(own_client, own_valkey, job_ids)
    assert actor.process.poll() is None
    # Each lane, the beat and the stop listener notice each outage once.
    assert actor.log().count("store.lost") <= kills * (lanes + 2)


def test_actor_waits_for_a_store_that_is_not_there_and_says_where_it_looks(
    start_actor: StartActor, namespace: str
) -> None:
    port = free_port()
    actor = start_actor(url=f"redis://:secret@127.0.0.1:{port}/", ready=False)

    eventually(lambda: "store.lost" in actor.log())

    assert f"redis://:***@127.0.0.1:{port}/" in actor.log()
    assert "secret" not in actor.log()
    actor.signal(signal.SIGTERM)
    assert actor.wait_exit() == 0


def test_actor_joins_when_the_store_comes_up(
    start_actor: StartActor, own_valkey: ValkeyServer, own_client: JobClient
) -> None:
    own_valkey.kill()
    actor = start_actor(url=own_valkey.url, ready=False)
    eventually(lambda: "store.lost" in actor.log())

    own_valkey.start()

    assert own_client.run("1").result() == "1"
    assert actor.log().count("store.lost") == 1


def test_draining_actor_ends_although_the_store_is_gone(start_actor: StartActor, own_valkey: ValkeyServer) -> None:
    actor = start_actor("sal", control=True, url=own_valkey.url)

    own_valkey.kill()
    actor.hang_up()

    assert actor.wait_exit() == 0


def submit_begun(client: JobClient, begun: Path, script: str, timeout_s: float = LONG_S) -> str:
    """Submit a job and wait until the engine runs it, no matter whether the store goes away now."""
    job_id = client.submit(announced(begun, script), timeout_s=timeout_s)
    eventually(begun.exists, what="the script runs")
    return job_id


def lane_cannot_settle(actor: ActorProcess) -> bool:
    beats = actor.events("beat")
    return bool(beats) and [lane["state"] for lane in beats[-1]["lanes"]] == ["connecting"]


def test_result_that_the_store_has_not_answered_is_settled_without_a_second_run(
    start_actor: StartActor, own_client: JobClient, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    actor = start_actor("osis", *TEST_ENGINE, url=own_valkey.url, control=True)
    runs, gate = tmp_path / "runs", tmp_path / "gate"
    job_id = submit_begun(own_client, tmp_path / "begun", once(runs, gate))
    own_valkey.kill()
    gate.touch()
    eventually(lambda: lane_cannot_settle(actor), what="the lane has a result and no store")

    own_valkey.start()

    assert own_client.reply(job_id).status is JobStatus.FINISHED
    assert runs.read_text() == "run\n"


def test_actor_gives_up_a_result_a_lease_after_the_store_has_gone_and_an_earlier_outage_does_not_count(
    start_actor: StartActor, own_client: JobClient, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    lease_s = 2.0
    actor = start_actor("osis", *TEST_ENGINE, "--lease-s", f"{lease_s}", url=own_valkey.url, control=True)
    first = submit_begun(own_client, tmp_path / "first", until(tmp_path / "one"))
    began_mono = time.monotonic()
    own_valkey.kill()
    (tmp_path / "one").touch()
    eventually(lambda: lane_cannot_settle(actor), what="the lane has a result and no store")
    own_valkey.start()
    assert own_client.reply(first).status is JobStatus.FINISHED
    eventually(lambda: time.monotonic() > began_mono + lease_s, what="the first outage began a lease ago")

    submit_begun(own_client, tmp_path / "second", until(tmp_path / "two"))
    away_mono = time.monotonic()
    own_valkey.kill()
    actor.signal(signal.SIGTERM)
    (tmp_path / "two").touch()

    assert actor.wait_exit() == 0
    assert time.monotonic() > away_mono + lease_s
    assert "lane.results_lost" in actor.log()


def test_drain_with_a_result_waits_for_the_store_to_take_it(
    start_actor: StartActor, own_client: JobClient, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    # The lease bounds how long the actor waits.
    actor = start_actor("osis", *TEST_ENGINE, "--lease-s", "60", url=own_valkey.url, control=True)
    begun, script = tmp_path / "begun", until(actor.log_path, "actor.draining")
    job_id = submit_begun(own_client, begun, script)
    own_valkey.kill()
    actor.signal(signal.SIGTERM)

    eventually(lambda: lane_cannot_settle(actor), what="the lane has a result and no store")

    own_valkey.start()

    assert actor.wait_exit() == 0
    assert own_client.reply(job_id).result() == announced(begun, script)


def test_job_that_will_not_yield_is_settled_as_timed_out_and_the_actor_is_replaced(
    start_actor: StartActor, client: JobClient
) -> None:
    actor = start_actor("sal", "--lanes", "2", "--grace-s", "0.3", *TEST_ENGINE, control=True)
    script = until(actor.log_path, "actor.draining")
    other = client.submit_started(script, "sal")
    stuck = client.submit("deaf", "sal", timeout_s=0.3)

    reply = client.reply(stuck)

    assert (reply.status, reply.error_kind) == (JobStatus.ERROR, "timeout")
    assert actor.wait_exit() == 75
    assert actor.events("draining")[0]["reason"] == "stuck"
    assert client.reply(other).result() == script
    assert client.incarnations() == []


def test_actor_with_a_stuck_job_ends_although_the_store_is_gone(
    start_actor: StartActor, own_client: JobClient, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    actor = start_actor("osis", "--grace-s", "0.2", *TEST_ENGINE, url=own_valkey.url, control=True)
    submit_begun(own_client, tmp_path / "begun", "deaf", timeout_s=2)
    own_valkey.kill()

    assert actor.wait_exit() == 75
    assert actor.events("draining")[0]["reason"] == "stuck"


def test_actor_without_a_supervisor_replaces_itself_when_a_job_is_stuck(
    start_actor: StartActor, client: JobClient
) -> None:
    actor = start_actor("osis", "--grace-s", "0.2", "--incarnation", "first", *TEST_ENGINE)

    assert client.run("deaf", timeout_s=0.2).error_kind == "timeout"

    assert client.run("after").result() == "after"
    (incarnation,) = client.incarnations()
    assert incarnation != "first"
    assert actor.process.poll() is None


def test_engine_that_knows_no_deadline_is_cancelled_at_it(start_actor: StartActor, client: JobClient) -> None:
    actor = start_actor("osis", "--grace-s", "20", *TEST_ENGINE)

    assert client.run("timeless", timeout_s=0.2).error_kind == "timeout"
    assert client.run("after").result() == "after"
    assert actor.log().count("actor.ready") == 1


def test_engine_that_raises_fails_the_job_and_the_lane_goes_on(start_actor: StartActor, client: JobClient) -> None:
    actor = start_actor("osis", *TEST_ENGINE)

    reply = client.run("raise")

    assert reply.error_kind == "engine_defect"
    assert "engine is broken" in (reply.error or "")
    assert "Traceback" in actor.log()
    assert client.run("surrogate").error_kind == "result_not_presentable"
    assert client.run("surrogate-error").status is JobStatus.ERROR
    assert client.run("after").result() == "after"


def test_actor_declared_dead_while_frozen_starts_again_and_its_late_result_does_not_count(
    start_actor: StartActor, client: JobClient, tmp_path: Path
) -> None:
    frozen = start_actor("osis", *TEST_ENGINE, "--lease-s", "0.5", "--incarnation", "frozen", control=True)
    gate = tmp_path / "gate"
    job_id = client.submit_started(until(gate))
    frozen.freeze()
    gate.touch()
    recoveries = Recoveries(client.operations.keys.namespace)
    eventually(lambda: client.store.drive(recoveries.expired())[1] == ["frozen"])

    recovery = client.store.run(recoveries.recover("frozen", proven_dead=False))
    assert recovery.handed_back == [job_id]
    start_actor("osis", *TEST_ENGINE)
    assert client.reply(job_id).result() == until(gate)
    frozen.thaw()

    assert frozen.wait_exit() == 75
    assert frozen.events("draining")[0]["reason"] == "declared_dead"
    record = client.record(job_id)
    assert (record.status, record.attempt, record.redeliveries) == (JobStatus.FINISHED, 2, 0)


def test_standalone_actor_declared_dead_becomes_a_new_incarnation(start_actor: StartActor, client: JobClient) -> None:
    actor = start_actor("osis", "--lease-s", "0.5", "--incarnation=frozen")
    actor.freeze()
    recoveries = Recoveries(client.operations.keys.namespace)
    eventually(lambda: client.store.drive(recoveries.expired())[1] == ["frozen"])
    client.store.run(recoveries.recover("frozen", proven_dead=False))

    actor.thaw()

    assert client.run("1").result() == "1"
    assert client.incarnations() != ["frozen"]
    assert actor.process.poll() is None


def test_actor_survives_a_frozen_server(
    start_actor: StartActor, own_client: JobClient, own_valkey: ValkeyServer
) -> None:
    actor = start_actor(url=own_valkey.url, control=True)
    own_valkey.freeze()
    eventually(lambda: any(not beat["store_up"] for beat in actor.events("beat")))

    own_valkey.thaw()

    assert own_client.run("1").result() == "1"
    eventually(lambda: actor.events("beat")[-1]["store_up"])
    assert actor.process.poll() is None
