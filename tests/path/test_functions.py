"""Functions of scripts in a real deployment: what `[actors.allow]` gives to the jobs of an actor, and to no others."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hero_job import JobBuilder, JobFailed
from hero_supervisor import ScriptType, Supervisor
from tests.deployment import Deployment, deployed

ACTORS = """
[[actors]]
type = "osis"
[[actors]]
type = "sal"
lanes = 2
[actors.allow]
read = ["data"]
context_rules = [{ contexts = ["guest-*"], read = [] }]
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("d")
    (folder / "data").mkdir()
    (folder / "data/a.txt").write_text("from the folder")
    with deployed(folder, actors=ACTORS) as deployment:
        yield deployment


@pytest.fixture
def supervisor(deployment: Deployment) -> Iterator[Supervisor]:
    with deployment.supervisor() as supervisor:
        yield supervisor


def builder(script_type: ScriptType, script: str, context_id: str = "home") -> JobBuilder:
    return JobBuilder().caller_id("a").context_id(context_id).script_type(script_type).script(script).timeout(30)


def test_script_reads_what_its_actor_allows(supervisor: Supervisor, deployment: Deployment) -> None:
    script = f"file_read(`{deployment.folder}/data/a.txt`)"

    assert supervisor.run_job_and_await_result(builder(ScriptType.SAL, script).build()) == "from the folder"
    for refused in (builder(ScriptType.OSIS, script), builder(ScriptType.SAL, script, "guest-1")):
        with pytest.raises(JobFailed) as failed:
            supervisor.run_job_and_await_result(refused.build())
        assert (failed.value.kind, failed.value.line) == ("function_failed", 1)
        assert failed.value.message == f"os: reading '{deployment.folder}/data/a.txt' is not allowed"


def test_log_of_a_function_is_in_the_log_of_its_job(supervisor: Supervisor) -> None:
    job = builder(ScriptType.SAL, "file_write(`a`, `1`); file_write(`b`, `2`); find_file(`.`, `*`)").build()

    assert supervisor.run_job_and_await_result(job) == "./a"
    assert [line.text for line in supervisor.get_job_log(job.id)] == [
        "Note: Multiple files found matching '*', returning first match"
    ]


def test_service_does_not_start_with_a_folder_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "hero.toml").write_text("[[actors]]\ntype = 'sal'\n[actors.allow]\nread = ['/no/such/folder']\n")
    command = [sys.executable, "-m", "hero_supervisor.cli", "--config", "hero.toml"]

    ended = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)

    assert ended.returncode == 2
    assert "hero.toml:4: actors.0.allow.read.0: cannot be used: No such file" in ended.stderr
