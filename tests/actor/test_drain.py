"""How an actor ends: by signals, by commands of its supervisor, and when its supervisor is gone."""

from __future__ import annotations

import signal

import pytest

from hero_job.model.status import JobStatus
from tests.actor.conftest import StartActor
from tests.actor.engines import TEST_ENGINE, until
from tests.actor.process import ActorProcess, JobClient
from tests.eventually import eventually


def ask_to_end(actor: ActorProcess, how: str) -> None:
    match how:
        case "TERM":
            actor.signal(signal.SIGTERM)
        case "INT":
            actor.signal(signal.SIGINT)
        case "command":
            actor.send(b'{"command":"drain"}\n')
        case "end of control":
            actor.hang_up()


HOWS = ["TERM", "INT", "command", "end of control"]


@pytest.mark.parametrize("how", HOWS)
def test_drain_finishes_the_running_job_and_takes_no_other(
    start_actor: StartActor, client: JobClient, how: str
) -> None:
    actor = start_actor("osis", *TEST_ENGINE, control=True)
    script = until(actor.log_path, "actor.draining")
    running = client.submit_started(script)
    waiting = client.submit("2")

    ask_to_end(actor, how)

    assert actor.wait_exit() == 0
    assert client.reply(running).result() == script
    assert client.status(waiting) is JobStatus.DISPATCHED
    assert client.queue_length() == 1
    assert client.incarnations() == []


@pytest.mark.parametrize("how", HOWS)
def test_idle_actor_ends_when_asked_to(start_actor: StartActor, client: JobClient, how: str) -> None:
    actor = start_actor("sal", control=True)

    ask_to_end(actor, how)

    assert actor.wait_exit() == 0
    assert client.incarnations() == []


def test_draining_actor_says_why(start_actor: StartActor) -> None:
    actor = start_actor(control=True)

    actor.send(b'{"command":"drain"}\n')

    eventually(lambda: actor.events("draining"))
    assert actor.events("draining")[0]["reason"] == "control"


def test_stop_command_ends_running_jobs_and_hands_them_back(start_actor: StartActor, client: JobClient) -> None:
    actor = start_actor(control=True)
    job_id = client.submit_started("sleep(600)")

    actor.send(b'{"command":"stop"}\n')

    assert actor.wait_exit() == 0
    assert client.status(job_id) is JobStatus.DISPATCHED


@pytest.mark.parametrize(("script", "engine"), [("sleep(600)", "rhai"), ("deaf", "tests.actor.engines:TestEngine")])
def test_actor_whose_supervisor_is_gone_does_not_stay_for_long_jobs(
    start_actor: StartActor, client: JobClient, script: str, engine: str
) -> None:
    actor = start_actor("osis", "--engine", engine, control=True)
    job_id = client.submit_started(script)

    actor.hang_up()

    assert actor.wait_exit() == 0
    assert client.status(job_id) is JobStatus.DISPATCHED


def test_second_interrupt_ends_running_jobs_and_hands_them_back(start_actor: StartActor, client: JobClient) -> None:
    actor = start_actor("sal", "--lanes", "2")
    job_ids = [client.submit("sleep(600)", "sal") for _ in range(2)]
    for job_id in job_ids:
        client.wait_status(job_id, JobStatus.STARTED)

    actor.signal(signal.SIGINT)
    eventually(lambda: "actor.draining" in actor.log())
    assert client.status(job_ids[0]) is JobStatus.STARTED
    actor.signal(signal.SIGINT)

    assert actor.wait_exit() == 0
    for job_id in job_ids:
        record = client.record(job_id)
        assert (record.status, record.redeliveries) == (JobStatus.DISPATCHED, 0)
    assert client.queue_length("sal") == 2


def test_second_interrupt_ends_an_actor_whose_engine_cannot_be_cancelled(
    start_actor: StartActor, client: JobClient
) -> None:
    actor = start_actor("osis", *TEST_ENGINE, "--grace-s", "0.2")
    job_id = client.submit_started("deaf")

    actor.signal(signal.SIGINT)
    eventually(lambda: "actor.draining" in actor.log())
    actor.signal(signal.SIGINT)

    assert actor.wait_exit() == 0
    assert client.status(job_id) is JobStatus.DISPATCHED


def test_actor_that_has_run_its_quota_of_jobs_asks_to_be_replaced(start_actor: StartActor, client: JobClient) -> None:
    actor = start_actor("osis", "--max-jobs", "3", control=True)

    for i in range(3):
        client.run(f"{i}")

    assert actor.wait_exit() == 75
    assert actor.events("draining")[0]["reason"] == "max_jobs"


def test_actor_above_its_memory_limit_asks_to_be_replaced(start_actor: StartActor) -> None:
    actor = start_actor("osis", "--max-rss-bytes", "1000000", control=True, ready=False)

    assert actor.wait_exit() == 75
    assert actor.events("draining")[0]["reason"] == "memory"
