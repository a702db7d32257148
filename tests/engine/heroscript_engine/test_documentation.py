"""The examples of docs/heroscript.md that need no actor; `test_examples` runs those of the action families."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hero_engine.engine import Done
from hero_engine.languages.heroscript import Playbook, check_script
from hero_job import Job, JobBuilder
from tests.engine.heroscript_engine.conftest import ROOT, Bench, MakeBench

PAGE = (ROOT / "docs" / "heroscript.md").read_text("utf-8")


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_examples_of_scripts_have_no_findings() -> None:
    found = examples("heroscript")

    assert found
    for example in found:
        assert check_script(example) == []
    (note,) = [action.params.get("note") for action in Playbook.parse(found[0]).find("wallet.send")]
    assert note == "Several lines,\nkept as they are, except for the common margin."


def test_example_of_a_finding_is_what_the_checker_shows() -> None:
    (shown,) = examples("text")
    script = "// one\n\n\n!!wallet.sned to:bob\n"

    (finding,) = check_script(script, "deploy.hero", known=["wallet.send", "play.echo"])

    assert finding.render() == shown.rstrip("\n")


def test_examples_of_commands_run(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "a.hero").write_text("!!play.echo   content:a\n")
    (tmp_path / "deploy.hero").write_text("!!wallet.send to:bob\n")
    (commands,) = examples("sh")
    ended: list[int] = []
    for line in commands.splitlines():
        program, *words = shlex.split(line, comments=True)
        assert program == "heroctl"
        path = Path(sys.executable).parent / program
        ended.append(subprocess.run([path, *words], cwd=tmp_path, capture_output=True, check=False).returncode)

    assert ended == [0, 0, 0, 0, 0]
    assert (tmp_path / "scripts" / "a.hero").read_text() == "!!play.echo content:a\n"


def test_example_of_a_job_and_its_output_are_right(bench: Bench) -> None:
    source, _ = examples("python")
    names: dict[str, object] = {"JobBuilder": JobBuilder}

    exec(source, names)

    job = names["job"]
    assert isinstance(job, Job)
    outcome = bench.run(job.script, CALLER_ID=job.caller_id)
    assert isinstance(outcome, Done)
    assert outcome.output == examples("json")[0].strip()


def test_example_of_a_package_declares_its_entry_point() -> None:
    shown = tomllib.loads(examples("toml")[0])
    package = tomllib.loads((Path(__file__).parent / "wallet_package" / "pyproject.toml").read_text("utf-8"))

    assert shown["project"]["entry-points"] == package["project"]["entry-points"]


def test_example_of_a_handler_runs(make_bench: MakeBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, source = examples("python")
    (tmp_path / "page_handlers.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    bench = make_bench(actions=("module:page_handlers",))

    outcome = bench.run("!!play.output result:last\n!!wallet.send from:alice to:bob amount:2.50", CALLER_ID="me")

    assert isinstance(outcome, Done), outcome
    assert json.loads(outcome.output) == {"from": "alice", "to": "bob", "amount": 2.5}
    assert bench.log.lines == [("info", "alice sends 2.50 to bob for me")]
