"""Jobs of type V, from queue to reply, run by a program in the place of `hero`."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from hero_job.model.status import JobStatus
from hero_process.proc import children_of
from tests.actor.conftest import StartActor, client, start_actor
from tests.actor.process import JobClient
from tests.deployment import deployed
from tests.engine.heroscript_engine.test_processes import is_gone
from tests.engine.v.test_engine import STAND_IN
from tests.eventually import eventually
from tests.forked_heroctl import HEROCTL, run_heroctl
from tests.supervisor.rpc.raw_client import RawClient, job

__all__ = ["client", "start_actor"]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_V_COMMAND", STAND_IN)


def test_v_job_goes_from_queue_to_reply(stand_in: None, start_actor: StartActor, client: JobClient) -> None:
    start_actor("v", "--lanes", "2")

    job_id = client.submit("!!test.constant name:JOB_ID\n!!test.color", "v")

    assert client.reply(job_id).result() == f"{job_id}green plain\n"


@pytest.mark.parametrize(
    ("script", "kind", "line"), [("!!test.nothing\n!!a.b.c", "syntax", 2), ("!!test.fail", "v_failed", None)]
)
def test_error_of_a_v_job_reaches_its_reply(
    stand_in: None, start_actor: StartActor, client: JobClient, script: str, kind: str, line: int | None
) -> None:
    start_actor("v")

    reply = client.run(script, "v")

    assert reply.status is JobStatus.ERROR
    assert (reply.error_kind, reply.line) == (kind, line)


def test_v_job_ends_at_its_timeout_and_when_it_is_stopped(
    stand_in: None, start_actor: StartActor, client: JobClient
) -> None:
    start_actor("v")

    assert client.run("!!test.sleep", "v", timeout_s=0.3).error_kind == "timeout"
    job_id = client.submit("!!test.endless", "v")
    client.wait_status(job_id, JobStatus.STARTED)
    client.store.run(client.operations.stop(job_id))
    assert client.reply(job_id).error_kind == "stopped"
    assert client.run("!!test.print text:on", "v").result() == "on"


def test_program_does_not_outlive_its_actor(stand_in: None, start_actor: StartActor, client: JobClient) -> None:
    actor = start_actor("v")
    client.wait_status(client.submit("!!test.sleep", "v"), JobStatus.STARTED)
    (program,) = eventually(lambda: children_of(actor.pid))

    actor.process.kill()
    actor.wait_exit()

    eventually(lambda: is_gone(program))


V_ENTRY = """
[[actors]]
type = "v"
[actors.env]
HERO_V_COMMAND = "{command}"
"""

#: Jobs of this actor wait, because no other actor serves its group.
FAR_ENTRY = """
[[actors]]
type = "v"
name = "far"
group = "far"
missing_engine = "wait"
[actors.env]
HERO_V_COMMAND = "no-such-hero {file}"
"""


def test_service_reports_a_v_actor_without_hero_and_keeps_one_with_it(tmp_path: Path) -> None:
    missing, present = (V_ENTRY.format(command=command) for command in ("no-such-hero {file}", STAND_IN))
    with deployed(tmp_path, actors=missing + FAR_ENTRY) as deployment, RawClient(deployment.socket) as rpc:
        waiting = rpc.call("create_job", job(script="!!test.nothing", script_type="V", group="far"))
        rpc.call("start_job", [waiting])
        listed = next(actor for actor in rpc.call("list_actors") if actor["name"] == "v-1")
        assert "Install herolib" in listed["unavailable"]
        (slot,) = rpc.call("get_actor", ["v"])["slots"]
        assert (slot["phase"], slot["restarts"], slot["unavailable"]) == ("running", 0, listed["unavailable"])
        pid = slot["pid"]
        done = heroctl(deployment.url, "actors")
        assert " unavailable " in done.stdout
        assert f"v-1: {listed['unavailable']}" in done.stdout
        done = heroctl(deployment.url, "run", "--type", "v", "!!test.nothing")
        assert done.returncode == 1
        assert "there is no program 'no-such-hero'" in done.stderr
        # Answering a job does not replace the process.
        assert [slot["pid"] for slot in rpc.call("get_actor", ["v"])["slots"]] == [pid]
        assert deployment.log.read_text().count("child.unavailable") == 2
        assert rpc.call("get_job_status", [waiting]) == "dispatched"

        config = tmp_path / "hero.toml"
        text = config.read_text()
        config.write_text(text.replace(missing, present))
        os.kill(deployment.pid, signal.SIGHUP)
        eventually(lambda: rpc.call("get_actor", ["v"])["slots"][0]["unavailable"] is None)
        assert heroctl(deployment.url, "run", "--type", "v", "!!test.print text:on").stdout == "on\n"

        # A new process without its engine does not take the place of one that has it.
        config.write_text(text)
        os.kill(deployment.pid, signal.SIGHUP)
        eventually(lambda: "roll.stopped" in deployment.log.read_text())
        assert heroctl(deployment.url, "run", "--type", "v", "!!test.print text:on").stdout == "on\n"


def heroctl(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"HERO_REDIS_URL": url, "COLUMNS": "300"}
    return run_heroctl([HEROCTL, *arguments], env=env, check=False, capture_output=True, text=True, timeout=300)
