"""The example package, installed for real: scripts reach its handlers through the queue, an actor and a reply."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hero_engine.errors import EngineUnavailable
from hero_engine.heroscript_engine.run.settings import EngineSettings
from hero_job.model.status import JobStatus
from tests.actor.conftest import StartActor, client, start_actor
from tests.actor.process import JobClient
from tests.engine.heroscript_engine.conftest import ROOT, VOCABULARY, MakeBench
from tests.engine.heroscript_engine.test_processes import is_gone, is_killed
from tests.eventually import eventually

__all__ = ["client", "start_actor"]

PACKAGE = Path(__file__).parent / "wallet_package"
SEND = "!!wallet.define name:alice balance:10\n!!wallet.define name:bob\n"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the package is installed."""
    folder = tmp_path_factory.mktemp("package")
    source, site = folder / "source", folder / "site"
    shutil.copytree(PACKAGE, source)  # building leaves files beside the source
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--disable-pip-version-check", "--target", site, source], check=True, timeout=300)
    return site


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let actors that are started find the package."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(site), str(ROOT))))


def test_package_is_loaded_if_it_is_allowed(installed: None, make_bench: MakeBench) -> None:
    for allowed in ("*", "wallet", "wallet-actions", "wal*"):
        assert make_bench(actions=(allowed,)).engine._pool.loaded == ["wallet"]
    assert make_bench(actions=(VOCABULARY, "other*")).engine._pool.loaded == [VOCABULARY]
    with pytest.raises(EngineUnavailable):
        make_bench(actions=("wallet", "other"))
    assert EngineSettings.from_environ({}).actions == ("*",)


def test_job_goes_from_queue_to_reply(installed: None, start_actor: StartActor, client: JobClient) -> None:
    start_actor("python")
    script = SEND + "!!wallet.send from:alice to:bob amount:2.50 tags:a,b\n!!wallet.balance name:bob"

    job_id = client.submit(script, "python")
    reply = client.reply(job_id)

    assert reply.status is JobStatus.FINISHED, reply
    assert [entry["result"] for entry in json.loads(reply.result())][2:] == [
        {"from": "alice", "to": "bob", "amount": 2.5, "tags": ["a", "b"]},
        2.5,
    ]
    lines = client.store.run(client.operations.log(job_id))
    assert [(line.level, line.text) for line in lines] == [("info", "alice sends 2.50 to bob for caller-1")]


@pytest.mark.parametrize(
    ("action", "kind", "message"),
    [
        ("!!wallet.send from:alice to:bob amount:-1", "param", "amount is '-1'"),
        ("!!wallet.send from:alice to:bob amount:99", "action_failed", "wallet.send: ValueError: alice has 10, not 99"),
        ("!!wallet.sned from:alice", "unknown_action", "did you mean wallet.send"),
        ("!!a.b.c", "syntax", "1 or 2 parts"),
    ],
)
def test_error_reaches_the_reply_with_its_line(
    installed: None, start_actor: StartActor, client: JobClient, action: str, kind: str, message: str
) -> None:
    start_actor("python")

    reply = client.run(f"{SEND}{action}", "python")

    assert reply.status is JobStatus.ERROR
    assert reply.error_kind == kind
    assert message in (reply.error or "")
    assert reply.line == 3


@pytest.fixture
def vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_ACTIONS", VOCABULARY)


@pytest.mark.parametrize("how", ["timeout", "stop"])
def test_job_that_must_end_ends_with_its_descendants_and_the_actor_continues(
    vocabulary: None, start_actor: StartActor, client: JobClient, tmp_path: Path, how: str
) -> None:
    start_actor("python")
    files = [tmp_path / name for name in ("plain", "hidden")]

    def has_begun() -> bool:
        return all(file.exists() and file.read_text() for file in files)

    for timeout_s in (2, 20, 140) if how == "timeout" else (600,):
        job_id = client.submit(f"!!test.spawn folder:'{tmp_path}'", "python", timeout_s=timeout_s)
        if how == "stop":
            eventually(has_begun)
            client.store.run(client.operations.stop(job_id))
        reply = client.reply(job_id)
        assert reply.error_kind == ("timeout" if how == "timeout" else "stopped")
        if has_begun():  # otherwise the time was up before the script had started them
            break

    assert all(is_killed(int(file.read_text())) for file in files)
    eventually(lambda: all(is_gone(int(file.read_text())) for file in files))
    assert client.run("!!test.nothing", "python").status is JobStatus.FINISHED


@pytest.mark.parametrize(
    ("script", "kind"),
    [("!!test.die code:1", "crashed"), ("!!test.exit code:1", "exited"), ("!!test.eat", "out_of_memory")],
)
def test_crash_is_an_error_of_the_job_and_the_actor_continues(
    vocabulary: None, start_actor: StartActor, client: JobClient, script: str, kind: str
) -> None:
    actor = start_actor("python")

    assert client.run(script, "python").error_kind == kind

    assert client.run("!!test.nothing", "python").status is JobStatus.FINISHED
    assert actor.process.poll() is None


def test_outputs_of_prerequisites_are_words_of_the_script(
    vocabulary: None, start_actor: StartActor, client: JobClient
) -> None:
    start_actor("python")
    first = client.submit("!!play.output result:last\n!!test.number value:41", "python")

    script = "!!play.output result:last\n!!play.echo content:'after {PREREQUISITE_1}'"
    assert client.run(script, "python", prerequisites=[first]).result() == "after 41"


def test_lanes_run_jobs_simultaneously(
    vocabulary: None, start_actor: StartActor, client: JobClient, tmp_path: Path
) -> None:
    start_actor("python", "--lanes", "3")
    slow = [client.submit("!!test.sleep seconds:60", "python", timeout_s=60) for _ in range(2)]
    for job_id in slow:
        client.wait_status(job_id, JobStatus.STARTED)

    assert client.run("!!test.nothing", "python").status is JobStatus.FINISHED
    for job_id in slow:
        client.store.run(client.operations.stop(job_id))
        assert client.reply(job_id).error_kind == "stopped"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_its_actor(
    vocabulary: None, start_actor: StartActor, client: JobClient, number: signal.Signals
) -> None:
    actor = start_actor("python")
    (template,) = (int(line) for line in Path(f"/proc/{actor.pid}/task/{actor.pid}/children").read_text().split())

    actor.signal(number)
    actor.wait_exit()

    eventually(lambda: is_gone(template))


def test_actor_whose_package_does_not_load_ends_and_says_why(
    monkeypatch: pytest.MonkeyPatch, start_actor: StartActor
) -> None:
    monkeypatch.setenv("HERO_ACTIONS", "not-installed")

    actor = start_actor("python", ready=False)

    assert actor.wait_exit() == 69
    assert "HERO_ACTIONS allows what is not installed: not-installed" in actor.log()
