"""`heroctl doctor` and `heroctl actors` on a service in trouble: a paused queue, an actor that crashes in a loop."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ctl.conftest import HEROCTL, LIMIT_S, environment
from tests.deployment import LONG_LEASE_S, Deployment, deployed
from tests.eventually import eventually
from tests.forked_heroctl import run_heroctl

BROKEN = """
[[actors]]
type = "sal"
[[actors]]
name = "broken"
type = "sal"
count = 0
command = ["/bin/sh", "-c", "echo no disk here >&2; exit 3"]
max_restarts = 1
backoff_min_s = 0.05
backoff_max_s = 600
"""

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A service with an actor that is held after its crashes."""
    with deployed(tmp_path_factory.mktemp("troubled"), actors=BROKEN, lease_s=LONG_LEASE_S) as running:
        run_heroctl(
            [HEROCTL, "scale", "broken", "1", "--socket", str(running.socket)],
            env=environment(running.url), stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        yield running


@pytest.fixture
def call(troubled: Deployment, tmp_path: Path) -> Call:
    """Run `heroctl` in another folder; only --config names the service."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run_heroctl(
            [HEROCTL, *arguments, "--config", str(troubled.folder / "hero.toml")],
            cwd=tmp_path, env=environment(""), capture_output=True, text=True, check=False, timeout=LIMIT_S,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    return run


def test_a_held_actor_is_a_problem_and_is_listed_as_held(call: Call) -> None:
    eventually(lambda: "broken-1 is held" in call("doctor").stdout, what="the doctor names it")

    done = call("doctor")
    listed = call("actors").stdout.splitlines()

    assert done.returncode == 1
    (finding,) = [n for n, line in enumerate(done.stdout.splitlines()) if "broken-1 is held" in line]
    cure = done.stdout.splitlines()[finding + 1]
    assert done.stdout.splitlines()[finding].startswith("PROBLEM")
    assert "heroctl actors logs broken-1" in cure
    assert "heroctl actors start broken-1" in cure
    (row,) = [line.split() for line in listed if line.startswith("broken-1")]
    assert row[2] == "held"
    assert "no disk here" in call("actors", "logs", "broken-1").stdout, "what the cure names shows the cause"


def test_a_paused_queue_in_which_jobs_wait_is_a_problem_with_its_cure(call: Call) -> None:
    assert call("pause", "sal").returncode == 0
    ids = [call("submit", "1").stdout.strip() for _ in range(5)]

    done = call("doctor")
    waiting = call("actors").stdout.splitlines()[-1]
    lines = done.stdout.splitlines()
    (paused,) = [n for n, line in enumerate(lines) if "the queue sal is paused since" in line]

    assert done.returncode == 1
    assert lines[paused].startswith("PROBLEM")
    assert "5 jobs wait in it" in lines[paused]
    assert lines[paused + 1].strip() == "-> heroctl resume sal"
    assert "SAL 5 (paused)" in waiting
    assert call("resume", "sal").returncode == 0
    assert call("wait", *ids).returncode == 0
    assert "is paused" not in call("doctor").stdout


def test_a_config_that_is_named_from_another_folder_finds_the_socket_and_the_store(call: Call) -> None:
    done = call("doctor")

    assert "hero.ipc answers" in done.stdout
    assert "not reachable" not in done.stdout
    assert "there is no socket" not in done.stdout


def test_the_cure_for_a_job_in_a_wrong_queue_cures_it(call: Call, troubled: Deployment) -> None:
    from hero_job import JobBuilder
    from hero_job.protocol.op import Op, as_is

    with troubled.supervisor() as supervisor:
        keys = supervisor.operations.keys
        job = JobBuilder().caller_id("a").context_id("b").script_type("v").script("!!a.b").timeout(60).build()
        job_id = supervisor.submit_job(job)
        supervisor.store.run(Op(("LREM", keys.work("v"), "0", job_id), as_is))
        supervisor.store.run(Op(("RPUSH", keys.work("osis"), job_id), as_is))
    before = call("doctor").stdout
    assert f"in the queue of another script type: {job_id}" in before

    assert call("stop", job_id).stdout == "stopped\n"

    assert job_id not in call("doctor").stdout, "stop has taken the id out of the queue"
