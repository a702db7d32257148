"""An actor without its engine: it fails its jobs, leaves them to others or waits, and ends when the engine is there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hero_job.model.status import JobStatus
from hero_job.protocol.op import Op, as_is
from tests.actor.conftest import StartActor
from tests.actor.process import JobClient
from tests.engine.v.test_engine import STAND_IN
from tests.eventually import eventually


def without_engine(monkeypatch: pytest.MonkeyPatch, program: str = "no-such-hero") -> None:
    monkeypatch.setenv("HERO_V_COMMAND", f"{program} {{file}}")


def with_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_V_COMMAND", STAND_IN)


def test_job_of_a_missing_engine_fails_and_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, start_actor: StartActor, client: JobClient
) -> None:
    without_engine(monkeypatch)
    waiting = client.submit("!!test.nothing", "v", retries=3)
    actor = start_actor("v", "--lanes", "2", control=True)

    for reply in (client.reply(waiting), client.run("!!test.nothing", "v")):
        assert reply.status is JobStatus.ERROR
        assert reply.error_kind == "engine_unavailable"
        assert "there is no program 'no-such-hero'. Install herolib" in (reply.error or "")
    (presence,) = client.store.drive(client.operations.admin.actors())
    assert presence.unavailable is not None
    assert "Install herolib" in presence.unavailable
    assert actor.process.poll() is None
    assert actor.log().count("engine.unavailable") == 1
    (ready,) = actor.events("ready")
    assert ready["unavailable"] == presence.unavailable


def test_job_fails_in_the_same_way_without_the_wheel_of_rhai(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, start_actor: StartActor, client: JobClient
) -> None:
    # As without the wheel, the import of the module fails; everything else works.
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


def test_jobs_wait_for_the_engine_when_the_actor_is_told_so(
    monkeypatch: pytest.MonkeyPatch, start_actor: StartActor, client: JobClient
) -> None:
    without_engine(monkeypatch)
    job_id = client.submit("!!test.print text:on", "v")
    actor = start_actor("v", "--missing-engine", "wait", control=True)
    eventually(lambda: len(actor.events("beat")) >= 2)

    assert client.queue_length("v") == 1
    with_engine(monkeypatch)
    start_actor("v")

    assert client.reply(job_id).result() == "on"


def test_actor_without_its_engine_fails_no_job_that_another_actor_can_run(
    monkeypatch: pytest.MonkeyPatch, start_actor: StartActor, client: JobClient
) -> None:
    with_engine(monkeypatch)
    able = start_actor("v")
    without_engine(monkeypatch)
    start_actor("v", "--lanes", "4", "--group", "far")

    jobs = [client.submit("!!test.print text:on", "v") for _ in range(20)]

    assert {client.reply(job_id).result() for job_id in jobs} == {"on"}
    # No other actor serves this group.
    assert client.run("!!test.nothing", "v", group="far").error_kind == "engine_unavailable"

    # The able actor is gone for a moment, as in a restart: the job waits for it.
    able.close()
    (gone,) = [a for a in client.store.drive(client.operations.admin.actors()) if a.unavailable is None]
    # What the end of its lease does.
    client.store.run(Op(("DEL", client.operations.keys.actor(gone.incarnation)), as_is))
    job_id = client.submit("!!test.print text:back", "v")
    with_engine(monkeypatch)
    start_actor("v")
    assert client.reply(job_id).result() == "back"


def test_actor_asks_to_be_replaced_when_its_engine_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, start_actor: StartActor, client: JobClient
) -> None:
    program = tmp_path / "hero"
    without_engine(monkeypatch, str(program))
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


def test_actor_without_a_supervisor_restarts_itself_when_its_engine_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, start_actor: StartActor, client: JobClient
) -> None:
    program = tmp_path / "hero"
    without_engine(monkeypatch, str(program))
    job_id = client.submit("!!test.print text:on", "v")
    start_actor("v", "--look-for-engine-s", "0.1", "--missing-engine", "wait")

    program.with_suffix(".new").write_text(f'#!{sys.executable}\nprint("came", end="")\n')
    program.with_suffix(".new").chmod(0o755)
    program.with_suffix(".new").rename(program)

    assert client.reply(job_id).result() == "came"
