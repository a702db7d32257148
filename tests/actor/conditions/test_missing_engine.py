"""An actor whose engine is missing: it answers its queue, leaves it to others, and ends when the engine is there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hero_job.model.status import JobStatus
from tests.actor.conftest import StartActor
from tests.actor.process import Client
from tests.engine.v.test_engine import STAND_IN
from tests.eventually import eventually


def missing(monkeypatch: pytest.MonkeyPatch, program: str = "no-such-hero") -> None:
    monkeypatch.setenv("HERO_V_COMMAND", f"{program} {{file}}")


def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_V_COMMAND", STAND_IN)


def test_job_of_a_missing_engine_ends_at_once_and_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, start_actor: StartActor, client: Client
) -> None:
    missing(monkeypatch)
    waiting = client.submit("!!test.nothing", "v", retries=3)
    actor = start_actor("v", "--lanes", "2", control=True)

    for reply in (client.reply(waiting), client.run("!!test.nothing", "v")):
        assert reply.status is JobStatus.ERROR
        assert reply.error_kind == "engine_unavailable"
        assert "there is no program 'no-such-hero'. Install herolib" in (reply.error or "")
    (presence,) = client.store.run(client.operations.admin.actors())
    assert presence.unavailable is not None
    assert "Install herolib" in presence.unavailable
    assert actor.process.poll() is None
    assert actor.log().count("engine.unavailable") == 1
    (ready,) = actor.events("ready")
    assert ready["unavailable"] == presence.unavailable


def test_without_rhai_it_is_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, start_actor: StartActor, client: Client
) -> None:
    # What a start without the wheel meets, and nothing else: the import of the module fails as a missing one does.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'rhai':\n"
        "            raise ModuleNotFoundError('No module named rhai', name='rhai')\n"
        "sys.meta_path.insert(0, Missing())\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    start_actor("sal", "--lanes", "2")

    reply = client.run("40 + 2", "sal")

    assert reply.error_kind == "engine_unavailable"
    assert "rhai-py" in (reply.error or "")


def test_jobs_wait_when_the_actor_is_told_so(
    monkeypatch: pytest.MonkeyPatch, start_actor: StartActor, client: Client
) -> None:
    missing(monkeypatch)
    job_id = client.submit("!!test.print text:on", "v")
    actor = start_actor("v", "--missing-engine", "wait", control=True)
    eventually(lambda: len(actor.events("beat")) >= 2)

    assert client.queue_length("v") == 1
    present(monkeypatch)
    start_actor("v")

    assert client.reply(job_id).result() == "on"


def test_no_job_fails_here_that_another_actor_can_run(
    monkeypatch: pytest.MonkeyPatch, start_actor: StartActor, client: Client
) -> None:
    present(monkeypatch)
    able = start_actor("v")
    missing(monkeypatch)
    start_actor("v", "--lanes", "4", "--group", "far")

    jobs = [client.submit("!!test.print text:on", "v") for _ in range(20)]

    assert {client.reply(job_id).result() for job_id in jobs} == {"on"}
    # Its group is served by nobody else.
    assert client.run("!!test.nothing", "v", group="far").error_kind == "engine_unavailable"

    # Gone for a moment, as in a restart: the job waits for it.
    able.close()
    eventually(lambda: len([a for a in client.store.run(client.operations.admin.actors()) if a.beat_at]) == 1)
    job_id = client.submit("!!test.print text:back", "v")
    present(monkeypatch)
    start_actor("v")
    assert client.reply(job_id).result() == "back"


def test_actor_asks_to_be_replaced_when_its_engine_has_come(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, start_actor: StartActor, client: Client
) -> None:
    program = tmp_path / "hero"
    missing(monkeypatch, str(program))
    actor = start_actor("v", "--look-for-engine-s", "0.1", "--missing-engine", "wait", control=True)
    eventually(lambda: len(actor.events("beat")) >= 2)
    assert actor.process.poll() is None

    stand_in = STAND_IN.removesuffix(" {file}")
    (tmp_path / "new").write_text(f'#!/bin/sh\nexec {stand_in} "$@"\n')
    (tmp_path / "new").chmod(0o755)
    (tmp_path / "new").rename(program)

    assert actor.wait_exit() == 75
    (draining,) = actor.events("draining")
    assert draining["reason"] == "engine_found"


def test_actor_without_a_supervisor_starts_itself_again_with_its_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, start_actor: StartActor, client: Client
) -> None:
    program = tmp_path / "hero"
    missing(monkeypatch, str(program))
    job_id = client.submit("!!test.print text:on", "v")
    start_actor("v", "--look-for-engine-s", "0.1", "--missing-engine", "wait")

    program.with_suffix(".new").write_text(f'#!{sys.executable}\nprint("came", end="")\n')
    program.with_suffix(".new").chmod(0o755)
    program.with_suffix(".new").rename(program)

    assert client.reply(job_id).result() == "came"
