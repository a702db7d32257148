"""A deployment with all script types: the supervisor starts Python and V actors like any other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hero_job import JobBuilder, JobFailed
from tests.deployment import ACTORS, Deployment, deployed
from tests.engine.heroscript_engine.conftest import VOCABULARY
from tests.engine.v.test_engine import STAND_IN

BOTH = f"""
[[actors]]
type = "python"
env = {{ HERO_ACTIONS = "{VOCABULARY}" }}
[[actors]]
type = "v"
env = {{ HERO_V_COMMAND = "{STAND_IN}" }}
"""

MISSING = """
[[actors]]
type = "v"
env = { HERO_V_COMMAND = "no-such-hero {file}" }
[[actors]]
type = "python"
"""


def test_jobs_of_every_type_run_under_one_supervisor(tmp_path: Path, python_path: None) -> None:
    with deployed(tmp_path, actors=ACTORS + BOTH) as deployment, deployment.supervisor() as supervisor:

        def run(script_type: str, script: str) -> str:
            builder = JobBuilder().caller_id("me").context_id("here").script_type(script_type).script(script)
            return supervisor.run_job_and_await_result(builder.build(), wait_s=300)

        assert run("osis", "40 + 2") == "42"
        assert json.loads(run("Python", "!!test.number value:42"))[0]["result"] == 42
        assert run("V", "!!test.print text:42") == "42"
        with pytest.raises(JobFailed, match=r"there is no action test\.numbre") as caught:
            run("python", "!!test.nothing\n!!test.numbre value:1")
        assert caught.value.line == 2


def test_supervisor_without_hero_runs_everything_else_and_reports_it_once(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, actors=ACTORS + MISSING)
    try:
        deployment.start()
        with deployment.supervisor() as supervisor:
            builder = JobBuilder().caller_id("me").context_id("here").script_type("Python")
            job = builder.script("!!play.output result:last\n!!play.echo content:on").build()
            assert supervisor.run_job_and_await_result(job, wait_s=300) == "on"
    finally:
        deployment.stop()
    assert deployment.log.read_text().count('"event":"engine.unavailable"') == 1
