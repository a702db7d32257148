"""Jobs of type V, from queue to reply, run by a program that stands in for `hero`."""

from __future__ import annotations

import pytest

from hero_engine.heroscript_engine.tree import children_of
from hero_job.status import JobStatus
from tests.actor.conftest import StartActor, client, start_actor
from tests.actor.process import Client
from tests.engine.test_v import STAND_IN
from tests.eventually import eventually
from tests.heroscript_engine.test_processes import is_gone

__all__ = ["client", "start_actor"]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_V_COMMAND", STAND_IN)


def test_v_job_goes_from_queue_to_reply(stand_in: None, start_actor: StartActor, client: Client) -> None:
    start_actor("v", "--lanes", "2")

    job_id = client.submit("!!test.constant name:JOB_ID\n!!test.color", "v")

    assert client.reply(job_id).result() == f"{job_id}green plain\n"


@pytest.mark.parametrize(
    ("script", "kind", "line"), [("!!test.nothing\n!!a.b.c", "syntax", 2), ("!!test.fail", "v_failed", None)]
)
def test_error_of_a_v_job_reaches_its_reply(
    stand_in: None, start_actor: StartActor, client: Client, script: str, kind: str, line: int | None
) -> None:
    start_actor("v")

    reply = client.run(script, "v")

    assert reply.status is JobStatus.ERROR
    assert (reply.error_kind, reply.line) == (kind, line)


def test_v_job_ends_at_its_timeout_and_when_it_is_stopped(
    stand_in: None, start_actor: StartActor, client: Client
) -> None:
    start_actor("v")

    assert client.run("!!test.sleep", "v", timeout_s=0.3).error_kind == "timeout"
    job_id = client.submit("!!test.endless", "v")
    client.wait_status(job_id, JobStatus.STARTED)
    client.store.run(client.operations.stop(job_id))
    assert client.reply(job_id).error_kind == "stopped"
    assert client.run("!!test.print text:on", "v").result() == "on"


def test_program_does_not_outlive_its_actor(stand_in: None, start_actor: StartActor, client: Client) -> None:
    actor = start_actor("v")
    client.wait_status(client.submit("!!test.sleep", "v"), JobStatus.STARTED)
    (program,) = eventually(lambda: children_of(actor.pid))

    actor.process.kill()
    actor.wait_exit()

    eventually(lambda: is_gone(program))


def test_actor_without_hero_ends_and_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, start_actor: StartActor
) -> None:
    monkeypatch.setenv("HERO_V_COMMAND", "no-such-hero {file}")

    actor = start_actor("v", ready=False)

    assert actor.wait_exit() == 69
    assert actor.log().count("there is no program 'no-such-hero'") == 1
    assert "Install herolib" in actor.log()
